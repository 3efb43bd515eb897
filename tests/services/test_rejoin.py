"""Runs that outlived the window which started them."""

import json
import os

import psutil

from studio.domain.recipe import Recipe
from studio.services.project_store import create_project
from studio.services.rejoin import living_run


def begin(run, pid: int) -> None:
    hello = {
        "event": "hello",
        "at": "2026-01-01T00:00:00Z",
        "protocol": 1,
        "verb": "train",
        "pid": pid,
        "started_at": psutil.Process(pid).create_time(),
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


def test_that_a_project_without_runs_has_none_that_lives():
    assert living_run(create_project("Notes").directory) is None


def test_that_the_newest_run_is_found_while_its_engine_lives():
    project = create_project("Notes")
    run = project.new_run(Recipe())
    begin(run, os.getpid())
    assert living_run(project.directory) == run
    end(run)
    assert living_run(project.directory) is None


def test_that_another_project_s_run_is_not_taken_for_one_s_own():
    other = create_project("Other").new_run(Recipe())
    begin(other, os.getpid())
    assert living_run(create_project("Notes").directory) is None
