"""The journal is whole whatever becomes of the listener, and the other way round."""

import contextlib
import os
import threading

import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.engine.wire import Wire
from studio.protocol.codec import decode_event, encode
from studio.protocol.events import LogLine
from tests.engine.limits import small_files


def line(number, size=10):
    return LogLine(level="info", text=f"{number} " + "x" * size)


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        with contextlib.suppress(OSError):  # the wire or the test closed it
            os.close(end)


def journal_of(path):
    return [decode_event(each) for each in path.read_bytes().splitlines(keepends=True)]


def test_that_journal_and_listener_get_the_same_bytes(tmp_path, pipe):
    reader, writer = pipe
    wire = Wire(writer)
    wire.keep_journal(tmp_path / "events.jsonl")
    events = [line(number) for number in range(50)]
    for event in events:
        wire.send(event)
    wire.close()
    said = b"".join(map(encode, events))
    assert os.read(reader, 1 << 20) == said
    assert (tmp_path / "events.jsonl").read_bytes() == said


def test_that_a_journal_is_appended_to(tmp_path):
    for number in range(2):
        wire = Wire(None)
        wire.keep_journal(tmp_path / "events.jsonl")
        wire.send(line(number))
        wire.close()
    texts = [event.text for event in journal_of(tmp_path / "events.jsonl")]
    assert [text[0] for text in texts] == ["0", "1"]


def test_that_a_listener_that_went_away_does_not_end_the_journal(tmp_path, pipe):
    reader, writer = pipe
    wire = Wire(writer)
    wire.keep_journal(tmp_path / "events.jsonl")
    os.close(reader)
    for number in range(20):
        wire.send(line(number))
    wire.close()
    assert len(journal_of(tmp_path / "events.jsonl")) == 20


def test_that_a_listener_that_reads_nothing_holds_nobody_up(
    tmp_path, pipe, monkeypatch
):
    monkeypatch.setattr("studio.engine.wire._FLUSH_S", 0.05)
    before = set(threading.enumerate())
    reader, writer = pipe
    wire = Wire(writer)
    wire.keep_journal(tmp_path / "events.jsonl")
    for number in range(100):  # far more than a pipe holds
        wire.send(line(number, 10_000))
    wire.close()
    assert len(journal_of(tmp_path / "events.jsonl")) == 100
    # Its sender is stuck in a write; with the reader gone it closes the writer, and
    # nobody else may close that number at the same time.
    (sender,) = set(threading.enumerate()) - before
    os.close(reader)
    sender.join(10)
    assert not sender.is_alive()


def test_that_threads_never_mix_their_lines(tmp_path):
    wire = Wire(None)
    wire.keep_journal(tmp_path / "events.jsonl")

    def talk(name):
        for _ in range(200):
            wire.send(line(name, 300))

    threads = [threading.Thread(target=talk, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wire.close()
    texts = [event.text for event in journal_of(tmp_path / "events.jsonl")]
    assert sorted(texts) == sorted(
        line(n, 300).text for n in range(4) for _ in range(200)
    )


def talk(wire):
    for number in range(20):
        wire.send(line(number, 200))


def test_that_a_full_disk_leaves_a_journal_of_whole_lines(tmp_path, pipe):
    reader, writer = pipe
    wire = Wire(writer)
    wire.keep_journal(tmp_path / "events.jsonl")
    with small_files():
        with pytest.raises(StudioError) as refused:
            talk(wire)
        wire.send(line("last"))
        wire.close()
    assert refused.value.exit_code is ExitCode.DISK
    kept = journal_of(tmp_path / "events.jsonl")
    heard = os.read(reader, 1 << 20).splitlines(keepends=True)
    assert 0 < len(kept) < 20
    assert [encode(event) for event in kept] == heard[: len(kept)]
    assert decode_event(heard[-1]).text.startswith("last")


def test_that_a_journal_that_cant_be_made_is_refused(tmp_path):
    wire = Wire(None)
    with pytest.raises(StudioError) as refused:
        wire.keep_journal(tmp_path / "missing" / "events.jsonl")
    assert refused.value.exit_code is ExitCode.DISK
    wire.close()
