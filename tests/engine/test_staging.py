"""A folder appears whole or not at all, whatever goes wrong while it is filled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from studio.domain.errors import ExitCode, StudioError
from studio.engine.staging import need_space, sweep, whole_folder
from tests.engine.limits import small_files


def fill(target, content="whole", **options):
    with whole_folder(target, **options) as draft:
        assert not target.exists() or options.get("replace")
        (draft / "file").write_text(content)


def fill_and_fail(target, fault):
    with whole_folder(target) as draft:
        (draft / "file").write_text("half")
        raise fault


def write_weights(target):
    with whole_folder(target) as draft:
        save_file({"w": torch.zeros(100_000)}, draft / "w.safetensors")


def test_that_a_folder_appears_when_it_is_whole(tmp_path):
    fill(tmp_path / "deep" / "down")
    assert (tmp_path / "deep" / "down" / "file").read_text() == "whole"
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["down"]


@pytest.mark.parametrize("fault", [ValueError("no"), KeyboardInterrupt()])
def test_that_a_failure_leaves_nothing(tmp_path, fault):
    with pytest.raises(type(fault)):
        fill_and_fail(tmp_path / "out", fault)
    assert list(tmp_path.iterdir()) == []


def test_that_an_old_folder_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "out"
    fill(target, "old")
    fill(target, "new", replace=True)
    assert (target / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_that_a_taken_place_is_refused(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(StudioError) as refused:
        write_weights(tmp_path / "out")
    assert refused.value.exit_code is ExitCode.DISK
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_that_a_full_disk_leaves_nothing(tmp_path):
    with pytest.raises(StudioError) as refused, small_files():
        write_weights(tmp_path / "out")
    assert refused.value.exit_code is ExitCode.DISK
    assert "out" in refused.value.finding.where
    assert list(tmp_path.iterdir()) == []


def test_that_the_words_of_a_full_disk_come_from_its_error_number(tmp_path):
    with pytest.raises(StudioError, match="no space left"):
        fill_and_fail(tmp_path / "out", OSError(28, "No space left on device"))


@pytest.fixture
def read_only(tmp_path):
    if os.geteuid() == 0:
        return Path("/sys")  # root may write everywhere else
    (tmp_path / "read-only").mkdir(mode=0o500)
    return tmp_path / "read-only"


def test_that_a_read_only_place_is_refused(read_only):
    with pytest.raises(StudioError, match="may not be written") as refused:
        fill(read_only / "out")
    assert refused.value.exit_code is ExitCode.DISK


def test_that_what_a_killed_engine_left_is_swept(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".step-1.unfinished-{ended.pid}").mkdir()
    (tmp_path / f".step-2.unfinished-{os.getpid()}").mkdir()
    (tmp_path / ".other").mkdir()
    sweep(tmp_path)
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == [".other", f".step-2.unfinished-{os.getpid()}"]


def test_that_too_little_space_is_said_with_both_figures(tmp_path):
    with pytest.raises(StudioError, match=r"needs 1,048,576\.00 GiB"):
        need_space(tmp_path / "not" / "there", 1 << 50, "The merged model")


def test_that_enough_space_is_no_matter(tmp_path):
    assert need_space(tmp_path, 1, "The adapter") is None
