"""The folder of a run: its recipe, its journal, and what it made.

The engine alone appends to the journal; everybody else reads. A run that was cut off
may end in half a line, which is no event yet.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import warning
from studio.domain.recipe import Recipe
from studio.protocol.codec import WireError, decode_event, told
from studio.protocol.events import EngineEvent, Warned
from studio.protocol.machine_sample import MachineSample, decode_sample
from studio.storage.disk import disk_refusal, unreadable
from studio.storage.documents import write_bytes_atomically
from studio.storage.names import slug
from studio.storage.post_box import PostBox
from studio.storage.recipes import load_recipe, save_recipe, with_absolute_paths

RUNS = "runs"
CHECKPOINTS = "checkpoints"
COMBINED = "combined.json"
"""In an adapter's folder: which adapters it was combined of."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A run on disk.

    Attributes:
        path: The folder, absolute.
    """

    path: Path

    @classmethod
    def create(
        cls, parent: Path, base_name: str, recipe: Recipe, mark: str = ""
    ) -> Self:
        """Make the folder of a new run and write its recipe, which makes it one.

        Args:
            parent: Where runs of the project lie; made when missing.
            base_name: What runs are called; the run gets a number behind it.
            recipe: Relative paths in it are taken from the working directory.
            mark: Of the entry of the queue that it is made for; empty for none.

        Raises:
            StudioError: The disk is full or may not be written; no folder is left.
        """
        directory = cls(_new_folder(parent.absolute(), slug(base_name, "run")))
        try:
            if mark:
                write_bytes_atomically(directory._mark_path, mark.encode())
            save_recipe(directory.recipe_path, with_absolute_paths(recipe, Path.cwd()))
        except StudioError:
            shutil.rmtree(directory.path, ignore_errors=True)
            raise
        return directory

    @classmethod
    def create_at(cls, path: Path, recipe: Recipe) -> Self:
        """Make a folder the run's own and write its recipe.

        Args:
            path: A folder that doesn't exist yet, or is empty.
            recipe: Relative paths in it are taken from the working directory.

        Raises:
            StudioError: Something lies there, or the disk refuses.
        """
        directory = cls(path.expanduser().absolute())
        try:
            directory.path.mkdir(parents=True, exist_ok=True)
            is_taken = any(directory.path.iterdir())
        except OSError as fault:
            raise disk_refusal(fault, directory.path) from fault
        if is_taken:
            raise refusal(
                "run.folder-taken",
                "There are files in this folder already.",
                why="They were left as they are.",
                fix="Name a folder that is empty or doesn’t exist; snugtune resume "
                "goes on with a run.",
                where=str(path),
            )
        save_recipe(directory.recipe_path, with_absolute_paths(recipe, Path.cwd()))
        return directory

    @classmethod
    def at(cls, path: Path) -> Self:
        """The run that lies in a folder.

        Raises:
            StudioError: The folder holds no recipe, so it is no run.
        """
        directory = cls(path.absolute())
        if directory.recipe_path.is_file():
            return directory
        raise refusal(
            "run.not-a-run",
            "This is no run: it holds no recipe.toml.",
            fix="Name a run of snugtune runs, or its folder.",
            where=str(path),
        )

    @property
    def name(self) -> str:
        """The folder's name, by which commands find the run."""
        return self.path.name

    @property
    def recipe_path(self) -> Path:
        """The recipe, as it was when the run began."""
        return self.path / "recipe.toml"

    @property
    def journal_path(self) -> Path:
        """Every event, one JSON line each."""
        return self.path / "events.jsonl"

    @property
    def post_box(self) -> PostBox:
        """Where others than its starter give a running engine orders."""
        return PostBox(self.path / "orders.jsonl")

    @property
    def lock_path(self) -> Path:
        """Held by the engine that trains the run; see `studio.storage.run_lock`."""
        return self.path / ".lock"

    @property
    def lead_path(self) -> Path:
        """Held by who starts the run's engines; see `studio.storage.run_lock`."""
        return self.path / ".lead.lock"

    @property
    def mark(self) -> str:
        """Of the entry of the queue that it was made for; empty for none."""
        try:
            return self._mark_path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    @property
    def _mark_path(self) -> Path:
        return self.path / ".queued"

    @property
    def machine_path(self) -> Path:
        """What the machine did meanwhile, one JSON line a second."""
        return self.path / "machine.jsonl"

    @property
    def log_path(self) -> Path:
        """What the libraries printed."""
        return self.path / "log.txt"

    @property
    def checkpoints_path(self) -> Path:
        """Holds step-<n>/ for each checkpoint."""
        return self.path / CHECKPOINTS

    @property
    def adapter_path(self) -> Path:
        """The trained adapter."""
        return self.path / "adapter"

    @property
    def is_combined(self) -> bool:
        """Whether its adapter was combined of others, so that nothing trained it."""
        return (self.adapter_path / COMBINED).is_file()

    @property
    def model_path(self) -> Path:
        """The trained model, where all weights were trained."""
        return self.path / "model"

    @property
    def merged_path(self) -> Path:
        """The merged model, when it was made here."""
        return self.path / "merged"

    def read_recipe(self) -> Recipe:
        """The recipe of the run.

        Raises:
            StudioError: It is missing or malformed.
        """
        return load_recipe(self.recipe_path)

    def machine_samples(self) -> Iterator[MachineSample]:
        """What the machine did meanwhile; a line that can't be read is left out.

        Raises:
            StudioError: The file can't be read.
        """
        try:
            lines = self.machine_path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as fault:
            raise unreadable(fault, self.machine_path) from fault
        for line in lines:
            with contextlib.suppress(WireError):
                yield decode_sample(line)

    def events(self) -> Iterator[EngineEvent]:
        """Every whole event of the journal, in order; none before the first.

        Raises:
            StudioError: The journal can't be read.
        """
        events, _ = self.events_from(0)
        yield from events

    def events_from(self, offset: int) -> tuple[Sequence[EngineEvent], int]:
        """The whole events behind a place of the journal.

        A line that is whole but can't be read becomes a `Warned`, so that one bad
        sector doesn't hide the rest. A torn last line is left for the next call.

        Args:
            offset: Bytes to leave out: 0, or what the last call returned.

        Returns:
            The events, and the offset to go on from.

        Raises:
            StudioError: The journal can't be read.
        """
        try:
            with self.journal_path.open("rb") as journal:
                journal.seek(offset)
                content = journal.read()
        except FileNotFoundError:
            return (), offset
        except OSError as fault:
            raise unreadable(fault, self.journal_path) from fault
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.split(b"\n")
        return [_event(line) for line in lines if line], offset + len(whole)


def _event(line: bytes) -> EngineEvent:
    try:
        return decode_event(line)
    except WireError as fault:
        return Warned(
            finding=told(
                warning(
                    "journal.line",
                    "A line of the journal can't be read and is left out.",
                    why=str(fault),
                    where="events.jsonl",
                )
            )
        )


def _new_folder(parent: Path, base: str) -> Path:
    number = _highest(parent, base) + 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / f"{base}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1  # another window was quicker
            else:
                return folder
    except OSError as fault:
        raise disk_refusal(fault, parent) from fault


def _highest(parent: Path, base: str) -> int:
    pattern = re.compile(re.escape(base) + r"-(\d{1,9})")
    try:
        names = [entry.name for entry in parent.iterdir()]
    except OSError:
        return 0  # making the folder will say what is wrong with it
    found = (pattern.fullmatch(name) for name in names)
    return max((int(match[1]) for match in found if match), default=0)
