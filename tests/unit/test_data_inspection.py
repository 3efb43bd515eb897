import json

import pytest

from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.finding import Severity
from studio.storage.data_inspection import inspect_file
from studio.storage.data_reading import RECOGNISE

GOOD = {
    "messages": [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    ]
}


def _inspected(path):
    return inspect_file(path, RECOGNISE, CheckSettings(sequence_length=512))


def _written(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _chat(*turns):
    return {"messages": [{"role": r, "content": c} for r, c in turns]}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("{broken", "data.unreadable-row"),
        ("[1, 2]", "data.row-left-out"),
        (_chat(("user", "Why?")), "data.no-answer"),
        (_chat(("user", "Why?"), ("assistant", " ")), "data.empty-turn"),
        (_chat(("user", None), ("assistant", "So.")), "data.no-content"),
        ({"messages": []}, "data.no-content"),
        ({"messages": None}, "data.no-content"),
        (_chat(("user", 5), ("assistant", "So.")), "data.not-text"),
        (_chat(("user", [{"type": "image"}]), ("assistant", "a")), "data.not-text"),
        (_chat(("user", [{"type": "text"}]), ("assistant", "a")), "data.not-text"),
        ({"messages": ["hello"]}, "data.not-text"),
        (_chat(("narrator", "Once"), ("assistant", "So.")), "data.unknown-role"),
        (GOOD | {"tools": "none"}, "data.row-left-out"),
        (
            '{"messages": [{"role": "assistant", "content": "\\ud800"}]}',
            "data.unreadable-row",
        ),
    ],
)
def test_that_a_row_left_out_is_told_by_what_is_wrong(tmp_path, row, code):
    report = _inspected(_written(tmp_path / "rows.jsonl", [GOOD, row, GOOD]))
    assert (report.rows, report.usable) == (3, 2)
    found = {each.code: each for each in report.findings}
    assert (found[code].count, found[code].rows) == (1, (2,))
    assert found[code].what.startswith("Row 2 is left out: it ")
    assert found[code].why == "The other 2 rows are read and kept."


def test_that_a_file_of_broken_rows_alone_is_an_error(tmp_path):
    report = _inspected(_written(tmp_path / "rows.jsonl", ["{", "}", "x"]))
    first = report.findings[0]
    assert (first.severity, first.code) == (Severity.ERROR, "data.no-usable-row")
    assert report.usable == 0


def test_that_reasons_of_one_code_are_counted_apart(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("question,answer\na b,c d\nx\ny\n1,2,3\n")
    (found,) = [f for f in _inspected(file).findings if f.code == "data.unreadable-row"]
    assert found.what == (
        "3 rows are left out (3, 4, 5). 2 rows: has 1 field where the header has 2; "
        "1 row: has 3 fields where the header has 2."
    )


@pytest.mark.parametrize("rows", [2, 5000])
def test_that_an_array_that_breaks_off_is_an_error_of_the_report(tmp_path, rows):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([GOOD] * rows)[:-9])
    report = _inspected(file)
    assert report.findings[0].code == "data.json"
    assert report.findings[0].severity is Severity.ERROR
    assert "Mend it there" in report.findings[0].fix


def test_that_rows_of_another_form_are_named(tmp_path):
    other = {"question": "What is it?", "answer": "It is so."}
    rows = [*[GOOD] * 12, other, GOOD]
    report = _inspected(_written(tmp_path / "rows.jsonl", rows))
    found = {each.code: each for each in report.findings}
    assert found["data.mixed-forms"].rows == (13,)
    assert "data.few-rows" not in found


def test_that_a_guess_and_few_rows_are_told(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("mr,ref\nname [x],A place called x.\nname [y],Now y it is.\n")
    codes = {each.code for each in _inspected(file).findings}
    assert {"data.format-guessed", "data.few-rows"} <= codes
