"""Folders that appear whole or not at all.

A folder is filled under a name that nothing reads, synced, and renamed: whoever finds
an adapter, a checkpoint or a model finds all of it, even after a power cut.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from safetensors import SafetensorError

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.domain.hardware import gib
from studio.domain.waypoints import passing
from studio.storage.disk import disk_refusal
from studio.storage.documents import sync_folder, write_bytes_atomically
from studio.storage.locks import locked
from studio.storage.run_directory import CHECKPOINTS
from studio.system.paths import data_dir

# safetensors writes in Rust and hides the number in its text.
_OS_ERROR = re.compile(r"os error (\d+)")
# Before a name for what is tried in a run's folder and belongs to nobody else: one
# engine alone trains a run.
SCRATCH = ".trial-"
_NOTE = ".unfinished.json"
_OLD = "-old"
_UNFINISHED = re.compile(r"\.(.+)\.unfinished-(\d+)(\.unfinished)?")


@contextlib.contextmanager
def whole_folder(
    target: Path, *, replace: bool = False, named: Callable[[], Path] | None = None
) -> Iterator[Path]:
    """Give a folder to fill, and make it `target` when all in it is on disk.

    Args:
        target: Its final place; its parent is made when missing.
        replace: What lies at `target` makes room, once the new folder is whole.
        named: Asked for its name when it is whole, where that isn't `target`.

    Yields:
        An empty folder beside `target`. It is removed when the filling fails.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    draft = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        draft.mkdir()
        passing("save.begun")
        yield draft
        _sync(draft)
        passing("save.synced")
        _publish(draft, named() if named else target, replace=replace)
    except (OSError, SafetensorError) as fault:
        shutil.rmtree(draft, ignore_errors=True)
        raise _in_words(fault, target) from fault
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a name to write to, and make the file `target` when it is on disk.

    Args:
        target: Its final place, in a folder that is there; what lies there makes room.

    Yields:
        A name beside `target`. What lies there is removed when the writing fails.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    draft = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        sweep(target.parent)
        passing("save.begun")
        yield draft
        _sync_file(draft)
        passing("save.synced")
        draft.replace(target)
        passing("save.renamed")
        sync_folder(target.parent)
        passing("save.published")
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise _in_words(fault, target) from fault
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class Unfinished:
    """A folder that is being filled, perhaps by several processes in turn.

    Attributes:
        path: Where to write.
        target: What it is called when it is whole.
    """

    def __init__(self, path: Path, target: Path, making: str) -> None:
        """Go on with what lies there if it is the same thing; else begin anew.

        Args:
            path: Of the folder.
            target: What it is called when it is whole.
            making: All that decides what will be in it.

        Raises:
            OSError: The disk refuses.
        """
        self.path, self.target = path, target
        self._making = making
        self._note = path / _NOTE
        self._done = self._kept()
        if self._done is None:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            self._done = []
            self._write_down()

    def has(self, name: str) -> bool:
        """Whether a file is there and whole."""
        return self._done is not None and name in self._done

    def keep(self, name: str) -> None:
        """Say that a file is whole; it is from now on, even after a power cut."""
        assert self._done is not None
        _sync_file(self.path / name)
        self._done.append(name)
        self._write_down()

    def seal(self) -> None:
        """Remove what doesn't belong to the result."""
        self._note.unlink()

    def _write_down(self) -> None:
        told = {"making": self._making, "done": self._done}
        write_bytes_atomically(self._note, json.dumps(told).encode())

    def _kept(self) -> list[str] | None:
        try:
            told = json.loads(self._note.read_text(encoding="utf-8"))
            done = [str(name) for name in told["done"]]
            same = told["making"] == self._making
        except (OSError, ValueError, KeyError, TypeError):
            return None
        present = all((self.path / name).is_file() for name in done)
        return done if same and present else None


@contextlib.contextmanager
def resumable_folder(target: Path, making: str) -> Iterator[Unfinished]:
    """Give a folder to fill file by file, and make it `target` when it is whole.

    What a killed process had finished is gone on with. What is cancelled or fails is
    removed.

    Args:
        target: Its final place; what lies there makes room at the end.
        making: All that decides what will be in it; another thing begins anew.

    Yields:
        The folder, beside `target`. It may be given another name for its end.

    Raises:
        StudioError: Another process is making it, or the disk refuses.
    """
    draft = target.with_name(f".{target.name}.unfinished")
    name = hashlib.sha256(str(target).encode()).hexdigest()[:16]
    with locked(data_dir() / "locks" / name, 0, _in_the_making(target)):
        try:
            sweep(target.parent)
            unfinished = Unfinished(draft, target, making)
            passing("save.begun")
            yield unfinished
            unfinished.seal()
            _sync(draft)
            passing("save.synced")
            _publish(draft, unfinished.target, replace=True)
        except (OSError, SafetensorError) as fault:
            shutil.rmtree(draft, ignore_errors=True)
            raise _in_words(fault, target) from fault
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def sweep(parent: Path) -> None:
    """Remove what engines that were killed left half-written in a folder.

    What had made room for a thing that never came is put back.
    """
    for leftover in parent.glob(".*.unfinished-*"):
        name = _UNFINISHED.fullmatch(leftover.name)
        if name is None or psutil.pid_exists(int(name[2])):
            continue
        if name[1].endswith(_OLD):
            _put_back(leftover, parent / name[1].removesuffix(_OLD))
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)  # put back, or a file


def sweep_run(run: Path) -> None:
    """Remove what engines that were killed left half-written of a run."""
    for parent in (run, run / CHECKPOINTS):
        sweep(parent)
    for scratch in run.glob(f"{SCRATCH}*"):
        shutil.rmtree(scratch, ignore_errors=True)


def need_space(where: Path, needed: int, what: str) -> None:
    """Make sure that something fits before it is begun.

    Args:
        where: The folder that it goes to, which need not exist yet.
        needed: Bytes.
        what: For the sentence, such as ``The merged model``.

    Raises:
        StudioError: The disk has less free.
    """
    existing = next(folder for folder in (where, *where.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise StudioError(
            error(
                "disk.full",
                f"{what} needs {gib(needed)}, and {gib(free)} are free.",
                fix="Free some space on that disk, or choose another folder.",
                where=str(where),
            ),
            ExitCode.DISK,
        )


def _sync(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            _sync_file(file)
    sync_folder(folder)


def _sync_file(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _publish(draft: Path, target: Path, *, replace: bool) -> None:
    if replace and target.exists():
        old = target.with_name(f".{target.name}{_OLD}.unfinished-{os.getpid()}")
        try:
            target.rename(old)
            passing("save.moved-aside")
            draft.rename(target)
        except BaseException:
            _put_back(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        draft.rename(target)
    passing("save.renamed")
    sync_folder(target.parent)
    passing("save.published")


def _put_back(old: Path, target: Path) -> None:
    """Give what had made room its name again, where nothing has taken it."""
    if old.exists() and not target.exists():
        old.rename(target)


def _in_the_making(target: Path) -> StudioError:
    return refusal(
        "export.busy",
        "Another window or terminal is writing to this folder.",
        fix="Wait until it has ended, or choose another folder.",
        where=str(target),
    )


def _in_words(fault: OSError | SafetensorError, target: Path) -> StudioError:
    if isinstance(fault, SafetensorError):
        number = _OS_ERROR.search(str(fault))
        code = int(number[1]) if number else 0
        fault = OSError(code, os.strerror(code) if code else str(fault))
    return disk_refusal(fault, target)
