"""`snugtune export`: what it asks of the engine, what it says, how it ends."""

import json

import pytest

from studio.cli import exporting, main
from studio.domain.errors import ExitCode
from studio.protocol.event_parts import Told
from studio.protocol.export_events import Artefact, Exported
from tests.engine.helpers import new_run, recipe_for
from tests.unit.test_cli_verifying import TOLD

WRONG = Told(code="parity.ends", severity="error", what="It doesn’t end.")


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """An engine that made what `made` says, and what it was asked."""
    made, asked = [], []

    def found(verb, *arguments, listener):
        asked.append((verb, *arguments))
        return Exported(path=str(tmp_path / "out"), artefacts=made)

    monkeypatch.setattr(exporting, "run_engine", found)
    run = new_run(tmp_path / "runs", recipe_for("model", "data.jsonl"))
    (tmp_path / "parity.json").write_text(json.dumps(TOLD))
    return tmp_path, run, made, asked


def merged(folder, *, is_proven):
    return Artefact(
        kind="merged",
        form="bf16",
        path=str(folder / ("merged" if is_proven else "merged-differs")),
        size_bytes=3,
        is_proven=is_proven,
        report=str(folder / "parity.html"),
        findings=[] if is_proven else [WRONG],
    )


def adapter(folder):
    path = str(folder / "adapter")
    return Artefact(kind="adapter", form="", path=path, size_bytes=2)


def test_that_all_is_exported_unless_something_is_named(engine):
    folder, run, made, asked = engine
    made += [adapter(folder), merged(folder, is_proven=True)]
    code = main(["export", str(run.path), "--out", str(folder / "out")])
    assert code == ExitCode.OK
    out = ("--out", str(folder / "out"), "--dtype", "bf16")
    (words,) = asked
    assert words[:6] == ("export", str(run.path), *out)
    assert words[6:10] == ("--to", "adapter", "--to", "merged")


def test_that_options_reach_the_engine(engine):
    folder, run, _, asked = engine
    given = ["--to", "merged", "--dtype", "fp32", "--overwrite", "--even-if-different"]
    main(["export", str(run.path), "--out", str(folder), *given])
    (words,) = asked
    assert words[4:] == (
        "--dtype",
        "fp32",
        "--to",
        "merged",
        "--overwrite",
        "--even-if-different",
    )


def test_that_several_forms_reach_the_engine(engine):
    folder, run, _, asked = engine
    given = ["--to", "gguf:q8_0", "--to", "gguf:f16"]
    main(["export", str(run.path), "--out", str(folder), *given])
    (words,) = asked
    assert words[6:] == ("--to", "gguf:f16", "--to", "gguf:q8_0")


def test_that_a_proven_export_is_told(engine, capsys):
    folder, run, made, _ = engine
    made += [adapter(folder), merged(folder, is_proven=True)]
    assert main(["export", str(run.path), "--out", str(folder)]) == ExitCode.OK
    said = capsys.readouterr().out
    assert f"Adapter              {folder / 'adapter'}\n" in said
    assert f"Merged model         {folder / 'merged'}\n" in said
    assert "  It says what was trained.\n" in said
    assert "  Same next token    50.00% of 1,200\n" in said
    assert f"  Certificate        {folder / 'parity.html'}\n" in said


def test_that_an_export_that_differs_has_an_exit_code(engine, capsys):
    folder, run, made, _ = engine
    made += [merged(folder, is_proven=False)]
    code = main(["export", str(run.path), "--out", str(folder), "--json"])
    assert code == ExitCode.DIFFERENT
    told = json.loads(capsys.readouterr().out)
    (artefact,) = told["artefacts"]
    assert artefact["proven"] is False
    assert artefact["path"].endswith("merged-differs")
    assert artefact["findings"][0]["what"] == "It doesn’t end."
    assert artefact["figures"]["Same next token"] == "50.00% of 1,200"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--to", "sculpture"), "No plug-in that exports to sculpture is installed."),
        (("--to", "gguf:round"), "GGUF has no form “round”."),
        (("--dtype", "int3"), "“int3” is no format of merged weights."),
    ],
)
def test_that_what_nobody_makes_is_refused_before_the_engine(
    engine, capsys, given, said
):
    folder, run, _, asked = engine
    code = main(["export", str(run.path), "--out", str(folder), *given])
    assert code == ExitCode.BAD_INPUT
    assert asked == []
    assert said in " ".join(capsys.readouterr().err.split())
