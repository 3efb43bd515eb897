"""`snugtune resume --when-free` in the terminal, its engines and its machine played."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from studio import cli
from studio.cli import engine_run, resuming
from studio.cli.going_on import resume_command, ways_on
from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error
from studio.domain.hardware import GIB
from studio.domain.run import RunState
from studio.services.project_store import ensure_example
from studio.services.run_journal import snapshot_of
from studio.storage.recipes import save_recipe
from studio.storage.run_directory import RunDirectory
from tests.services.conftest import fake_engine
from tests.services.test_run_wait import paused
from tests.ui.desks import reading_without_card

ENOUGH = reading_without_card(12.0)
FULL = replace(ENOUGH, ram_available_bytes=GIB // 8)


@pytest.fixture
def run(home):
    return paused(ensure_example(), reserved=None)


class Played:
    """A machine and a clock: a reading a minute, the last one for ever."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.now = 0.0

    def read(self):
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]

    def sleep(self, _seconds):
        self.now += 20.0

    def wait(self, run, minutes=2.0):
        clock = lambda: self.now  # noqa: E731
        hold = minutes * 60
        return resuming.wait_until_free(run, hold, self.read, clock, self.sleep)


@pytest.fixture
def engines(monkeypatch):
    """The command lines of the engines that were started; each ends well."""
    started = []

    def command(verb, path, *options):
        started.append((verb, *options))
        return [*fake_engine("normal", RunDirectory(Path(path)))]

    monkeypatch.setattr(engine_run, "engine_command", command)
    return started


def test_that_the_wait_ends_when_memory_has_been_free(run, capsys):
    played = Played(ENOUGH)
    with played.wait(run):
        assert played.now == 120.0
    said = capsys.readouterr().err
    assert f"{run.name} goes on when " in said
    assert "have been free for 2 min 0 s. Ctrl+C ends the wait" in said
    assert "Free without a break 50%  1 min 0 s left" in said


def test_that_a_break_is_told_and_begins_the_wait_anew(run, capsys):
    played = Played(ENOUGH, ENOUGH, ENOUGH, FULL, ENOUGH)
    with played.wait(run):
        assert played.now == 180.0
    said = capsys.readouterr().err.splitlines()
    broken = next(n for n, line in enumerate(said) if line.startswith("Waits for "))
    assert said[broken - 1] == "Free without a break 17%  1 min 40 s left"
    assert said[broken].endswith(" on A processor.")
    assert said[broken + 1] == "Free without a break 0%  free now: 0.12 GiB"
    assert " are free on A processor." in said[broken + 2]


def test_that_the_run_then_goes_on_as_ever(run, engines, monkeypatch, capsys):
    monkeypatch.setattr(
        resuming, "wait_until_free", lambda *given: asked.append(given) or ExitStack()
    )
    asked = []
    given = ["resume", run.name, "--when-free", "--minutes", "3", "--accept-changes"]
    assert cli.main(given) == ExitCode.OK
    ((directory, hold_s, _read),) = asked
    assert (directory.path, hold_s) == (run.path, 180.0)
    assert engines == [("train", "--resume", "--accept-changes")]
    assert snapshot_of(run).state is RunState.FINISHED


def test_that_the_terminal_names_the_flag_that_accepts_changes(
    run, monkeypatch, capsys
):
    def command(_verb, path, *options):
        return [*fake_engine("changed", RunDirectory(Path(path))), *options]

    monkeypatch.setattr(engine_run, "engine_command", command)
    assert cli.main(["resume", run.name]) == ExitCode.BAD_INPUT
    wanted = "snugtune resume does so with --accept-changes."
    assert wanted in " ".join(capsys.readouterr().err.split())
    assert cli.main(["show", run.name]) == ExitCode.OK
    told = capsys.readouterr()
    assert wanted in " ".join(told.err.split())
    assert f"snugtune resume {run.name} goes on." in told.out


def test_that_the_terminal_says_how_a_changed_recipe_is_gone_on_by(
    run, monkeypatch, capsys
):
    def command(_verb, path, *options):
        return [*fake_engine("fated", RunDirectory(Path(path))), *options]

    monkeypatch.setattr(engine_run, "engine_command", command)
    run.path.joinpath("fate").write_text("breaks down")
    for given in (["resume", run.name], ["show", run.name]):
        cli.main(given)
        said = capsys.readouterr().out
        wanted = f"snugtune resume {run.name} --accept-changes goes on by it."
        assert f"Once {run.recipe_path} is changed, {wanted}" in said


def test_that_ten_minutes_are_waited_for_unless_told(run, engines, monkeypatch):
    asked = []
    monkeypatch.setattr(
        resuming, "wait_until_free", lambda *given: asked.append(given) or ExitStack()
    )
    assert cli.main(["resume", run.name, "--when-free"]) == ExitCode.OK
    assert asked[0][1] == 600.0


def test_that_nothing_is_waited_for_unasked(run, engines, monkeypatch):
    monkeypatch.setattr(resuming, "wait_until_free", None)
    assert cli.main(["resume", run.name]) == ExitCode.OK
    assert engines == [("train", "--resume")]


def test_that_ctrl_c_leaves_the_run_as_it_is(run, engines, monkeypatch, capsys):
    def interrupted(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(resuming, "wait_until_free", interrupted)
    before = run.journal_path.read_bytes()
    assert cli.main(["resume", run.name, "--when-free"]) == ExitCode.PAUSED
    assert "was not gone on with" in capsys.readouterr().err
    assert (engines, run.journal_path.read_bytes()) == ([], before)


def test_that_the_real_machine_is_read(run, engines, capsys):
    given = ["resume", run.name, "--when-free", "--minutes", "0", "--json"]
    assert cli.main(given) == ExitCode.OK
    assert engines == [("train", "--resume")]


def test_that_minutes_without_a_wait_are_refused(run, engines, capsys):
    code = cli.main(["resume", run.name, "--minutes", "3"])
    assert code == ExitCode.BAD_INPUT
    assert "Add --when-free" in capsys.readouterr().err
    assert engines == []


def test_that_a_run_gone_on_with_elsewhere_ends_the_wait(run):
    played = Played(FULL)

    def elsewhere(_seconds):
        with run.journal_path.open("ab") as journal:
            journal.write(b"\n")

    played.sleep = elsewhere
    with pytest.raises(StudioError, match="so the wait is over"):
        played.wait(run)


def test_that_a_run_is_gone_on_with_in_less_memory_by_a_flag(run, engines):
    assert cli.main(["resume", run.name, "--save-memory"]) == ExitCode.OK
    assert engines == [("train", "--resume", "--save-memory")]


@pytest.mark.parametrize(
    ("kind", "begins"), [("card.index", "Once that is mended, "), ("card.lost", "")]
)
def test_that_what_going_on_meets_again_is_to_be_mended_first(kind, begins, run):
    failed = replace(snapshot_of(run), failure=error(kind, "So."))
    assert ways_on(failed)[0] == f"{begins}{resume_command(run)} goes on."


def with_rows(run, rows):
    """Rewrite a run's recipe so that it takes so many rows at a time and recomputes."""
    values = {"train.micro_batch": rows, "train.checkpointing": True}
    save_recipe(run.recipe_path, run.read_recipe().with_values(values))
    return replace(snapshot_of(run), state=RunState.LOST)


def test_that_a_lost_run_names_the_way_on_in_less_memory_and_what_it_changes(run):
    lost = with_rows(run, 8)
    less = f"snugtune resume {run.name} --save-memory"
    assert ways_on(lost)[1] == (
        f"If memory ran out, {less} takes 4 rows at a time instead of 8, twice as "
        "often; it learns the same."
    )
    assert not any(less in way for way in ways_on(snapshot_of(run)))


def test_that_no_way_on_is_named_that_leads_nowhere(run):
    assert len(ways_on(with_rows(run, 1))) == 1
