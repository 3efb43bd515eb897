"""The side nav: the pages, and in its captions the project's summary."""

from collections import Counter
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.ui.icons import IconName, paint_icon
from studio.ui.pages import NavGroup, PageSpec
from studio.ui.palette import current_tokens
from studio.ui.tokens import NAV_WIDTH, NAV_WIDTH_FOLDED, Height, Space
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.nav_item import NavItem
from studio.ui.widgets.project_button import ProjectButton


class _Logo(QWidget):
    """The mark of the program: a card's memory, snugly filled."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(QSize(24, 14))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect = QRectF(self.rect())
        paint_icon(painter, IconName.LOGO, current_tokens().accent, rect)


class SideNav(QFrame):
    """Logo, project switcher and one item a page.

    Attributes:
        project_button: The project switcher; its menu lists the projects.

    Signals:
        page_chosen: A page's key.
        project_chosen: A project's slug.
        new_project_requested: The last entry of the switcher's menu.
    """

    page_chosen = Signal(str)
    project_chosen = Signal(str)
    new_project_requested = Signal()

    def __init__(
        self, pages: Sequence[PageSpec], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("ground", "nav")
        self.setAccessibleName("Pages")
        self._items: dict[str, NavItem] = {}
        self._name = label("Snugtune", Role.CARD_TITLE)
        self._projects = QMenu(self)
        self._project_actions: QActionGroup | None = None
        self.project_button = ProjectButton(self._projects)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.SMALL, 0, Space.SMALL + 1, Space.SMALL)
        layout.setSpacing(0)
        layout.addWidget(self._logo_row())
        layout.addWidget(self.project_button)
        layout.addSpacing(Space.SMALL)
        self._add_items(layout, pages)
        self._folded = False
        self.setFixedWidth(NAV_WIDTH)

    @property
    def is_folded(self) -> bool:
        """Whether only icons are shown."""
        return self._folded

    def item(self, key: str) -> NavItem:
        """The item of a page."""
        return self._items[key]

    def page_keys(self) -> list[str]:
        """The pages' keys, from top to bottom."""
        return list(self._items)

    def set_current(self, key: str) -> None:
        """Mark a page as the one that is shown."""
        self._items[key].setChecked(True)

    def set_caption(self, key: str, caption: str) -> None:
        """Show a page's present answer."""
        self._items[key].set_caption(caption)

    def set_attention(self, key: str, *, needed: bool) -> None:
        """Show that a page asks to be looked at."""
        self._items[key].set_attention(needed=needed)

    def set_folded(self, *, folded: bool) -> None:
        """Fold to icons, or unfold."""
        if folded == self._folded:
            return
        self._folded = folded
        self._name.setVisible(not folded)
        for item in self._items.values():
            item.set_folded(folded=folded)
        self.project_button.set_folded(folded=folded)
        self.setFixedWidth(NAV_WIDTH_FOLDED if folded else NAV_WIDTH)

    def set_projects(self, projects: Mapping[str, str], current: str) -> None:
        """List the projects in the switcher and name the open one.

        Args:
            projects: Their names by their slugs; names may be alike, slugs never.
            current: The open one's slug; empty when none is open.
        """
        alike = Counter(projects.values())
        self._projects.clear()
        group = QActionGroup(self._projects)
        for slug, name in projects.items():
            shown = f"{name} ({slug})" if alike[name] > 1 else name
            action = self._projects.addAction(shown.replace("&", "&&"))
            action.setData(slug)
            action.setCheckable(True)
            action.setChecked(slug == current)
            group.addAction(action)
        group.triggered.connect(self._on_project_triggered)
        self._project_actions = group
        self._projects.addSeparator()
        new = self._projects.addAction("New project…")
        new.triggered.connect(self.new_project_requested)
        self.project_button.set_project(projects.get(current, ""))

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        focused = self.focusWidget()
        if step is None or not isinstance(focused, NavItem):
            super().keyPressEvent(event)
            return
        items = list(self._items.values())
        place = (items.index(focused) + step) % len(items)
        items[place].setFocus(Qt.FocusReason.TabFocusReason)
        items[place].click()

    def _logo_row(self) -> QWidget:
        holder = QWidget()
        holder.setFixedHeight(Height.LOGO)
        row = QHBoxLayout(holder)
        row.setContentsMargins(Space.SMALL, 0, 0, 0)
        row.setSpacing(Space.SMALL + 2)
        row.addWidget(_Logo())
        row.addWidget(self._name)
        row.addStretch(1)
        return holder

    def _add_items(self, layout: QVBoxLayout, pages: Sequence[PageSpec]) -> None:
        shown = sorted(pages, key=lambda spec: spec.group)
        previous: NavGroup | None = None
        for spec in shown:
            if spec.group is NavGroup.FOOT and previous is not NavGroup.FOOT:
                layout.addStretch(1)
            elif previous is not None and spec.group is not previous:
                self._add_line(layout)
            previous = spec.group
            item = NavItem(spec.key, spec.title, spec.icon)
            item.clicked.connect(self._on_item_clicked)
            self._items[spec.key] = item
            layout.addWidget(item)
        if previous is not NavGroup.FOOT:
            layout.addStretch(1)

    @staticmethod
    def _add_line(layout: QVBoxLayout) -> None:
        layout.addSpacing(Space.SMALL)
        layout.addWidget(line())
        layout.addSpacing(Space.SMALL)

    def _on_item_clicked(self) -> None:
        sender = self.sender()
        if isinstance(sender, NavItem):
            self.page_chosen.emit(sender.key)

    def _on_project_triggered(self, action: QAction) -> None:
        self.project_chosen.emit(str(action.data()))
