"""`snugtune verify`: what it says, to people and programs, and which run it asks."""

import json

import pytest

from studio.cli import main, verifying
from studio.domain.errors import ExitCode, StudioError
from studio.protocol.export_events import ParityMeasured
from studio.storage.artefacts import ORIGIN, Origin, read_origin, write_origin
from tests.engine.helpers import new_run, recipe_for

TOLD = {
    "proven": False,
    "findings": [{"code": "parity.ends", "what": "It doesn’t end.", "why": "Why."}],
    "distance": {
        "agreement": 0.5,
        "tokens": 1200,
        "mean_kl": None,
        "trained_perplexity": 3.0,
        "exported_perplexity": 4.5,
    },
    "learnt": {"mean_kl": 1.25},
    "as_trained": {"mean_kl": 0.094},
    "answers": [{"prompt": "?", "trained": "a", "exported": "b"}],
    "reader": "transformers",
}


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A folder with a report, and an engine that found what it says."""
    told = dict(TOLD)

    def found(verb, *arguments, listener):
        asked.append((verb, *arguments))
        (tmp_path / "parity.json").write_text(json.dumps(told))
        return ParityMeasured(
            path=str(tmp_path),
            report=str(tmp_path / "parity.html"),
            is_proven=told["proven"],
            agreement=0.5,
            mean_kl=None,
        )

    asked = []
    monkeypatch.setattr(verifying, "run_engine", found)
    run = new_run(tmp_path / "runs", recipe_for("model", "data.jsonl"))
    return tmp_path, run, told, asked


def test_that_a_wrong_export_is_told_and_has_an_exit_code(export, capsys):
    folder, run, _, asked = export
    code = main(["verify", str(folder), "--run", str(run.path)])
    assert code == ExitCode.DIFFERENT
    assert asked == [("verify", str(folder), "--run", str(run.path))]
    said = capsys.readouterr().out
    assert "It doesn’t say what was trained:\n  It doesn’t end. Why.\n" in said
    assert "Same next token      50.00% of 1,200" in said
    assert "Divergence           no number" in said
    assert "Learnt in training   1.2 nats a token" in said
    assert "Quantised base       0.094 nats a token" in said
    assert "Perplexity           3.000 trained, 4.500 exported" in said
    assert "Same answers         0 of 1" in said
    assert "Run by               transformers" in said


def test_that_a_proven_export_is_told(export, capsys):
    folder, run, told, _ = export
    told |= {"proven": True, "findings": [], "as_trained": None}
    assert main(["verify", str(folder), "--run", str(run.path)]) == ExitCode.OK
    said = capsys.readouterr().out
    assert said.startswith("It says what was trained.\n")
    assert "Quantised base" not in said


def test_that_programs_get_the_whole_report(export, capsys):
    folder, run, told, _ = export
    code = main(["verify", str(folder), "--run", str(run.path), "--json"])
    assert code == ExitCode.DIFFERENT
    assert json.loads(capsys.readouterr().out) == told


def test_that_a_folder_names_its_run(export):
    folder, run, _, asked = export
    write_origin(folder, Origin(str(run.path), "bf16", "0" * 64))
    main(["verify", str(folder)])
    assert asked[0][-1] == str(run.path)


@pytest.mark.parametrize("content", [None, "", "[]", '{"run": "one"}', "[" * 9999])
def test_that_a_folder_that_names_none_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / ORIGIN).write_text(content)
    with pytest.raises(StudioError) as refused:
        read_origin(tmp_path)
    assert refused.value.finding.code == "parity.no-origin"
    assert main(["verify", str(tmp_path)]) == ExitCode.BAD_INPUT


def test_that_a_run_that_no_project_has_is_asked_for_by_its_folder(export, capsys):
    folder, _, _, asked = export
    write_origin(folder, Origin("both", "bf16", "0" * 64))
    assert main(["verify", str(folder)]) == ExitCode.BAD_INPUT
    said = " ".join(capsys.readouterr().err.split())
    assert "made from both" in said
    assert "--run DIR" in said
    assert asked == []
