"""`snugtune train --run-dir`: a run in a folder of its own, its engine played."""

import json
from pathlib import Path

import pytest

from studio import cli
from studio.cli import commands, engine_run
from studio.domain.errors import ExitCode
from studio.services.library import all_runs
from studio.services.project_store import ensure_example
from studio.storage.run_directory import RunDirectory
from tests.services.conftest import fake_engine


@pytest.fixture
def recipe(home):
    return str(ensure_example().directory / "recipe.toml")


@pytest.fixture
def engines(monkeypatch):
    """Verb and folder of each engine that was started; the first one breaks off."""
    started = []

    def command(verb, path, *options):
        started.append((verb, Path(path), *options))
        Path(path, "fate").write_text("finish" if "--resume" in options else "crash")
        return [*fake_engine("fated", RunDirectory(Path(path))), *options]

    monkeypatch.setattr(engine_run, "engine_command", command)
    monkeypatch.setattr(commands, "refuse_errors", lambda _recipe: ())
    return started


def test_that_a_run_lies_where_it_was_told_to_and_is_found_there(
    recipe, engines, tmp_path, capsys
):
    folder = tmp_path / "made" / "of my own"
    given = ["train", recipe, "--run-dir", str(folder), "--set", "train.seed=7"]
    assert cli.main(given) == ExitCode.FAILED
    assert RunDirectory.at(folder).read_recipe().train.seed == 7
    capsys.readouterr()
    assert cli.main(["show", str(folder)]) == ExitCode.OK
    assert f'snugtune resume "{folder}" goes on.' in capsys.readouterr().out
    assert cli.main(["show", str(folder), "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["step"]) == ("of my own", 3)
    assert cli.main(["resume", str(folder)]) == ExitCode.OK
    assert engines == [("train", folder), ("train", folder, "--resume")]
    capsys.readouterr()
    assert cli.main(["show", str(folder), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["state"] == "finished"
    assert all_runs() == []


def test_that_a_folder_with_files_is_refused_and_left_as_it_is(
    recipe, engines, tmp_path, capsys
):
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear you")
    code = cli.main(["train", recipe, "--run-dir", str(folder)])
    assert code == ExitCode.BAD_INPUT
    said = " ".join(capsys.readouterr().err.split())
    assert "There are files in this folder already." in said
    assert engines == []
    assert [file.name for file in folder.iterdir()] == ["letter.txt"]


def test_that_a_run_of_before_is_not_trained_over(recipe, engines, tmp_path, capsys):
    given = ["train", recipe, "--run-dir", str(tmp_path / "run")]
    assert cli.main(given) == ExitCode.FAILED
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    assert cli.main(given) == ExitCode.BAD_INPUT
    assert "snugtune resume" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before
    assert len(engines) == 1
