"""The pages, each a folder with view, page and view model, and what the window asks.

The window knows pages only by their `PageSpec`; a page is built when it is first
visited, so that the window shows at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtWidgets import QWidget

from studio.ui.icons import IconName


class NavGroup(IntEnum):
    """Where a page stands in the side nav; a line separates the first three."""

    START = 0
    STEPS = 1
    RESULTS = 2
    FOOT = 3


@dataclass(frozen=True, slots=True)
class PageSpec:
    """What the window needs to know of a page before it exists.

    Attributes:
        key: A stable name, such as ``hardware``.
        title: Its name in the side nav.
        icon: Its icon there.
        factory: Builds the page; called once, at the first visit.
        group: Where it stands in the side nav.
    """

    key: str
    title: str
    icon: IconName
    factory: Callable[[], QWidget]
    group: NavGroup = NavGroup.STEPS
