"""A run is begun beside another one only with a word about it."""

from pathlib import Path

import pytest

from studio import cli
from studio.cli import commands, engine_run
from studio.domain.errors import ExitCode
from studio.domain.finding import Severity
from studio.services import runs_beside as module
from studio.services.project_store import ensure_example
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import held
from tests.services.conftest import fake_engine


@pytest.fixture(autouse=True)
def example(home):
    module._runs.cache_clear()
    yield ensure_example()
    module._runs.cache_clear()


def test_that_a_run_which_trains_is_told(example):
    run = example.new_run(example.recipe)
    with held(run):
        (finding,) = module.runs_beside()
    assert run.name in finding.what
    assert finding.severity is Severity.WARNING


def test_that_a_run_which_is_over_is_not(example):
    with held(example.new_run(example.recipe)):
        pass
    assert module.runs_beside() == ()


def test_that_training_from_a_terminal_says_so_and_goes_on(
    example, monkeypatch, capsys
):
    def command(_verb, path, *_):
        return fake_engine("normal", RunDirectory(Path(path)))

    monkeypatch.setattr(engine_run, "engine_command", command)
    monkeypatch.setattr(commands, "refuse_errors", lambda _recipe: ())
    other = example.new_run(example.recipe)
    recipe = str(example.directory / "recipe.toml")
    with held(other):
        assert cli.main(["train", recipe]) == ExitCode.OK
    assert f"{other.name} trains" in capsys.readouterr().err
