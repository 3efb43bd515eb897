"""A run's folder: measured, copied from, and deleted without leaving half of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.protocol.codec import encode
from studio.protocol.events import RunFinished
from studio.services.library import runs_in
from studio.services.run_files import copy_result, delete_run, folder_bytes
from studio.storage.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory.create(tmp_path / "project" / "runs", "cheese", Recipe())
    at = datetime(2026, 11, 20, tzinfo=UTC)
    finished = RunFinished(at=at, adapter="adapter", steps=1)
    directory.journal_path.write_bytes(encode(finished))
    directory.adapter_path.mkdir()
    (directory.adapter_path / "adapter_model.safetensors").write_bytes(b"x" * 1000)
    return directory


def test_that_a_folder_weighs_what_its_files_weigh(run: RunDirectory) -> None:
    assert folder_bytes(run.adapter_path) == 1000
    assert folder_bytes(run.path / "merged") == 0


def test_that_a_copy_is_named_after_its_run(run: RunDirectory, tmp_path: Path) -> None:
    copy = copy_result(run, tmp_path)
    assert copy == tmp_path / "cheese-1-adapter"
    assert folder_bytes(copy) == 1000


def test_that_an_older_copy_is_left_as_it_is(run: RunDirectory, tmp_path: Path) -> None:
    copy = copy_result(run, tmp_path)
    (copy / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StudioError) as refused:
        copy_result(run, tmp_path)
    assert refused.value.finding.code == "copy.exists"
    assert (copy / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_that_a_refused_copy_leaves_nothing_behind(
    run: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StudioError) as refused:
        copy_result(run, tmp_path / "file")
    assert refused.value.finding.code.startswith("disk.")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "project"]


def test_that_a_run_without_an_adapter_has_nothing_to_copy(
    run: RunDirectory, tmp_path: Path
) -> None:
    (run.adapter_path / "adapter_model.safetensors").unlink()
    run.adapter_path.rmdir()
    with pytest.raises(StudioError, match="has saved no adapter"):
        copy_result(run, tmp_path)


def test_that_a_deleted_run_is_gone_with_all_its_files(run: RunDirectory) -> None:
    delete_run(run)
    assert list(run.path.parent.iterdir()) == []
    assert runs_in(run.path.parent.parent) == []


def test_that_a_run_that_goes_on_is_not_deleted(tmp_path: Path) -> None:
    fresh = RunDirectory.create(tmp_path / "project" / "runs", "cheese", Recipe())
    with pytest.raises(StudioError, match="still going on"):
        delete_run(fresh)
    assert fresh.recipe_path.is_file()
