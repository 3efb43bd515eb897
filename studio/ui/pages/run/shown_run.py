"""Which run a page shows, and what is known of it: live, or from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot
from studio.services.less_memory import less_memory_words
from studio.services.library import find_run, runs_in
from studio.services.pricing import price
from studio.services.run_journal import newest_first, snapshot_of
from studio.services.run_need import recipe_in_force_of
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand

if TYPE_CHECKING:
    from studio.domain.memory.estimate import MemoryEstimate


@dataclass(frozen=True, slots=True)
class ReadRun:
    """A run as it lies on disk, with the recipe that is in force."""

    snapshot: RunSnapshot
    recipe: Recipe | None


class ShownRun(QObject):
    """The run that was opened by hand, else the live one, else the project's newest.

    Attributes:
        recipe: The one in force for the shown run; None when it can't be read.
        estimate: What the formula predicts for it on this machine.

    Signals:
        run_changed: Another run is shown, or it went on.
    """

    run_changed = Signal()

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._from_disk: ReadRun | None = None
        self._known_of: tuple[Path, int] | None = None
        self.recipe: Recipe | None = None
        self.estimate: MemoryEstimate | None = None
        self._errand = Errand(self._read, self)
        self._errand.errand_done.connect(self._on_read)
        self._errand.errand_failed.connect(self._on_read_failed)
        desk.controller.snapshot_changed.connect(self._on_live_changed)
        desk.controller.run_ended.connect(self._on_live_changed)
        desk.chosen_run.run_chosen.connect(self.look_again)
        desk.projects.current_changed.connect(self._on_project_changed)
        self._device_is_known = desk.hardware.latest is not None
        desk.hardware.reading_changed.connect(self._on_reading_changed)

    @property
    def is_live(self) -> bool:
        """Whether the shown run is the one that the window's controller leads."""
        live, chosen = self._desk.controller.snapshot, self._desk.chosen_run.directory
        if live is None or (chosen is not None and chosen != live.directory):
            return False
        if self._desk.controller.is_running:
            return True
        # An ended run may have been deleted since, or belong to another project.
        return live.directory.is_dir() and (chosen is not None or self._is_own())

    @property
    def snapshot(self) -> RunSnapshot | None:
        """The shown run; None while there is none or it is still being read."""
        if self.is_live:
            live = self._desk.controller.snapshot
            if live is not None:
                self._know(live)
            return live
        if self._from_disk is None:
            return None
        return self._from_disk.snapshot

    @property
    def is_reading(self) -> bool:
        """Whether the run that is to be shown is still being read from disk."""
        return not self.is_live and self._errand.is_running

    @property
    def card_bytes(self) -> int | None:
        """The memory of this machine's card; None without one."""
        reading = self._desk.hardware.latest
        device = None if reading is None else reading.device()
        return device.total_bytes if device and device.kind == "cuda" else None

    @property
    def less_words(self) -> str:
        """What going on in less memory would change; empty where it can't help."""
        run, reading = self.snapshot, self._desk.hardware.latest
        if run is None or self.recipe is None or reading is None:
            return ""
        return less_memory_words(run, self.recipe, reading.device())

    @Slot()
    def look_again(self) -> None:
        """Read the run from disk, unless it is live."""
        if self.is_live:
            self.run_changed.emit()
            return
        self._errand.run()

    def follow(self, directory: Path) -> None:
        """Follow a run that somebody else went on with, if this window is free."""
        if self._desk.controller.is_running:
            return
        try:
            self._desk.controller.attach(find_run(str(directory)))
        except StudioError as refused:
            self._desk.notices.post(refused.finding)

    def _is_own(self) -> bool:
        """Whether the controller's last run belongs to the open project."""
        live, project = self._desk.controller.snapshot, self._desk.projects.current
        if live is None or project is None:
            return False
        return project.directory in live.directory.parents

    def _read(self) -> ReadRun | None:
        """The chosen run or the project's newest; called in a thread."""
        chosen, project = self._desk.chosen_run.directory, self._desk.projects.current
        if chosen is not None:
            return _read_run(chosen)
        if project is None:
            return None
        told = newest_first(map(snapshot_of, runs_in(project.directory)))
        return _read_run(told[0].directory) if told else None

    def _know(self, run: RunSnapshot) -> None:
        """Read the recipe in force of a run and price it, once for each it comes to."""
        if _recipe_key(run) == self._known_of:
            return
        self._known_of = _recipe_key(run)
        self._price(_recipe_of(run))

    def _price(self, recipe: Recipe | None) -> None:
        self.recipe, self.estimate = recipe, None
        reading = self._desk.hardware.latest
        if recipe is None or reading is None:
            return
        try:
            place = self._desk.models.look_up(recipe.model.name)
        except StudioError:
            return  # the model was moved since; its run can still be looked at
        found = price(recipe, place, reading.device())
        self.estimate = None if isinstance(found, Finding) else found

    @Slot(object)
    def _on_read(self, read: ReadRun | None) -> None:
        self._from_disk = read
        if read is not None and not self.is_live:
            self._known_of = _recipe_key(read.snapshot)
            self._price(read.recipe)
            self._join(read)
        self.run_changed.emit()

    def _join(self, read: ReadRun) -> None:
        """Follow a run that another window left running, if this one is free."""
        if not read.snapshot.state.is_over:
            self.follow(read.snapshot.directory)

    @Slot(object)
    def _on_read_failed(self, finding: Finding) -> None:
        self._from_disk = None
        self._desk.notices.post(finding)
        self.run_changed.emit()

    @Slot()
    def _on_reading_changed(self) -> None:
        """Price anew what was shown before the machine's first reading."""
        if self._device_is_known:
            return
        self._device_is_known = True
        self._price(self.recipe)
        self.run_changed.emit()

    @Slot()
    def _on_live_changed(self) -> None:
        if self.is_live:
            self.run_changed.emit()

    @Slot()
    def _on_project_changed(self) -> None:
        self._from_disk = None
        self._desk.chosen_run.choose(None)
        self.look_again()


def _read_run(directory: Path) -> ReadRun:
    run = snapshot_of(find_run(str(directory)))
    return ReadRun(run, _recipe_of(run))


def _recipe_key(run: RunSnapshot) -> tuple[Path, int]:
    """What a change of the recipe in force is seen by."""
    return run.directory, len(run.adaptations)


def _recipe_of(run: RunSnapshot) -> Recipe | None:
    try:
        return recipe_in_force_of(run)
    except StudioError:
        return None
