"""Runs that outlived the window which started them."""

from pathlib import Path

from studio.services.library import all_runs
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory


def living_run(project: Path) -> RunDirectory | None:
    """A project's newest run, if its engine still lives.

    Reads the run's journal, so not for the window's own thread.

    Args:
        project: The project's folder.

    Raises:
        StudioError: The journal can't be read.
    """
    own = (run for run in all_runs() if project in run.path.parents)
    newest = next(own, None)
    if newest is None or snapshot_of(newest).state.is_over:
        return None
    return newest
