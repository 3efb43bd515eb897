"""Orders in a file: whole lines, from a place on, whoever wrote them."""

import os

import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.domain.run import EngineIdentity
from studio.protocol.codec import decode_command
from studio.protocol.commands import Cancel, Pause, SaveNow, Stop
from studio.storage.post_box import PostBox


@pytest.fixture
def box(tmp_path):
    return PostBox(tmp_path / "orders.jsonl")


def orders(lines):
    return [decode_command(line) for line in lines]


def test_that_orders_are_read_from_where_a_reader_began(box):
    assert box.lines_from(0) == ((), 0)
    box.post(Pause())
    began = box.size()
    box.post(Stop(save=False))
    box.post(SaveNow())
    lines, offset = box.lines_from(began)
    assert orders(lines) == [Stop(save=False), SaveNow()]
    assert offset == box.size()
    assert box.lines_from(offset) == ((), offset)


def test_that_half_an_order_waits_for_its_rest(box):
    box.path.write_bytes(b'{"command": "pa')
    assert box.lines_from(0) == ([], 0)
    box.path.write_bytes(b'{"command": "pause"}\n')
    assert orders(box.lines_from(0)[0]) == [Pause()]


def test_that_an_order_behind_a_torn_one_is_still_read(box):
    box.path.write_bytes(b'{"command": "pa')
    box.post(Stop())
    torn, whole = box.lines_from(0)[0]
    assert torn == b'{"command": "pa'
    assert decode_command(whole) == Stop()


def test_that_a_file_made_anew_is_read_from_its_start(box):
    box.post(Stop())
    box.post(Stop())
    offset = box.size()
    box.path.unlink()
    box.post(Pause())
    assert orders(box.lines_from(offset)[0]) == [Pause()]


def test_that_only_the_named_process_counts_as_cancelled(box):
    box.path.write_bytes(b"no order\n")
    box.post(Cancel(pid=7, started_at=1.5))
    assert box.cancels(EngineIdentity(7, 1.5))
    assert not box.cancels(EngineIdentity(7, 99.0))
    assert not box.cancels(EngineIdentity(8, 1.5))


def test_that_a_box_that_may_not_be_written_is_told(tmp_path):
    with pytest.raises(StudioError) as refused:
        PostBox(tmp_path / "gone" / "orders.jsonl").post(Stop())
    assert refused.value.exit_code is ExitCode.DISK


def test_that_half_an_order_on_a_full_disk_is_told_and_taken_back(box, monkeypatch):
    box.post(Stop())
    before = box.path.read_bytes()
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, line: whole(file, line[:5]))
    with pytest.raises(StudioError) as refused:
        box.post(Pause())
    assert refused.value.exit_code is ExitCode.DISK
    assert box.path.read_bytes() == before
