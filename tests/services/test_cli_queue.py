"""`snugtune queue` in the terminal, its engines played."""

import json
from pathlib import Path

import pytest

from studio import cli
from studio.cli import engine_run, queue, training
from studio.domain.errors import ExitCode, StudioError
from studio.services.library import all_runs
from studio.services.project_store import ensure_example
from studio.services.run_files import delete_run
from studio.services.run_queue import RunQueue, run_in_progress
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import held, is_led, led
from tests.services.conftest import fake_engine


@pytest.fixture
def recipe(home):
    return str(ensure_example().directory / "recipe.toml")


@pytest.fixture
def scenes(monkeypatch):
    """The scenes that the next engines play."""
    played = []

    def command(_verb, path, *_):
        return fake_engine(played.pop(0), RunDirectory(Path(path)))

    monkeypatch.setattr(engine_run, "engine_command", command)
    monkeypatch.setattr(queue, "refuse_errors", lambda _recipe: ())
    return played


def waiting():
    return [run.number for run in RunQueue().read().runs]


def test_that_a_sweep_fills_the_queue_and_can_be_changed(recipe, capsys):
    swept = ["--sweep", "lora.rank=8,16", "--sweep", "train.seed=1,2"]
    assert cli.main(["queue", "add", recipe, *swept, "--json"]) == ExitCode.OK
    added = json.loads(capsys.readouterr().out)
    assert [run["title"] for run in added][1] == "recipe lora.rank=8 train.seed=2"
    assert cli.main(["queue", "move", "4", "1"]) == ExitCode.OK
    assert cli.main(["queue", "remove", "2"]) == ExitCode.OK
    assert cli.main(["queue", "start-at", "1", "2099-01-01 06:00"]) == ExitCode.OK
    capsys.readouterr()
    assert cli.main(["queue", "list", "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert [run["number"] for run in told] == [4, 1, 3]
    assert told[1]["start_at"].startswith("2099-01-01T06:00")
    assert cli.main(["queue", "list"]) == ExitCode.OK
    assert "2099-01-01 06:00" in capsys.readouterr().out


def test_that_a_failed_run_does_not_hold_up_the_next(recipe, scenes, capsys):
    cli.main(["queue", "add", recipe, "--sweep", "train.seed=1,2"])
    scenes += ["fails", "normal"]
    assert cli.main(["queue", "run"]) == ExitCode.FAILED
    assert scenes == []
    assert waiting() == []
    states = [run.read_recipe().train.seed for run in all_runs()]
    assert sorted(states) == [1, 2]
    assert "No rows." in capsys.readouterr().err


def test_that_runs_are_started_in_turn(recipe, scenes, capsys):
    cli.main(["queue", "add", recipe, "--sweep", "train.seed=1,2"])
    scenes += ["normal", "normal"]
    assert cli.main(["queue", "run"]) == ExitCode.OK
    assert len(all_runs()) == 2
    assert "Starts recipe train.seed=1" in capsys.readouterr().err


def test_that_a_run_leaves_the_queue_at_its_engines_first_word(
    recipe, scenes, monkeypatch
):
    cli.main(["queue", "add", recipe, "--sweep", "train.seed=1,2"])
    scenes += ["normal", "normal"]
    left = []
    ended = training.goes_on_by_itself

    def look(*arguments):
        left.append(waiting())
        return ended(*arguments)

    monkeypatch.setattr(training, "goes_on_by_itself", look)
    assert cli.main(["queue", "run"]) == ExitCode.OK
    assert left == [[2], []]


def test_that_a_terminal_leads_its_run_until_it_ends(recipe, scenes, monkeypatch):
    cli.main(["queue", "add", recipe])
    scenes += ["normal"]
    leads = []
    monkeypatch.setattr(
        training, "goes_on_by_itself", lambda run, *_: leads.append(is_led(run))
    )
    assert cli.main(["queue", "run"]) == ExitCode.OK
    assert leads == [True]
    assert not is_led(all_runs()[0])


def test_that_a_run_between_two_engines_holds_up_the_queue():
    example = ensure_example()
    run = example.new_run(example.recipe)
    assert run_in_progress() is None
    with led(run):
        assert run_in_progress() == run
        with pytest.raises(StudioError, match="still going on"):
            delete_run(run)


def test_that_a_run_waits_while_another_trains(recipe, scenes, monkeypatch, capsys):
    example = ensure_example()
    busy = example.new_run(example.recipe)
    cli.main(["queue", "add", recipe])
    lock = held(busy)
    lock.__enter__()
    monkeypatch.setattr(queue.time, "sleep", lambda _s: lock.__exit__(None, None, None))
    scenes += ["normal"]
    assert cli.main(["queue", "run"]) == ExitCode.OK
    assert f"Waits for {busy.name} to end." in capsys.readouterr().err
    assert waiting() == []


def test_that_an_empty_queue_waits_for_nobody(home, scenes, capsys):
    example = ensure_example()
    with held(example.new_run(example.recipe)):
        assert cli.main(["queue", "run"]) == ExitCode.OK
    assert "Waits" not in capsys.readouterr().err


def test_that_an_unreadable_recipe_is_told_and_stays(recipe, scenes, capsys):
    cli.main(["queue", "add", recipe])
    folder = RunQueue()._folder
    folder.recipe_path(1).write_text("version = 99\n")
    assert cli.main(["queue", "run"]) == ExitCode.FAILED
    assert "newer Snugtune" in capsys.readouterr().err
    assert waiting() == [1]
