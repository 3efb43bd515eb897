"""Evaluations on disk: read as they were written, and refused in words."""

import os
from dataclasses import replace

import pytest

from studio.domain.errors import StudioError
from studio.domain.evaluation import (
    BASE,
    TUNED,
    Change,
    Compared,
    Figure,
    Measure,
    Said,
    Seen,
)
from studio.services.evaluations import evaluations_of
from studio.storage.evaluations import (
    FOLDER,
    evaluations_in,
    free_name,
    read_evaluation,
    write_evaluation,
)
from tests.unit.test_domain_evaluation import evaluation

WHOLE = replace(
    evaluation(bleu=(Figure(1.5), Figure(None, Change(2.0, 1.0, None)))),
    compared=(
        Compared(
            prompt="Ünicode?\nTwo lines",
            references=("a", "b"),
            lines=(3, 9),
            seen=Seen.ROW,
            said={BASE: Said(text=""), TUNED: Said(margin=-0.5, loss=2.0)},
        ),
    ),
    findings=("One.",),
    versions={"torch": "2"},
)


def test_that_an_evaluation_is_read_as_it_was_written(tmp_path):
    path = write_evaluation(tmp_path / "new", WHOLE)
    assert path == tmp_path / "new" / "held-out.json"
    assert read_evaluation(path) == WHOLE
    assert read_evaluation(path).measures == (Measure.BLEU,)


def test_that_each_report_gets_a_name_of_its_own(tmp_path):
    assert free_name(tmp_path / "missing", "") == "held-out"
    for name in ("held-out", "held-out-2", "test-set"):
        write_evaluation(tmp_path, replace(WHOLE, name=name))
    assert free_name(tmp_path, "") == "held-out-3"
    assert free_name(tmp_path, "/data/Test set.csv") == "test-set-2"
    assert free_name(tmp_path, "/data/日本.csv") == "data"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "evaluation.unreadable"),
        (b"{", "evaluation.unreadable"),
        (b'{"name": "x"}', "evaluation.unreadable"),
        (b"[" * 100_000, "evaluation.unreadable"),
    ],
)
def test_that_what_is_none_is_refused_in_words(tmp_path, content, code):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StudioError) as refused:
        read_evaluation(path)
    assert refused.value.finding.code == code


def test_that_a_newer_one_is_left_alone(tmp_path):
    path = write_evaluation(tmp_path, replace(WHOLE, form=2))
    with pytest.raises(StudioError) as refused:
        read_evaluation(path)
    assert refused.value.finding.code == "evaluation.newer"


def test_that_a_runs_evaluations_are_told_latest_first_without_damaged_ones(tmp_path):
    assert evaluations_in(tmp_path) == []
    for at, name in enumerate(("first", "second")):
        path = write_evaluation(tmp_path / FOLDER, replace(WHOLE, name=name))
        os.utime(path, (at, at))
    (tmp_path / FOLDER / "broken.json").write_text("{")
    kept = evaluations_of(tmp_path)
    assert [each.evaluation.name for each in kept] == ["second", "first"]
    assert kept[0].page == tmp_path / FOLDER / "second.html"
