import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe import Recipe
from studio.protocol.codec import encode
from studio.protocol.events import (
    CheckpointSaved,
    EngineEvent,
    Hello,
    LogLine,
    RunFinished,
    StepFinished,
    Warned,
)
from studio.storage import recipes, run_directory
from studio.storage.disk import disk_refusal
from studio.storage.run_directory import RunDirectory

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

moments = st.integers(0, 10**6).map(lambda s: NOON + timedelta(milliseconds=s))
events: st.SearchStrategy[EngineEvent] = st.one_of(
    st.builds(LogLine, at=moments, level=st.just("info"), text=st.text()),
    st.builds(CheckpointSaved, at=moments, step=st.integers(0, 9), path=st.text()),
    st.builds(
        StepFinished,
        at=moments,
        step=st.integers(1, 99),
        total=st.just(99),
        epoch=st.just(0.5),
        loss=st.floats(0, 10),
        lr=st.floats(0, 1),
    ),
)


@given(st.lists(events, min_size=1, max_size=8), st.data())
def test_that_a_journal_cut_anywhere_yields_the_first_events(
    tmp_path_factory, told, data
):
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    whole = b"".join(encode(event) for event in told)
    cut = data.draw(st.integers(0, len(whole)))
    directory.journal_path.write_bytes(whole[:cut])
    found = list(directory.events())
    assert found == told[: len(found)]
    assert len(found) == whole[:cut].count(b"\n")


@given(st.lists(events, min_size=1, max_size=8), st.data())
def test_that_a_journal_read_in_two_parts_yields_every_event_once(
    tmp_path_factory, told, data
):
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    whole = b"".join(encode(event) for event in told)
    cut = data.draw(st.integers(0, len(whole)))
    directory.journal_path.write_bytes(whole[:cut])
    first, offset = directory.events_from(0)
    directory.journal_path.write_bytes(whole)
    second, end = directory.events_from(offset)
    assert [*first, *second] == told
    assert end == len(whole)


def test_that_a_damaged_line_is_told_and_hides_no_other(tmp_path):
    directory = RunDirectory(tmp_path)
    last = RunFinished(adapter="adapter", steps=1)
    hello = Hello(protocol=1, verb="train", pid=1, started_at=1.0)
    lines = [encode(hello), b"\xff{torn\n", b'{"event":"unheard-of"}\n', encode(last)]
    directory.journal_path.write_bytes(b"".join(lines))
    first, *damaged, end = list(directory.events())
    assert (first, end) == (hello, last)
    assert [event.finding.code for event in damaged if isinstance(event, Warned)] == [
        "journal.line",
        "journal.line",
    ]


def test_that_a_run_without_a_journal_has_no_events(tmp_path):
    assert list(RunDirectory(tmp_path).events()) == []


def test_that_a_journal_that_can_t_be_read_is_told(tmp_path):
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(StudioError) as refused:
        list(RunDirectory(tmp_path).events())
    assert refused.value.finding.code == "disk.unreadable"


def test_that_runs_are_numbered_behind_the_highest(tmp_path):
    first = RunDirectory.create(tmp_path / "runs", "Cheese Monger", Recipe())
    (tmp_path / "runs" / "cheese-monger-7").mkdir()
    (tmp_path / "runs" / "cheese-monger-9x").mkdir()
    second = RunDirectory.create(tmp_path / "runs", "Cheese Monger", Recipe())
    assert (first.name, second.name) == ("cheese-monger-1", "cheese-monger-8")


def test_that_a_new_run_holds_its_recipe_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = Recipe().with_value("data.path", "chats.jsonl")
    run = RunDirectory.create(tmp_path / "runs", "a", recipe)
    assert run.read_recipe().data.path == str(tmp_path / "chats.jsonl")


def test_that_a_run_whose_recipe_can_t_be_written_leaves_no_folder(
    tmp_path, monkeypatch
):
    def refuse(path, _recipe):
        raise disk_refusal(OSError(28, "No space left on device"), path)

    monkeypatch.setattr(run_directory, "save_recipe", refuse)
    with pytest.raises(StudioError, match="no space left") as refused:
        RunDirectory.create(tmp_path, "a", Recipe())
    assert refused.value.exit_code == ExitCode.DISK
    assert list(tmp_path.iterdir()) == []
    assert recipes.save_recipe is not refuse


@pytest.mark.parametrize("exists", [True, False])
def test_that_a_run_can_lie_in_a_folder_of_its_own(exists, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if exists:
        (tmp_path / "a" / "b").mkdir(parents=True)
    recipe = Recipe().with_value("data.path", "chats.jsonl")
    run = RunDirectory.create_at(Path("a") / "b", recipe)
    assert run.path == tmp_path / "a" / "b"
    assert [each.name for each in run.path.iterdir()] == ["recipe.toml"]
    assert run.read_recipe().data.path == str(tmp_path / "chats.jsonl")
    assert RunDirectory.at(run.path) == run


def test_that_a_folder_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run = RunDirectory.create_at(Path("~/mine"), Recipe())
    assert run.path == tmp_path / "mine"


def test_that_a_folder_with_files_does_not_become_a_run(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear you")
    with pytest.raises(StudioError, match="files in this folder") as refused:
        RunDirectory.create_at(tmp_path, Recipe())
    assert refused.value.exit_code == ExitCode.BAD_INPUT
    assert refused.value.finding.code == "run.folder-taken"
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_that_a_file_does_not_become_a_run(place, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StudioError) as refused:
        RunDirectory.create_at(tmp_path / place, Recipe())
    assert refused.value.exit_code == ExitCode.DISK


def test_that_runs_under_a_file_are_refused(tmp_path):
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(StudioError) as refused:
        RunDirectory.create(tmp_path / "runs", "a", Recipe())
    assert refused.value.exit_code == ExitCode.DISK


def test_that_programs_making_runs_at_once_get_different_ones(tmp_path):
    make = (
        "import sys; from pathlib import Path;"
        "from studio.domain.recipe import Recipe;"
        "from studio.storage.run_directory import RunDirectory;"
        "sys.stdin.readline();"
        "[print(RunDirectory.create(Path(sys.argv[1]), 'r', Recipe()).name)"
        " for _ in range(20)]"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", make, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    names = [name for maker in makers for name in maker.communicate()[0].split()]
    assert sorted(names) == sorted(f"r-{number}" for number in range(1, 41))


def test_that_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(StudioError, match="no run"):
        RunDirectory.at(tmp_path)


def test_that_a_runs_parts_lie_where_the_glossary_says(tmp_path):
    run = RunDirectory(tmp_path)
    parts = [
        run.recipe_path,
        run.journal_path,
        run.machine_path,
        run.log_path,
        run.checkpoints_path,
        run.adapter_path,
        run.merged_path,
    ]
    assert [part.relative_to(tmp_path).as_posix() for part in parts] == [
        "recipe.toml",
        "events.jsonl",
        "machine.jsonl",
        "log.txt",
        "checkpoints",
        "adapter",
        "merged",
    ]
