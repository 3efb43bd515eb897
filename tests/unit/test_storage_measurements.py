import json
import multiprocessing

import pytest

from studio.domain.errors import StudioError
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    Prediction,
    RanOut,
    Source,
    Subject,
)
from studio.storage.measurements import MeasurementTable

SUBJECT = Subject(
    card="card",
    driver="580",
    versions={"torch": "2.13"},
    architecture="a",
    recipe="r",
    data="d",
)


def row(tokens=1024, **changes):
    values = {
        "subject": SUBJECT,
        "source": Source.PROBE,
        "when": 1.5,
        "tokens": tokens,
        "actual": Peaks(1, 2, None),
        "phases": {"load": Peaks(1, 2, 3)},
        "phase": "load",
        "predicted": {"formula": Prediction(Peaks(1, 2, 3), 4)},
        "context_bytes": 7,
        "ran_out": RanOut("load", 5),
    }
    return Measurement(**{**values, **changes})


@pytest.fixture
def table(tmp_path):
    return MeasurementTable(tmp_path / "data" / "measurements.jsonl")


def test_that_a_row_is_read_as_it_was_written(table):
    table.add(row())
    table.add(row(tokens=2, source=Source.RUN, ran_out=None, context_bytes=None))
    rows, findings = table.read()
    assert rows == [
        row(),
        row(tokens=2, source=Source.RUN, ran_out=None, context_bytes=None),
    ]
    assert list(findings) == []


def test_that_a_missing_table_is_empty(table):
    assert table.read() == ((), ())


def test_that_every_line_says_its_version(table):
    table.add(row())
    assert json.loads(table.path.read_text())["version"] == 1


def test_that_a_torn_line_is_left_out_told_and_closed_by_the_next_writer(table):
    table.add(row(tokens=1))
    with table.path.open("ab") as file:
        file.write(b'{"version":1,"row":{"subj')
    table.add(row(tokens=2))
    rows, (finding,) = table.read()
    assert [each.tokens for each in rows] == [1, 2]
    assert "1 line is no measurement" in finding.what


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[]", b'{"version":1}', b'{"version":1,"row":{},"x":1}']
)
def test_that_what_is_no_row_is_left_out(table, line):
    table.add(row())
    with table.path.open("ab") as file:
        file.write(line + b"\n")
    rows, findings = table.read()
    assert (len(rows), len(findings)) == (1, 1)


def test_that_a_newer_table_is_refused_in_a_sentence(table):
    table.add(row())
    with table.path.open("ab") as file:
        file.write(b'{"version":2,"row":{"mood":"good"}}\n')
    with pytest.raises(StudioError) as refused:
        table.read()
    assert "newer Snugtune" in refused.value.finding.sentence()


def _write(path, number):
    for _ in range(20):
        MeasurementTable(path).add(row(tokens=number))


def test_that_writers_in_several_processes_lose_no_row(table):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(table.path, n)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows, findings = table.read()
    assert sorted(each.tokens for each in rows) == sorted([0, 1, 2] * 20)
    assert list(findings) == []


def test_that_a_full_disk_is_told_in_a_sentence(table, monkeypatch):
    def full(*_):
        return 0

    table.add(row())
    before = table.path.read_bytes()
    monkeypatch.setattr("os.write", full)
    with pytest.raises(StudioError) as refused:
        table.add(row())
    assert refused.value.finding.code == "disk.full"
    assert table.path.read_bytes() == before
