"""Wires the frame to the services: captions, status bar, switcher, title, notices.

The frame shows what `shell_model` says; here is only when it is asked again.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.domain.errors import StudioError
from studio.domain.finding import warning
from studio.domain.memory.estimate import MemoryEstimate
from studio.services.pricing import price
from studio.ui.close_dialog import CloseGuard
from studio.ui.file_drop import FileDrop
from studio.ui.icon_names import IconName
from studio.ui.main_window import MainWindow
from studio.ui.notices_view import NoticesView
from studio.ui.pages.desk import Desk
from studio.ui.shell_model import (
    ShellFacts,
    captions,
    card_reading,
    estimate_here,
    percent_of,
    state_words,
)

if TYPE_CHECKING:
    from studio.domain.hardware import TrainingDevice
    from studio.services.model_shelf import ModelPlace


class AsksForProjects(Protocol):
    """The page that asks how a project is called and what a file is for."""

    def ask_for_name(self, data_path: str = "") -> None:
        """Ask how a new project is called."""

    def ask_about_file(self, path: str) -> None:
        """Ask what a dropped file is for."""


class Shell(QObject):
    """Keeps the frame up to date.

    Attributes:
        notices: The problems that wait to be read.
        guard: Asks before the window closes during a run.
    """

    def __init__(self, window: MainWindow, desk: Desk) -> None:
        super().__init__(window)
        self._window = window
        self._desk = desk
        self._place: ModelPlace | None = None
        self._runs = self._waiting = 0
        self._has_reading = False
        self.notices = NoticesView()
        self.guard = CloseGuard(desk, window)
        self._drop = FileDrop(window)
        self._add_notices()
        self._connect_services()
        self._connect_frame()
        self._declare_actions()
        self._on_project_changed()
        self._count_waiting()
        self._show_run()

    def _add_notices(self) -> None:
        canvas = self._window.centralWidget()
        assert canvas is not None  # the frame has laid itself out
        frame = canvas.layout()
        assert isinstance(frame, QVBoxLayout)
        frame.insertWidget(1, self.notices)

    def _connect_services(self) -> None:
        desk = self._desk
        desk.notices.posted.connect(self.notices.show_finding)
        desk.preferences.saving_failed.connect(self.notices.show_finding)
        desk.queue.refused.connect(desk.notices.post)
        desk.queue.course_changed.connect(self._count_waiting)
        desk.hardware.reading_changed.connect(self._on_reading_changed)
        desk.data.data_changed.connect(self._show_captions)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.projects.projects_changed.connect(self._show_projects)
        desk.projects.recipe_changed.connect(self._on_recipe_changed)
        desk.controller.snapshot_changed.connect(self._show_run)
        desk.controller.run_ended.connect(self._count_runs)
        desk.pricer.answers_changed.connect(self._show_captions)
        desk.planned_card.changed.connect(self._show_captions)
        self.guard.closing_granted.connect(self._window.close)
        self.guard.waiting_for_stop.connect(self._on_waiting_for_stop)
        self.guard.waiting_for_stop.connect(desk.queue.hold)

    def _connect_frame(self) -> None:
        window = self._window
        window.set_close_hook(self.guard.may_close)
        window.status.card_clicked.connect(self._on_card_clicked)
        window.status.state_clicked.connect(self._on_state_clicked)
        window.side_nav.project_chosen.connect(self._on_project_chosen)
        window.side_nav.new_project_requested.connect(self._on_new_project)
        self._drop.file_dropped.connect(self._on_file_dropped)
        self._drop.several_dropped.connect(self._on_several_dropped)

    def _declare_actions(self) -> None:
        actions = self._desk.actions
        actions.add("project.new", "New project", self._on_new_project, ["Ctrl+N"])
        actions.add("project.open", "Open a project", self._on_open, ["Ctrl+O"])
        actions.add("page.help", "Go to Help", self._on_help, ["F1"])
        actions.add("page.settings", "Go to Settings", self._on_settings, ["Ctrl+,"])

    def _facts(self) -> ShellFacts:
        desk = self._desk
        project, planned = desk.projects.current, desk.planned_card.device
        return ShellFacts(
            reading=desk.hardware.latest,
            recipe=None if project is None else project.recipe,
            data=desk.data.chat_file,
            data_refused=desk.data.finding is not None,
            estimate=self._estimate(self._device()),
            planned=self._estimate(planned),
            is_planned=planned is not None,
            run=desk.controller.snapshot,
            runs=self._runs,
            waiting=self._waiting,
        )

    def _device(self) -> "TrainingDevice | None":
        reading = self._desk.hardware.latest
        return None if reading is None else reading.device()

    def _estimate(self, device: "TrainingDevice | None") -> MemoryEstimate | None:
        project = self._desk.projects.current
        if project is None or device is None or self._place is None:
            return None
        found = price(project.recipe, self._place, device)
        return found if isinstance(found, MemoryEstimate) else None

    def _look_up_model(self) -> None:
        project = self._desk.projects.current
        self._place = None
        if project is not None and project.recipe.model.name:
            try:
                self._place = self._desk.models.look_up(project.recipe.model.name)
            except StudioError:
                return  # the Model page says why; here the caption stays empty

    def _suit_example(self) -> None:
        device = self._device()
        if device is not None:
            try:
                self._desk.projects.suit_example(device)
            except StudioError as refused:
                self._desk.notices.post(refused.finding)

    def _starting_page(self) -> AsksForProjects:
        page: QWidget = self._window.show_page("start")
        return cast("AsksForProjects", page)

    @Slot()
    def _show_captions(self) -> None:
        facts = self._facts()
        nav = self._window.side_nav
        for key, caption in captions(facts).items():
            nav.set_caption(key, caption)
        nav.set_attention("data", needed=facts.data_refused)
        card = card_reading(facts.reading, estimate_here(facts), facts.run)
        self._window.status.show_card(card)

    @Slot()
    def _show_run(self) -> None:
        run = self._desk.controller.snapshot
        words, icon = state_words(run)
        self._window.status.show_state(words, icon)
        self._window.set_percent(percent_of(run))
        self._show_captions()

    @Slot()
    def _show_projects(self) -> None:
        current = self._desk.projects.current
        projects = {found.slug: found.name for found in self._desk.projects.all()}
        self._window.set_projects(projects, "" if current is None else current.slug)

    @Slot()
    def _count_runs(self) -> None:
        project = self._desk.projects.current
        self._runs = 0 if project is None else len(project.run_directories())
        self._show_captions()

    @Slot()
    def _count_waiting(self) -> None:
        with suppress(StudioError):  # the Runs page says what is wrong with it
            self._waiting = len(self._desk.queue.queue.read().runs)
        self._show_captions()

    @Slot()
    def _on_reading_changed(self) -> None:
        if not self._has_reading:
            self._has_reading = True
            self._suit_example()
        self._show_captions()

    @Slot()
    def _on_project_changed(self) -> None:
        project = self._desk.projects.current
        if project is not None:
            self._desk.preferences.last_project = project.slug
        self._look_up_model()
        self._suit_example()
        self._show_projects()
        self._count_runs()

    @Slot()
    def _on_recipe_changed(self) -> None:
        self._look_up_model()
        self._show_captions()

    @Slot()
    def _on_waiting_for_stop(self) -> None:
        words = "Stopping; the window closes after this step"
        self._window.status.show_state(words, IconName.STOP)

    @Slot()
    def _on_card_clicked(self) -> None:
        self._window.show_page("hardware")

    @Slot()
    def _on_state_clicked(self) -> None:
        self._window.show_page("run")

    @Slot(str)
    def _on_project_chosen(self, slug: str) -> None:
        try:
            self._desk.projects.open(slug)
        except StudioError as refused:
            self._desk.notices.post(refused.finding)

    @Slot()
    def _on_new_project(self) -> None:
        self._starting_page().ask_for_name()

    @Slot(str)
    def _on_file_dropped(self, path: str) -> None:
        self._starting_page().ask_about_file(path)

    @Slot(int)
    def _on_several_dropped(self, files: int) -> None:
        self._desk.notices.post(
            warning(
                "data.several-files",
                f"{files:,} files were dropped at once; none was taken.",
                why="A project learns from one file, or from one folder of files.",
                fix="Put them into one folder and drop the folder.",
            )
        )

    @Slot()
    def _on_open(self) -> None:
        button = self._window.side_nav.project_button
        menu = button.menu()
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    @Slot()
    def _on_help(self) -> None:
        self._window.show_page("help")

    @Slot()
    def _on_settings(self) -> None:
        self._window.show_page("settings")
