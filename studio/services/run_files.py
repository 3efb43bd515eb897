"""What lies in a run's folder: its size, a copy of its result, and its deletion."""

import os
import shutil
from pathlib import Path

from studio.domain.errors import refusal
from studio.services.run_journal import snapshot_of
from studio.storage.data_digest import sha256_of
from studio.storage.disk import disk_refusal
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_in_hand
from studio.system.machine import disk_free


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder; 0 when it isn't there."""
    return sum(
        (Path(place) / name).lstat().st_size
        for place, _, names in os.walk(folder)
        for name in names
        if (Path(place) / name).is_file()
    )


def model_sha256(run: RunDirectory) -> dict[str, str]:
    """The digest of each file of a trained model's weights, by its name."""
    files = sorted(run.model_path.glob("*.safetensors"))
    return {file.name: sha256_of(file) for file in files}


def adapter_sha256(run: RunDirectory) -> str | None:
    """The digest of a saved adapter's weights, in hexadecimal; None without them."""
    try:
        return sha256_of(run.adapter_path / "adapter_model.safetensors")
    except OSError:
        return None


def free_bytes_at(folder: Path) -> int:
    """Bytes free on the disk where a folder lies or would lie."""
    return disk_free(folder)


def copy_result(run: RunDirectory, parent: Path) -> Path:
    """Copy a run's adapter, or the model that it trained, into a folder of its own.

    Args:
        run: That has saved one.
        parent: The folder that the copy's folder is made in.

    Returns:
        The copy's folder, named after the run.

    Raises:
        StudioError: There is neither, the folder exists already, or the disk
            refuses; nothing half-written is left then.
    """
    source = run.model_path if run.model_path.is_dir() else run.adapter_path
    target = parent / f"{run.name}-{source.name}"
    if not source.is_dir():
        raise refusal(
            "run.no-result",
            f"{run.name} has saved no adapter and no model.",
            fix="Choose another run.",
            where=str(run.path),
        )
    if target.exists():
        raise refusal(
            "copy.exists",
            f"There is already a {target.name} in that folder.",
            why="It was left as it is.",
            fix="Choose another folder, or move the old copy away.",
            where=str(parent),
        )
    unfinished = parent / f".{target.name}.unfinished"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished)
        unfinished.rename(target)
    except OSError as fault:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise disk_refusal(_first_fault(fault), target) from fault
    return target


def delete_run(run: RunDirectory) -> None:
    """Delete a run's folder with all that it holds.

    The folder is renamed and loses its recipe first, so that a deletion that breaks
    off leaves nothing that looks like a run.

    Raises:
        StudioError: The run is still going on, or the disk refuses.
    """
    if is_in_hand(run) or not snapshot_of(run).state.is_over:
        raise refusal(
            "run.still-going-on",
            f"{run.name} is still going on.",
            fix="Stop it first.",
            where=run.name,
        )
    doomed = run.path.with_name(f".{run.name}.deleted")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        run.path.rename(doomed)
    except OSError as fault:
        raise disk_refusal(fault, run.path) from fault
    try:
        (doomed / run.recipe_path.name).unlink()  # from here on it is no run
        shutil.rmtree(doomed)
    except OSError as fault:
        raise disk_refusal(fault, doomed) from fault


def _first_fault(fault: OSError) -> OSError:
    """The fault of the first file, where copytree gathered several."""
    if isinstance(fault, shutil.Error) and fault.args and fault.args[0]:
        _, _, words = fault.args[0][0]
        return OSError(words)
    return fault
