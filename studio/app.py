"""The window's composition root: builds the services and hands them over.

The frame shows first; services, pages and the first reading of the machine follow when
it is on the screen. Nothing here may import what only a run or a chart needs.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Slot
from PySide6.QtWidgets import QApplication

from studio.domain.errors import StudioError
from studio.services.crash_log import CrashLog
from studio.services.preferences import Preferences
from studio.ui.display import make_application
from studio.ui.first_sight import FirstSight
from studio.ui.main_window import MainWindow
from studio.ui.pages.contents import page_specs
from studio.ui.pages.desk import Desk
from studio.ui.theme import ColourScheme, Theme

if TYPE_CHECKING:
    from studio.storage.run_directory import RunDirectory

OnShown = Callable[[MainWindow], None]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the window is started with.

    Attributes:
        example: Open the example project.
        project: Open the project of this name, made when there is none.
    """

    example: bool = False
    project: str = ""


def main(argv: Sequence[str], *, on_shown: OnShown | None = None) -> int:
    """Show the window and run until it closes.

    Args:
        argv: Arguments without the program's name.
        on_shown: Called once the frame is on the screen, before anything else is
            built; for measurements.

    Returns:
        The exit code.
    """
    arguments = parse(argv)
    crashes = CrashLog()
    last_crash = crashes.install()
    # A terminal's Ctrl+C ends the window at once; the engine sees it go.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    application = _application()
    preferences = Preferences()
    theme = Theme(
        application,
        ColourScheme(preferences.theme.value),
        reduced_motion=preferences.reduced_motion,
    )
    studio = Studio(arguments, preferences, theme, crashes)
    studio.show(last_crash, on_shown)
    try:
        return application.exec()
    finally:
        studio.close()
        crashes.uninstall()
        _end(studio.window)


def _end(window: MainWindow) -> None:
    """Let a window and all it owns end now, in Qt's order.

    Left to Python's collector they would end in whatever order it finds them in.
    """
    window.deleteLater()
    QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line of the window.

    Raises:
        SystemExit: An unknown argument, or a call for help.
    """
    if not argv:
        return Arguments()
    from argparse import ArgumentParser

    parser = ArgumentParser("snugtune", description="Open the window.")
    parser.add_argument(
        "--example", action="store_true", help="open the example project"
    )
    parser.add_argument(
        "--project", default="", metavar="NAME", help="open or make this project"
    )
    read = parser.parse_args(list(argv))
    return Arguments(read.example, read.project)


class Studio(QObject):
    """The window and everything it works with.

    Attributes:
        window: The frame.
        desk: What the pages work with; None until the frame is on the screen.
    """

    def __init__(
        self,
        arguments: Arguments,
        preferences: Preferences,
        theme: Theme,
        crashes: CrashLog,
    ) -> None:
        super().__init__()
        self._arguments = arguments
        self._preferences = preferences
        self._theme = theme
        self._crashes = crashes
        self._last_crash = ""
        self._on_shown: OnShown | None = None
        self.desk: Desk | None = None
        self.window = MainWindow(page_specs(self._the_desk))
        preferences.preference_changed.connect(self._on_preference_changed)

    def show(self, last_crash: str = "", on_shown: OnShown | None = None) -> None:
        """Show the frame; the rest follows when it is on the screen.

        Args:
            last_crash: The stack of the last session's crash; empty without one.
            on_shown: See `main`.
        """
        self._last_crash = last_crash
        self._on_shown = on_shown
        sight = FirstSight(self.window)
        sight.window_seen.connect(self._furnish)
        self.window.show()

    def close(self) -> None:
        """End what still runs; a run goes on if the user chose so."""
        from studio.services.preferences import KeepRunning

        desk = self.desk
        if desk is None:
            return
        keeps = desk.preferences.keep_running is KeepRunning.YES
        desk.pricer.close()
        desk.queue.close()
        desk.controller.close(keep_running=keeps)
        desk.hardware.stop()
        desk.data.close()
        desk.data_tools.close()
        self._watch.close()

    @Slot()
    def _furnish(self) -> None:
        if self._on_shown is not None:
            self._on_shown(self.window)
        if not self.window.isVisible():
            return  # closed already: nothing is built for nobody
        from studio.ui.crash_dialog import CrashWatch
        from studio.ui.shell import Shell

        self._watch = CrashWatch(self._crashes, self.window)
        self.desk = build_desk(self.window, self._theme, self._preferences)
        self._shell = Shell(self.window, self.desk)
        self._open_project(self.desk)
        self.window.show_page("start")
        self.desk.hardware.start()
        self._rejoin(self.desk)
        self._tell_troubles(self.desk)

    @Slot(str)
    def _on_preference_changed(self, name: str) -> None:
        match name:
            case "theme":
                self._theme.set_scheme(ColourScheme(self._preferences.theme.value))
            case "reduced_motion":
                reduced = self._preferences.reduced_motion
                self._theme.set_reduced_motion(reduced=reduced)
            case _:
                return  # read where it matters

    def _the_desk(self) -> Desk:
        assert self.desk is not None  # pages are built after the desk was laid
        return self.desk

    def _open_project(self, desk: Desk) -> None:
        projects, wanted = desk.projects, self._arguments
        try:
            if wanted.example:
                projects.open(projects.ensure_example().slug)
            elif wanted.project:
                projects.open_or_create(wanted.project)
            elif desk.preferences.last_project:
                projects.open(desk.preferences.last_project)
        except StudioError as refused:
            desk.notices.post(refused.finding)

    def _rejoin(self, desk: Desk) -> None:
        """Follow a run again that outlived its window, the project's own first."""
        from studio.services.rejoin import living_run
        from studio.ui.pages.errand import Errand

        project = desk.projects.current
        folder = None if project is None else project.directory
        self._search = Errand(partial(living_run, folder), self)
        self._search.errand_done.connect(self._on_living_run)
        self._search.errand_failed.connect(desk.notices.post)
        self._search.run()

    @Slot(object)
    def _on_living_run(self, found: "RunDirectory | None") -> None:
        desk = self._the_desk()
        if found is None or desk.controller.is_running:
            return
        try:
            if self._opens_project_of(found, desk):
                desk.controller.attach(found)
                self.window.show_page("run")
        except StudioError as refused:
            desk.notices.post(refused.finding)

    def _opens_project_of(self, run: "RunDirectory", desk: Desk) -> bool:
        """Open the project of a run, unless the window was told another one.

        Raises:
            StudioError: It can't be opened.
        """
        from studio.services.rejoin import lives_elsewhere, project_of

        current, slug = desk.projects.current, project_of(run)
        if current is not None and current.slug == slug:
            return True
        if self._arguments.example or self._arguments.project:
            desk.notices.post(lives_elsewhere(run))
            return False
        desk.projects.open(slug)
        return True

    def _tell_troubles(self, desk: Desk) -> None:
        if desk.preferences.finding is not None:
            desk.notices.post(desk.preferences.finding)
        if self._last_crash:
            self._watch.tell_last_crash(self._last_crash)


def build_desk(window: MainWindow, theme: Theme, preferences: Preferences) -> Desk:
    """Build every service of the window; none of them runs yet."""
    from studio.services.data_inspector import DataInspector
    from studio.services.data_reader import DataReader
    from studio.services.exact_pricer import ExactPricer
    from studio.services.hardware_monitor import HardwareMonitor
    from studio.services.model_shelf import ModelShelf
    from studio.services.notices import Notices
    from studio.services.projects import Projects
    from studio.services.queue_driver import QueueDriver
    from studio.services.run_controller import RunController
    from studio.system.paths import cache_dir, data_dir
    from studio.ui.pages.data.tools import DataTools
    from studio.ui.pages.desk import Folders
    from studio.ui.pages.hardware.history import ReadingHistory
    from studio.ui.pages.project_data import ProjectData

    projects = Projects(window)
    hardware = HardwareMonitor(parent=window)
    hardware.set_headroom(preferences.headroom_bytes)
    controller = RunController(preferences, hardware, parent=window)
    return Desk(
        preferences=preferences,
        projects=projects,
        data=ProjectData(
            projects, DataReader(window), DataInspector(parent=window), window
        ),
        data_tools=DataTools(),
        hardware=hardware,
        history=ReadingHistory(hardware, controller, window),
        models=ModelShelf(),
        pricer=ExactPricer(parent=window),
        controller=controller,
        queue=QueueDriver(controller, projects, parent=window),
        notices=Notices(window),
        folders=Folders(data_dir(), cache_dir()),
        actions=window.actions_,
        theme=theme,
        go_to=window.show_page,
    )


def _application() -> QApplication:
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    application = make_application()
    application.setApplicationName("snugtune")
    application.setApplicationDisplayName("Snugtune")
    application.setDesktopFileName("snugtune")
    return application
