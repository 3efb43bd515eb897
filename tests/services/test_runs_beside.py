"""A run is begun beside another one only with a word about it."""

from pathlib import Path
from threading import Event
from time import sleep

import pytest

from studio import cli
from studio.cli import commands, engine_run
from studio.domain.errors import ExitCode
from studio.domain.finding import Severity
from studio.services.project_store import ensure_example
from studio.services.runs_beside import Lately, runs_beside
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import held
from tests.services.conftest import fake_engine


@pytest.fixture
def example(home):
    return ensure_example()


def test_that_a_run_which_trains_is_told(example):
    run = example.new_run(example.recipe)
    with held(run):
        (finding,) = runs_beside()
    assert run.name in finding.what
    assert finding.severity is Severity.WARNING


def test_that_a_run_which_is_over_is_not(example):
    with held(example.new_run(example.recipe)):
        pass
    assert runs_beside() == ()


def test_that_a_window_is_told_without_waiting(monkeypatch):
    answers, may_look, looked = [("a",), ("b",)], Event(), Event()

    def look():
        may_look.wait(10)
        looked.set()
        return answers.pop(0)

    lately = Lately(look)
    assert lately.found() == ()  # the look is under way
    assert lately.found() == ()
    may_look.set()
    assert looked.wait(10)
    until(lambda: lately.found() == ("a",))
    assert answers == [("b",)]  # fresh enough not to be asked for again
    monkeypatch.setattr(lately, "_due", 0.0)
    until(lambda: lately.found() == ("b",))


def until(holds):
    for _ in range(1000):
        if holds():
            return
        sleep(0.01)
    raise AssertionError("it didn't come to be")


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
