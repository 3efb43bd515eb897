"""The window's frame: side nav, page stack, status bar, title and close."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.ui.actions import ActionRegistry
from studio.ui.pages import NavGroup, PageSpec
from studio.ui.tokens import FOLD_BELOW, MINIMUM_WINDOW
from studio.ui.widgets.side_nav import SideNav
from studio.ui.widgets.status_bar import StatusBar

_NAME = "Snugtune"


class MainWindow(QMainWindow):
    """The frame round the pages; it decides nothing.

    Attributes:
        side_nav: The pages' items, captions and the project switcher.
        status: The card and the state of the run.
        actions_: The window's named actions.

    Signals:
        page_shown: A page's key, after it came to the front.
    """

    page_shown = Signal(str)

    def __init__(
        self,
        pages: Sequence[PageSpec],
        may_close: Callable[[], bool] | None = None,
    ) -> None:
        """Build the frame; no page is built before it is shown.

        Args:
            pages: The pages, in the order of their groups.
            may_close: Asked when the window is to close; False keeps it open.
        """
        super().__init__()
        self._specs = {spec.key: spec for spec in pages}
        self._built: dict[str, QWidget] = {}
        self._may_close = may_close
        self._project = ""
        self._percent: int | None = None
        self.side_nav = SideNav(pages)
        self.status = StatusBar()
        self.actions_ = ActionRegistry(self)
        self._stack = QStackedWidget()
        self._lay_out()
        self._declare_actions()
        self.side_nav.page_chosen.connect(self.show_page)
        self.resize(1280, 800)
        self._show_title()

    def show_page(self, key: str) -> QWidget:
        """Bring a page to the front, building it at the first visit.

        Raises:
            KeyError: There is no such page.
        """
        page = self._built.get(key)
        if page is None:
            page = self._specs[key].factory()
            self._built[key] = page
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)
        self.side_nav.set_current(key)
        self.page_shown.emit(key)
        return page

    def current_page(self) -> str:
        """The key of the page in front; empty before the first."""
        shown = self._stack.currentWidget()
        return next((k for k, page in self._built.items() if page is shown), "")

    def built_page(self, key: str) -> QWidget | None:
        """A page if it was visited already."""
        return self._built.get(key)

    def set_projects(self, projects: Mapping[str, str], current: str) -> None:
        """Name the open project in the title, and all of them in the switcher.

        Args:
            projects: Their names by their slugs.
            current: The open one's slug; empty when none is open.
        """
        self._project = projects.get(current, "")
        self.side_nav.set_projects(projects, current)
        self._show_title()

    def set_percent(self, percent: int | None) -> None:
        """Show a run's progress in the title; None when nothing runs."""
        self._percent = percent
        self._show_title()

    def set_close_hook(self, may_close: Callable[[], bool]) -> None:
        """Ask `may_close` when the window is to close."""
        self._may_close = may_close

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close is not None and not self._may_close():
            event.ignore()
            return
        super().closeEvent(event)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.side_nav.set_folded(folded=event.size().width() < FOLD_BELOW)

    def _lay_out(self) -> None:
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(self.side_nav)
        upper.addWidget(self._stack, 1)
        canvas = QWidget()
        whole = QVBoxLayout(canvas)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(upper, 1)
        whole.addWidget(self.status)
        self.setCentralWidget(canvas)
        self.setMinimumSize(*MINIMUM_WINDOW)

    def _declare_actions(self) -> None:
        numbered = [
            key
            for key in self.side_nav.page_keys()
            if self._specs[key].group is not NavGroup.FOOT
        ]
        for number, key in enumerate(numbered[:9], start=1):
            self.actions_.add(
                f"page.{key}",
                f"Go to {self._specs[key].title}",
                self.side_nav.item(key).click,
                [f"Ctrl+{number}"],
            )

    def _show_title(self) -> None:
        parts = [self._project, _NAME] if self._project else [_NAME]
        if self._percent is not None:
            parts.insert(0, f"{self._percent} %")
        self.setWindowTitle(" · ".join(parts))
