"""Runs that outlived the window which started them."""

from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, warning
from studio.services.library import all_runs
from studio.services.project_store import open_project
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_in_hand


def living_run(project: Path | None) -> RunDirectory | None:
    """The newest run of a project that still lives, else that of any other project.

    Only the journals of runs that a process has in hand are read, but that still
    takes too long for the window's own thread.

    Args:
        project: The project's folder; None where none is open.

    Raises:
        StudioError: The journal of such a run can't be read.
    """
    in_hand = list(filter(is_in_hand, all_runs()))
    own = [run for run in in_hand if project in run.path.parents]
    others = [run for run in in_hand if run not in own]
    return next(filter(_lives, (*own, *others)), None)


def project_of(run: RunDirectory) -> str:
    """The slug of the project that keeps a run."""
    return run.path.parent.parent.name


def lives_elsewhere(run: RunDirectory) -> Finding:
    """That a run of a project which isn't open still trains."""
    slug = project_of(run)
    try:
        name = open_project(slug).name
    except StudioError:
        name = slug  # its document can't be read, which opening it will tell
    return warning(
        "run.lives-elsewhere",
        f"{run.name} of the project “{name}” is still training.",
        fix=f"Choose {name} in the list of projects, then Run, to follow it.",
        where=str(run.path),
    )


def _lives(run: RunDirectory) -> bool:
    return not snapshot_of(run).state.is_over
