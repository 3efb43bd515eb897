"""All runs on this machine, and the one that a name or a path means."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.storage.run_directory import RUNS, RunDirectory
from studio.system.paths import projects_dir


def runs_in(project: Path) -> Sequence[RunDirectory]:
    """The runs of a project's folder, by name; none when it has none."""
    recipes = sorted((project / RUNS).glob("*/recipe.toml"))
    return [RunDirectory(recipe.parent) for recipe in recipes]


def all_runs() -> Sequence[RunDirectory]:
    """The runs of every project, newest first."""
    found = [run for project in _project_folders() for run in runs_in(project)]
    return sorted(found, key=_began, reverse=True)


def find_run(name_or_path: str) -> RunDirectory:
    """The run that a person means.

    Args:
        name_or_path: Such as ``cheesemonger-3``, or a run's folder.

    Raises:
        StudioError: No such run, several of that name, or a folder that is no run.
    """
    named = [run for run in all_runs() if run.name == name_or_path]
    if len(named) == 1:
        return named[0]
    if named:
        raise _ambiguous(name_or_path, named)
    place = Path(name_or_path).expanduser()
    if name_or_path and place.is_dir():
        return RunDirectory.at(place)
    raise _unknown(name_or_path)


def find_trained(name_or_path: str) -> RunDirectory:
    """The run that a person means, where adapters that were combined are none.

    Raises:
        StudioError: As `find_run`, or nothing was trained there.
    """
    found = find_run(name_or_path)
    if found.is_combined:
        raise refusal(
            "run.combined",
            f"{found.name} holds combined adapters: nothing was trained there.",
            fix="Merge, export, evaluate it or talk to it; its card tells of what it "
            "was made.",
            where=str(found.adapter_path),
        )
    return found


def _project_folders() -> Sequence[Path]:
    folder = projects_dir()
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _began(run: RunDirectory) -> float:
    try:
        return run.recipe_path.stat().st_mtime
    except OSError:
        return 0.0  # it is being deleted


def _ambiguous(name: str, runs: Sequence[RunDirectory]) -> StudioError:
    places = ", ".join(str(run.path) for run in runs)
    return refusal(
        "run.ambiguous",
        f"There are {len(runs)} runs called “{name}”.",
        fix=f"Name one by its folder: {places}.",
        where="RUN",
    )


def _unknown(name: str) -> StudioError:
    names = [run.name for run in all_runs()]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        hint = f"Did you mean {near[0]}?"
    elif names:
        hint = "snugtune runs lists them."
    else:
        hint = "No runs yet: snugtune demo makes one."
    return refusal("run.unknown", f"There is no run “{name}”.", fix=hint, where="RUN")
