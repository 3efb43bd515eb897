"""The queue on disk: one document for the order, one recipe a run beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from studio.domain.finding import Finding, error
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, QueuedRun
from studio.storage.documents import read_toml, write_toml_atomically
from studio.storage.recipes import load_recipe, save_recipe, with_absolute_paths


@dataclass(frozen=True, slots=True)
class QueueFolder:
    """Where the queue lies.

    Attributes:
        path: The folder; it need not exist.
    """

    path: Path

    @property
    def lock_path(self) -> Path:
        """Held while the document is changed."""
        return self.path / ".lock"

    @property
    def driver_lock_path(self) -> Path:
        """Held by the program that starts the queue's runs."""
        return self.path / ".driver.lock"

    def recipe_path(self, number: int) -> Path:
        """The recipe of a run that waits."""
        return self.path / f"{number}.toml"

    def read(self) -> Queue:
        """The queue; an empty one where there is none yet.

        Raises:
            StudioError: It can't be read, or was written by a newer Snugtune.
        """
        if not self._document_path.exists():
            return Queue()
        document = read_toml(self._document_path, "queue")
        listed = document.get("runs")
        runs = (
            [each for each in listed if isinstance(each, dict)]
            if isinstance(listed, list)
            else []
        )
        found = tuple(run for run in map(_queued, runs) if run is not None)
        highest = max((run.number for run in found), default=0)
        said = document.get("next_number")
        return Queue(
            found,
            next_number=max(highest + 1, said if isinstance(said, int) else 1),
        )

    def write(self, queue: Queue) -> None:
        """Replace the document.

        Raises:
            StudioError: The disk refuses; what was there stays.
        """
        document = {
            "next_number": queue.next_number,
            "runs": [_document(run) for run in queue.runs],
        }
        write_toml_atomically(self._document_path, "queue", document)

    def read_recipe(self, number: int) -> Recipe:
        """The recipe of a run that waits.

        Raises:
            StudioError: It is missing or malformed.
        """
        return load_recipe(self.recipe_path(number))

    def write_recipe(self, number: int, recipe: Recipe) -> None:
        """Keep a recipe; relative paths in it are taken from the working directory.

        Raises:
            StudioError: The disk refuses.
        """
        save_recipe(self.recipe_path(number), with_absolute_paths(recipe, Path.cwd()))

    def recipes(self) -> set[int]:
        """The numbers of all recipes that are kept, with an entry or without."""
        stems = (path.stem for path in self.path.glob("*.toml"))
        return {int(stem) for stem in stems if stem.isdecimal()}

    def drop_recipe(self, number: int) -> None:
        """Let the recipe of a run go that doesn't wait any more."""
        self.recipe_path(number).unlink(missing_ok=True)

    @property
    def _document_path(self) -> Path:
        return self.path / "queue.toml"


def _document(run: QueuedRun) -> dict[str, object]:
    said: dict[str, object] = {
        "number": run.number,
        "project": run.project,
        "title": run.title,
    }
    if run.start_at is not None:
        said["start_at"] = run.start_at
    if run.trouble:
        said |= _said(run.trouble)
    if run.token:
        said["token"] = run.token
    return said


def _said(trouble: Finding) -> dict[str, object]:
    """A finding as the document holds it: place and reason stand in its sentence."""
    sentence = replace(trouble, how_to_fix="").sentence()
    said = {"trouble": sentence, "code": trouble.code, "advice": trouble.how_to_fix}
    return {key: text for key, text in said.items() if text}


def _trouble(said: Mapping[str, object]) -> Finding | None:
    """The finding of an entry; one of an older Snugtune is all in its sentence."""
    sentence = str(said.get("trouble", ""))
    if not sentence:
        return None
    code = str(said.get("code", "queue.not-started"))
    return error(code, sentence, fix=str(said.get("advice", "")))


def _queued(said: Mapping[str, object]) -> QueuedRun | None:
    """A run of the document; None for what was written by hand and is none."""
    number, start_at = said.get("number"), said.get("start_at")
    if not isinstance(number, int):
        return None
    if not isinstance(start_at, datetime):
        start_at = None
    elif start_at.tzinfo is None:
        start_at = start_at.astimezone()
    return QueuedRun(
        number,
        str(said.get("project", "")),
        str(said.get("title", "")),
        start_at,
        _trouble(said),
        str(said.get("token", "")),
    )
