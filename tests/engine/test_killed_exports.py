"""Some exports are killed; `tests.bench.killed_exports` kills fifty."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from studio.domain.errors import StudioError
from studio.domain.waypoints import watch
from studio.engine.staging import sweep, whole_file, whole_folder

pytestmark = pytest.mark.torch


class Died(BaseException):
    """In place of what goes wrong while a file is written."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_that_a_killed_export_leaves_each_artefact_whole_or_absent():
    command = [sys.executable, "-m", "tests.bench.killed_exports", "--kills", "6"]
    done = subprocess.run(
        [*command, "--seed", "3"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= 6
    assert told["wrong"] == []


def test_that_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "one.zip"
    target.write_text("old")
    with contextlib.suppress(Died), whole_file(target) as draft:
        draft.write_text("ha")
        raise Died
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("one.zip", "old")
    ]
    with whole_file(target) as draft:
        draft.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_that_what_killed_processes_left_is_swept(tmp_path):
    (tmp_path / ".one.zip.unfinished-999999999").write_text("ha")
    (tmp_path / "..merged.unfinished-999999999.unfinished").mkdir()
    ours = tmp_path / f".two.zip.unfinished-{os.getpid()}"
    ours.write_text("ha")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [ours]


def test_that_what_made_room_for_a_thing_that_never_came_is_put_back(tmp_path):
    (tmp_path / ".one-old.unfinished-999999999").mkdir()
    (tmp_path / ".two-old.unfinished-999999999").mkdir()
    (tmp_path / "two").mkdir()
    sweep(tmp_path)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("fault", [Died, OSError])
def test_that_the_old_one_stays_when_the_new_one_gets_no_name(tmp_path, fault):
    target = tmp_path / "one"
    target.mkdir()
    (target / "old").touch()

    def fail(place, number, subject):
        if place == "save.moved-aside":
            raise fault

    watch(fail)
    try:
        with (
            contextlib.suppress(Died, StudioError),
            whole_folder(target, replace=True) as draft,
        ):
            (draft / "new").touch()
    finally:
        watch(None)
    assert [place.name for place in tmp_path.iterdir()] == ["one"]
    assert (target / "old").exists()
