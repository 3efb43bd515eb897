import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThread

from studio.domain.data_options import DataOptions
from studio.domain.errors import refusal
from studio.services.background import BackgroundCall
from studio.services.data_reader import DataReader

PATIENCE_MS = 10_000
ROW = '{"question": "Why?", "answer": "Therefore."}\n'


class Receiver(QObject):
    """Remembers what arrived, and in which thread."""

    def __init__(self):
        super().__init__()
        self.arrived = []
        self.threads = set()

    def take(self, value):
        self.arrived.append(value)
        self.threads.add(QThread.currentThread())


def called(qtbot, function):
    done, failed = Receiver(), Receiver()
    call = BackgroundCall(function)
    call.call_done.connect(done.take)
    call.call_failed.connect(failed.take)
    call.start()
    qtbot.waitUntil(lambda: bool(done.arrived or failed.arrived), timeout=PATIENCE_MS)
    call.wait()
    assert (done.threads | failed.threads) == {done.thread()}
    return done.arrived, failed.arrived


def test_that_a_function_runs_elsewhere_and_its_result_arrives_here(qtbot):
    done, failed = called(qtbot, threading.get_ident)
    assert done != [threading.get_ident()]
    assert failed == []


def test_that_a_refusal_arrives_as_its_finding(qtbot):
    def refuse():
        raise refusal("data.empty", "Nothing.")

    done, failed = called(qtbot, refuse)
    assert done == []
    assert [finding.code for finding in failed] == ["data.empty"]


def test_that_a_fault_nobody_foresaw_arrives_as_a_finding(qtbot):
    done, failed = called(qtbot, lambda: 1 // 0)
    assert done == []
    assert "ZeroDivisionError" in failed[0].what


@pytest.fixture
def reader(qtbot):
    reader = DataReader()
    reader.read_files = Receiver()
    reader.refused = Receiver()
    reader.file_read.connect(reader.read_files.take)
    reader.reading_failed.connect(reader.refused.take)
    yield reader
    reader.close()


def wait(qtbot, reader):
    qtbot.waitUntil(lambda: not reader.is_reading, timeout=PATIENCE_MS)


def test_that_a_data_file_is_read_beside_the_window(qtbot, reader, tmp_path):
    file = tmp_path / "chats.jsonl"
    file.write_text(ROW * 3)
    reader.read(DataOptions(path=str(file)))
    wait(qtbot, reader)
    (read,) = reader.read_files.arrived
    assert len(read.chats) == 3
    assert reader.refused.arrived == []


def test_that_a_file_that_can_t_be_read_is_told(qtbot, reader, tmp_path):
    reader.read(DataOptions(path=str(tmp_path / "none.jsonl")))
    wait(qtbot, reader)
    assert [finding.code for finding in reader.refused.arrived] == ["data.missing"]


@pytest.mark.parametrize("slow_first", [True, False])
def test_that_only_the_newest_order_is_told(
    qtbot, reader, tmp_path, monkeypatch, slow_first
):
    gate = threading.Event()

    def read(data):
        name = Path(data.path).name
        if (name == "first") is slow_first:
            gate.wait(10)
        return name

    monkeypatch.setattr("studio.services.data_reader.read_data", read)
    reader.read(DataOptions(path=str(tmp_path / "first")))
    reader.read(DataOptions(path=str(tmp_path / "second")))
    qtbot.waitUntil(lambda: len(reader._calls) == 1, timeout=PATIENCE_MS)
    gate.set()
    wait(qtbot, reader)
    assert reader.read_files.arrived == ["second"]


def test_that_a_closed_reader_tells_nothing_more(qtbot, reader, tmp_path):
    file = tmp_path / "chats.jsonl"
    file.write_text(ROW)
    reader.read(DataOptions(path=str(file)))
    reader.close()
    qtbot.wait(10)
    assert reader.read_files.arrived == []
    assert not reader.is_reading
