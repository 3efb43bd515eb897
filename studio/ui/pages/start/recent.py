"""Reads the recent runs of all projects, beside the window.

Journals grow with their runs, so reading them takes a while and happens in a thread.
"""

from dataclasses import dataclass

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot
from studio.services.library import all_runs
from studio.services.run_journal import snapshot_of
from studio.ui.pages.start.view_model import RECENT


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run as read from disk.

    Attributes:
        snapshot: What its journal tells.
        recipe: How it was run; None when that can't be read any more.
    """

    snapshot: RunSnapshot
    recipe: Recipe | None


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """The newest runs, and how many there are in all."""

    newest: tuple[ToldRun, ...]
    total: int


def recent_runs() -> RecentRuns:
    """The newest runs of all projects; one that can't be read is left out."""
    directories = all_runs()
    told = []
    for directory in directories[:RECENT]:
        try:
            snapshot = snapshot_of(directory)
        except StudioError:
            continue  # the Runs page tells why
        try:
            recipe = directory.read_recipe()
        except StudioError:
            recipe = None
        told.append(ToldRun(snapshot, recipe))
    return RecentRuns(tuple(told), len(directories))
