"""`snugtune data review` in the terminal."""

import json

import pytest

from studio import cli
from studio.domain.drafts import Draft, Origin, Review
from studio.domain.errors import ExitCode
from studio.storage.draft_files import DraftFile


@pytest.fixture
def file(tmp_path):
    file = DraftFile(tmp_path / "drafts.jsonl")
    origin = Origin(
        file="a.md", line=1, passage_sha256="ab", made_by="m", made_at="2026-01-01"
    )
    file.append(
        Draft(question=f"Question {n}?", answer=answer, origin=origin)
        for n, answer in enumerate(["One.", "", "Three.", "Four."])
    )
    return file


def answering(monkeypatch, *said):
    left = list(said)

    def reply(_prompt):
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", reply)


def reviews(file):
    return [each.draft.review for each in file.read()]


def test_that_each_decision_is_saved_and_leaving_keeps_them(file, monkeypatch, capsys):
    answering(monkeypatch, "a", "r", "?", "s", "q")
    assert cli.main(["data", "review", str(file.path)]) == ExitCode.OK
    assert reviews(file) == [
        Review.ACCEPTED,
        Review.REJECTED,
        Review.OPEN,
        Review.OPEN,
    ]
    said = capsys.readouterr().out
    assert "Draft 1 of 4, from a.md, line 1" in said
    assert "2 open, 1 accepted, 1 rejected." in said


def test_that_the_end_of_the_input_ends_it(file, monkeypatch, capsys):
    answering(monkeypatch)
    assert cli.main(["data", "review", str(file.path)]) == ExitCode.OK
    assert set(reviews(file)) == {Review.OPEN}


def test_that_an_empty_draft_is_refused_and_asked_again(file, monkeypatch, capsys):
    answering(monkeypatch, "s", "a", "r", "q")
    cli.main(["data", "review", str(file.path)])
    assert "without an answer can't be accepted" in capsys.readouterr().err
    assert reviews(file)[1] is Review.REJECTED


def test_that_json_counts_and_asks_nothing(file, capsys):
    assert cli.main(["data", "review", str(file.path), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {
        "path": str(file.path),
        "open": 4,
        "accepted": 0,
        "rejected": 0,
    }


def test_that_a_file_without_drafts_is_refused(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    code = cli.main(["data", "review", str(tmp_path / "a.jsonl")])
    assert code == ExitCode.BAD_INPUT
    assert "holds no drafts" in capsys.readouterr().err
