"""What the documents say of exit codes is so, its engines played."""

import re
import threading
import time
from pathlib import Path

import pytest

from studio import cli
from studio.cli import commands, engine_run, queue
from studio.domain.errors import EXIT_CODES, ExitCode
from studio.protocol.commands import Pause
from studio.protocol.events import StepFinished
from studio.services import ordering
from studio.services.engine_process import EngineProcess
from studio.services.library import all_runs
from studio.services.process_outcome import CANCELLED, Ordered
from studio.services.project_store import ensure_example
from studio.services.run_journal import snapshot_of
from studio.services.run_queue import RunQueue
from studio.storage.run_directory import RunDirectory
from tests.services.conftest import fake_engine

README = Path(__file__).parents[2] / "README.md"
WAITS = "wait"


def told_in(text):
    """Codes by number, with the words behind each."""
    line = text[text.index("Exit codes: ") :].partition("\n")[0]
    return dict(re.findall(r"[ (](\d+) ([a-z][^,.(]+)", line))


@pytest.mark.parametrize("text", [EXIT_CODES, README.read_text("utf-8")])
def test_that_the_documents_name_every_exit_code(text):
    told = told_in(text)
    assert {int(number) for number in told} == set(map(int, ExitCode))


def test_that_help_and_readme_say_the_same_of_each():
    readme = told_in(README.read_text("utf-8"))
    shared = {k: words.strip() for k, words in told_in(EXIT_CODES).items()}
    assert {k: words.strip() for k, words in readme.items()} == shared


@pytest.fixture
def recipe(home):
    return str(ensure_example().directory / "recipe.toml")


@pytest.fixture
def fates(monkeypatch):
    """How the next engines end."""
    coming = []

    def command(_verb, path, *_):
        Path(path, "fate").write_text(coming.pop(0))
        return fake_engine("fated", RunDirectory(Path(path)))

    monkeypatch.setattr(engine_run, "engine_command", command)
    for module in (commands, queue):
        monkeypatch.setattr(module, "refuse_errors", lambda _recipe: ())
    return coming


@pytest.fixture
def elsewhere():
    """Does a deed to the only run beside the command that trains it."""
    begun = []

    def arrange(deed):
        def wait():
            for _ in range(1_000):
                if all_runs():
                    break
                time.sleep(0.02)
            deed(all_runs()[0])

        begun.append(threading.Thread(target=wait))
        begun[-1].start()

    yield arrange
    for thread in begun:
        thread.join()


def pause(run):
    ordering.order(run, Pause())


@pytest.mark.parametrize(
    ("fate", "code"),
    [
        ("finish", ExitCode.OK),
        ("disk full", ExitCode.DISK),
        ("breaks down", ExitCode.NON_FINITE),
        ("card lost", ExitCode.FAILED),
        ("crashes", ExitCode.FAILED),
        ("beyond", ExitCode.FAILED),
        ("crash", ExitCode.FAILED),
    ],
)
def test_that_a_command_exits_by_how_its_run_ended(fate, code, recipe, fates):
    fates += [fate]
    assert cli.main(["train", recipe]) == code


def test_that_a_run_whose_card_was_lost_can_be_gone_on_with(recipe, fates):
    fates += ["card lost", "finish"]
    assert cli.main(["train", recipe]) == ExitCode.FAILED
    assert cli.main(["resume", all_runs()[0].name]) == ExitCode.OK


def test_that_a_run_that_ctrl_c_ended_by_force_is_known_as_cancelled(
    recipe, fates, elsewhere, monkeypatch
):
    starts = EngineProcess.start

    def started(engine):
        starts(engine)
        begun.append(engine)

    def interrupt_twice(run):
        while not any(isinstance(event, StepFinished) for event in run.events()):
            time.sleep(0.02)
        begun[0].ordered = Ordered.TERMINATE
        begun[0].terminate()

    begun = []
    monkeypatch.setattr(EngineProcess, "start", started)
    fates += [WAITS]
    elsewhere(interrupt_twice)
    assert cli.main(["train", recipe]) == ExitCode.FAILED
    assert snapshot_of(all_runs()[0]).failure.code == CANCELLED


@pytest.mark.parametrize(
    ("deed", "code"),
    [(ordering.cancel, ExitCode.FAILED), (pause, ExitCode.PAUSED)],
)
def test_that_a_command_exits_by_what_was_ordered_elsewhere(
    deed, code, recipe, fates, elsewhere
):
    fates += [WAITS]
    elsewhere(deed)
    assert cli.main(["train", recipe]) == code


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (["finish", "finish"], ExitCode.OK),
        (["card lost", "finish"], ExitCode.FAILED),
        (["beyond", "finish"], ExitCode.FAILED),
        (["disk full", "finish"], ExitCode.FAILED),
        (["crash", "finish"], ExitCode.FAILED),
    ],
)
def test_that_a_queue_exits_by_the_worst_of_its_runs(ends, code, recipe, fates):
    cli.main(["queue", "add", recipe, "--sweep", "train.seed=1,2"])
    fates += ends
    assert cli.main(["queue", "run"]) == code
    assert RunQueue().read().runs == ()


def test_that_a_run_paused_by_hand_is_no_failure_of_a_queue(recipe, fates, elsewhere):
    cli.main(["queue", "add", recipe])
    fates += [WAITS]
    elsewhere(pause)
    assert cli.main(["queue", "run"]) == ExitCode.OK
