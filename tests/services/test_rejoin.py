"""Runs that outlived the window which started them."""

import json
import os
from contextlib import ExitStack

import psutil
import pytest

from studio.domain.recipe import Recipe
from studio.services.project_store import create_project
from studio.services.rejoin import lives_elsewhere, living_run, project_of
from studio.storage.run_lock import held, led


@pytest.fixture
def engines():
    """What the engines of a test hold."""
    with ExitStack() as locks:
        yield locks


def begin(run, engines=None):
    """Let a run be trained, by this very process."""
    if engines is not None:
        engines.enter_context(held(run))
    hello = {
        "event": "hello",
        "at": "2026-01-01T00:00:00Z",
        "protocol": 1,
        "verb": "train",
        "pid": os.getpid(),
        "started_at": psutil.Process().create_time(),
    }
    run.journal_path.write_text(json.dumps(hello) + "\n", encoding="utf-8")


def end(run) -> None:
    finished = {
        "event": "finished",
        "at": "2026-01-01T00:01:00Z",
        "adapter": "adapter",
        "steps": 1,
    }
    with run.journal_path.open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(finished) + "\n")


def runs_of(project, count=3):
    """Runs, each begun a minute behind the one before; the newest last."""
    made = [project.new_run(Recipe()) for _ in range(count)]
    for age, run in enumerate(reversed(made)):
        began = run.recipe_path.stat().st_mtime - 60 * age
        os.utime(run.recipe_path, (began, began))
    return made


def test_that_nothing_lives_where_nothing_was_begun():
    project = create_project("Notes")
    assert living_run(project.directory) is None
    runs_of(project)
    assert living_run(project.directory) is None
    assert living_run(None) is None


def test_that_a_run_is_found_while_its_engine_lives(engines):
    project = create_project("Notes")
    run = project.new_run(Recipe())
    begin(run, engines)
    assert living_run(project.directory) == run
    end(run)
    assert living_run(project.directory) is None


def test_that_a_run_lives_behind_later_ones_that_are_over(engines):
    project = create_project("Notes")
    oldest, older, newer, newest = runs_of(project, 4)
    for run in (oldest, older):
        begin(run, engines)
    for run in (newer, newest):
        begin(run)
        end(run)
    assert living_run(project.directory) == older


def test_that_a_run_is_found_before_its_engine_has_said_a_word():
    project = create_project("Notes")
    run = project.new_run(Recipe())
    with led(run):
        assert living_run(project.directory) == run
    assert living_run(project.directory) is None


def test_that_a_project_s_own_run_goes_before_a_newer_one_of_another(engines):
    own, other = create_project("Notes"), create_project("Other")
    mine, _ = runs_of(own, 2)
    theirs = other.new_run(Recipe())
    for run in (mine, theirs):
        begin(run, engines)
    assert living_run(own.directory) == mine
    end(mine)
    assert living_run(own.directory) == theirs
    assert living_run(None) == theirs
    assert project_of(theirs) == "other"


def test_that_a_run_elsewhere_is_told_with_the_way_to_it():
    run = create_project("Support replies").new_run(Recipe())
    told = lives_elsewhere(run)
    assert "support-replies-1 of the project “Support replies”" in told.what
    assert "Choose Support replies" in told.how_to_fix
