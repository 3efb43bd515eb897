"""A project: a folder with a name, a recipe, and the runs made from it.

Nothing here needs Qt, so the command line works without its libraries. Whatever is
changed is on disk when the call returns; two windows on one project see each other's
changes, because each change is applied to what lies on disk, under a lock.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from pathlib import Path

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recommend.policy import Goal
from studio.domain.run import RunSnapshot
from studio.services.hub_data import with_data_here
from studio.services.library import runs_in
from studio.services.run_journal import newest_first, snapshot_of, with_liveness
from studio.storage.documents import read_toml, write_toml_atomically
from studio.storage.locks import locked
from studio.storage.recipes import load_recipe, save_recipe, with_absolute_others
from studio.storage.run_directory import RUNS, RunDirectory

_LOCK_PATIENCE_S = 5.0

Listener = Callable[[Recipe], None]
_Stamp = tuple[int, int, bool]
_NONE: frozenset[str] = frozenset()


class Project:
    """One project on disk.

    Attributes:
        name: What people call it.
        directory: Its folder; its name is the project's slug.
        on_recipe_saved: Called with each recipe that this object saved or found.
    """

    def __init__(self, directory: Path) -> None:
        """Open the project of a folder.

        Raises:
            StudioError: The folder holds no project, or its recipe can't be read.
        """
        self.directory = directory
        document = read_toml(directory / "project.toml", "project")
        self.name = str(document.get("name") or directory.name)
        self._goal = _goal_of(document)
        self._own_keys = _own_keys_of(document)
        self.on_recipe_saved: Listener | None = None
        self._recipe = load_recipe(self._recipe_path)
        self._told: dict[Path, tuple[_Stamp, RunSnapshot]] = {}

    @property
    def slug(self) -> str:
        """The folder's name, by which programs find the project."""
        return self.directory.name

    @property
    def recipe(self) -> Recipe:
        """The recipe as this object last read or saved it."""
        return self._recipe

    @property
    def goal(self) -> Goal:
        """What its free memory shall buy."""
        return self._goal

    def set_goal(self, goal: Goal) -> None:
        """Choose what its free memory shall buy, at once.

        Raises:
            StudioError: The disk refuses; nothing is changed then.
        """
        self._note("goal", goal.value)
        self._goal = goal

    @property
    def own_keys(self) -> frozenset[str]:
        """The options that the user set and hasn't given back to the proposal."""
        return self._own_keys

    def set_own_keys(self, keys: AbstractSet[str]) -> None:
        """Remember which options are the user's own, at once.

        Raises:
            StudioError: The disk refuses; nothing is changed then.
        """
        if keys != self._own_keys:
            self._note("own", sorted(keys))
            self._own_keys = frozenset(keys)

    def set_value(self, key: str, value: object) -> None:
        """Set one option, at once.

        Raises:
            StudioError: Unknown key, refused value, or the disk refuses; nothing is
                changed then.
        """
        with self._locked():
            self._store(load_recipe(self._recipe_path).with_value(key, value))

    def set_recipe(self, recipe: Recipe) -> None:
        """Take another recipe, at once.

        Options that it leaves as they were keep what another window made of them.

        Raises:
            StudioError: The disk refuses; nothing is changed then.
        """
        with self._locked():
            merged = load_recipe(self._recipe_path)
            for key in OPTIONS:
                if recipe.value(key) != self._recipe.value(key):
                    merged = merged.with_value(key, recipe.value(key))
            self._store(merged)

    def reload(self) -> None:
        """Read the recipe again, in case that another window changed it.

        Raises:
            StudioError: It can't be read.
        """
        found = load_recipe(self._recipe_path)
        if found != self._recipe:
            self._take(found)

    def new_run(self, recipe: Recipe, mark: str = "") -> RunDirectory:
        """Make the directory of a new run, named after the project.

        Args:
            recipe: What it trains by.
            mark: Of the entry of the queue that it is made for; empty for none.

        Raises:
            StudioError: The disk refuses; no folder is left then.
        """
        return RunDirectory.create(self.directory / RUNS, self.slug, recipe, mark)

    def run_directories(self) -> Sequence[RunDirectory]:
        """Every run's directory, by name."""
        return runs_in(self.directory)

    def runs(self) -> list[RunSnapshot]:
        """What every run's journal tells, newest first.

        A journal that has not grown is not read again.
        """
        return list(newest_first(map(self._tell, self.run_directories())))

    def _tell(self, run: RunDirectory) -> RunSnapshot:
        stamp = _stamp_of(run)
        known = self._told.get(run.path)
        if known is not None and known[0] == stamp:
            return with_liveness(known[1])
        snapshot = snapshot_of(run)
        self._told[run.path] = stamp, snapshot
        return snapshot

    def _note(self, name: str, value: object) -> None:
        """Write one thing into the project's document; the rest of it stays."""
        path = self.directory / "project.toml"
        with self._locked():
            document = dict(read_toml(path, "project")) | {name: value}
            write_toml_atomically(path, "project", document)

    @property
    def _recipe_path(self) -> Path:
        return self.directory / "recipe.toml"

    def _locked(self) -> AbstractContextManager[None]:
        path = self.directory / ".lock"
        return locked(path, _LOCK_PATIENCE_S, _busy(self.directory))

    def _store(self, recipe: Recipe) -> None:
        # A window has no folder of its own; other files are sought by the data file.
        recipe = with_data_here(recipe)
        recipe = with_absolute_others(recipe, Path(recipe.data.path).parent)
        save_recipe(self._recipe_path, recipe)
        self._take(recipe)

    def _take(self, recipe: Recipe) -> None:
        self._recipe = recipe
        if self.on_recipe_saved is not None:
            self.on_recipe_saved(recipe)


def write_project(
    directory: Path,
    name: str,
    created: str,
    recipe: Recipe,
    own: AbstractSet[str] = frozenset(),
) -> None:
    """Write a new project's documents; ``project.toml`` last, for it makes it one.

    Args:
        directory: Its folder.
        name: What people call it.
        created: When, in words.
        recipe: What it begins with.
        own: Options of it that no proposal shall change.

    Raises:
        StudioError: The disk refuses.
    """
    save_recipe(directory / "recipe.toml", recipe)
    document = {"name": name, "created": created, "own": sorted(own)}
    write_toml_atomically(directory / "project.toml", "project", document)


def is_project(directory: Path) -> bool:
    """Whether a folder is a whole project."""
    return (directory / "project.toml").is_file()


def tidy_name(name: str) -> str:
    """A name without line breaks, doubled spaces and control characters.

    Raises:
        StudioError: Nothing is left of it.
    """
    shown = "".join(c if c.isprintable() else " " for c in name)
    tidy = " ".join(shown.split())
    if tidy:
        return tidy
    raise refusal(
        "project.name",
        "A project needs a name.",
        fix="Type at least one character that can be seen.",
        where="name",
    )


def _goal_of(document: Mapping[str, object]) -> Goal:
    """What a project's document says; the usual one for words of a newer version."""
    said = document.get("goal")
    return next((goal for goal in Goal if goal.value == said), Goal.QUALITY)


def _own_keys_of(document: Mapping[str, object]) -> frozenset[str]:
    """What a project's document says; options of a newer version are left out."""
    said = document.get("own")
    return frozenset(said).intersection(OPTIONS) if isinstance(said, list) else _NONE


def _stamp_of(run: RunDirectory) -> _Stamp:
    merged = run.merged_path.exists()
    try:
        status = run.journal_path.stat()
    except OSError:
        return 0, 0, merged
    return status.st_mtime_ns, status.st_size, merged


def _busy(directory: Path) -> StudioError:
    finding = error(
        "project.busy",
        "Another window is saving this project.",
        why="The change was not made.",
        fix="Try again, or close the other window.",
        where=str(directory),
    )
    return StudioError(finding, ExitCode.DISK)
