"""`snugtune evaluate`: what it asks of the engine, and what it says."""

import json
from dataclasses import replace

import pytest

from studio.cli import evaluating, main
from studio.domain.errors import ExitCode
from studio.domain.evaluation import BASE, TUNED, Change, Figure, Measure, Voice
from studio.protocol.evaluation_events import Evaluated
from studio.storage.evaluations import FOLDER, write_evaluation
from tests.engine.helpers import new_run, recipe_for
from tests.unit.test_domain_evaluation import evaluation

TOLD = evaluation(
    loss=(Figure(3.0), Figure(2.0, Change(-1.0, -1.5, -0.5))),
    exact_match=(Figure(0.1), Figure(0.2, Change(0.1, -0.1, 0.3))),
)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A run, and an engine that keeps a report in it."""
    run = new_run(tmp_path / "runs", recipe_for("model", "data.jsonl"))
    asked = []

    def found(verb, *arguments, listener):
        asked.append((verb, *arguments))
        path = write_evaluation(run.path / FOLDER, TOLD)
        return Evaluated(report=str(path), page=str(path.with_suffix(".html")))

    monkeypatch.setattr(evaluating, "run_engine", found)
    return run, asked


def test_that_the_table_sets_tuned_beside_base(measured, capsys):
    run, asked = measured
    assert main(["evaluate", str(run.path)]) == ExitCode.OK
    bare = ("--rows", "0", "--max-new-tokens", "128")
    assert asked == [("evaluate", str(run.path), *bare)]
    said = capsys.readouterr().out
    assert "run-1 on the run’s own held-out rows: 20 inputs\n" in said
    assert "Loss         3.000   2.000   −1.000 (−1.500 to −0.500): better" in said
    shares = "10.0 %  20.0 %  +10.0 (−10.0 to +30.0) points: no difference shown"
    assert f"Exact match  {shares}" in said
    assert f"Report  {run.path / FOLDER / 'held-out.html'}" in said
    assert "no difference is judged" not in said


def test_that_every_option_reaches_the_engine(measured, tmp_path, capsys):
    run, asked = measured
    words = [
        *("--data", "rows.csv", "--columns", "question=mr", "--columns", "answer=ref"),
        *("--rows", "9", "--also", "step-4", "--max-new-tokens", "7", "--lowercase"),
        *("--out", str(tmp_path / "out"), "--json"),
    ]
    assert main(["evaluate", str(run.path), *words]) == ExitCode.OK
    assert asked[0][2:] == (
        *("--rows", "9", "--max-new-tokens", "7", "--data", "rows.csv"),
        *("--columns=question=mr", "--columns=answer=ref", "--also=step-4"),
        *("--out", str(tmp_path / "out"), "--lowercase"),
    )
    told = json.loads(capsys.readouterr().out)
    assert told["voices"][1]["figures"]["loss"]["value"] == 2.0


def test_that_few_inputs_are_told_and_further_voices_have_columns(
    measured, monkeypatch, capsys
):
    run, _ = measured
    few = {Measure.LOSS: Figure(2.5, Change(-0.5))}
    voices = (*TOLD.voices, Voice("step-4", "step-4", few))
    told = replace(TOLD, inputs=8, voices=voices)
    monkeypatch.setitem(globals(), "TOLD", told)
    assert main(["evaluate", str(run.path)]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "Base    Tuned   against base" in said
    assert "2.500   −0.500: too few rows to tell" in said
    assert "Below 20 inputs no difference is judged." in said


def test_that_show_tells_the_evaluations_of_a_run(measured, capsys):
    run, _ = measured
    write_evaluation(run.path / FOLDER, TOLD)
    assert main(["show", str(run.path)]) == ExitCode.OK
    assert "held-out: Loss 3.000 → 2.000, better" in capsys.readouterr().out
    assert main(["show", str(run.path), "--json"]) == ExitCode.OK
    (told,) = json.loads(capsys.readouterr().out)["evaluations"]
    assert told["figures"]["exact_match"] == {BASE: 0.1, TUNED: 0.2}
    assert told["report"] == str(run.path / FOLDER / "held-out.json")
    assert told["data"] is None
