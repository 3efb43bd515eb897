"""Some merges are killed; `tests.bench.killed_merges` kills fifty."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from studio.domain.errors import StudioError
from studio.engine.staging import resumable_folder

pytestmark = pytest.mark.torch


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_that_a_killed_merge_leaves_nothing_or_all(family):
    command = [sys.executable, "-m", "tests.bench.killed_merges", "--kills", "8"]
    command += ["--seed", "3", "--family", family]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= 8
    assert told["wrong"] == []
    assert told["saved"] > 0


class Died(BaseException):
    """In place of what ends a process from outside."""


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "out" / "merged"


def left_by_a_killed(target, making):
    """What a process leaves that finished one file and was killed in the second."""
    draft, aside = target.with_name(".merged.unfinished"), target.parent / "aside"
    with contextlib.suppress(Died), resumable_folder(target, making) as unfinished:
        (unfinished.path / "one").write_text("whole")
        unfinished.keep("one")
        (unfinished.path / "two").write_text("ha")
        draft.rename(aside)
        raise Died
    aside.rename(draft)


def test_that_the_same_thing_is_gone_on_with(target):
    left_by_a_killed(target, "a")
    with resumable_folder(target, "a") as unfinished:
        assert unfinished.has("one")
        assert not unfinished.has("two")
        (unfinished.path / "two").write_text("whole")
    assert {file.name: file.read_text() for file in target.iterdir()} == {
        "one": "whole",
        "two": "whole",
    }


def test_that_another_thing_begins_anew(target):
    left_by_a_killed(target, "a")
    with resumable_folder(target, "b") as unfinished:
        assert not unfinished.has("one")
        (unfinished.path / "three").write_text("whole")
    assert [file.name for file in target.iterdir()] == ["three"]


def test_that_a_damaged_note_begins_anew(target):
    left_by_a_killed(target, "a")
    note = target.with_name(".merged.unfinished") / ".unfinished.json"
    note.write_text("{")
    with resumable_folder(target, "a") as unfinished:
        assert not unfinished.has("one")


def test_that_what_is_cancelled_is_removed(target):
    with contextlib.suppress(Died), resumable_folder(target, "a") as unfinished:
        (unfinished.path / "one").write_text("whole")
        unfinished.keep("one")
        raise Died
    assert list(target.parent.iterdir()) == []


def test_that_two_don_t_make_the_same_folder(target):
    with (
        resumable_folder(target, "a"),
        pytest.raises(StudioError, match="Another window or terminal"),
        resumable_folder(target, "a"),
    ):
        pass
    assert target.exists()
