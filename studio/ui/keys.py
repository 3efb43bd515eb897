"""The keys that work on a page, in one table: pages bind them, Help lists them.

Keys that work everywhere are named actions (`studio.ui.actions`). Free of Qt, so that
view models can put the table into words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Deed(StrEnum):
    """What a key does; the value is what Help and screen readers call it."""

    MEASURE = "Measure again"
    FIND = "Find"
    ONLY_FITTING = "Show only what fits"
    USE_MODEL = "Use the model"
    START = "Start training"
    QUEUE = "Add to the queue"
    EXPLAIN = "Say where the memory goes"
    UNDO = "Undo"
    REDO = "Redo"
    EDIT = "Change the setting"
    RESET = "Go back to what is recommended"
    PAUSE = "Pause, or go on"
    SAVE = "Save a checkpoint now"
    OPEN_RUN = "Open the run"
    COPY_RECIPE = "Copy the recipe"
    DELETE_RUN = "Delete the run, or take it off the queue"
    EARLIER_START = "Let the waiting run start earlier"
    LATER_START = "Let the waiting run start later"
    START_TIME = "Give the waiting run a time"
    READ_AGAIN = "Read again"
    EXPORT = "Export and prove"
    ASK = "Ask both"
    SAY = "Ask"
    STOP_ANSWER = "Stop the answer"
    NEW_TALK = "Begin a new conversation"
    NEXT_FINDING = "Go to the next finding"
    LAST_FINDING = "Go to the finding before"
    ACCEPT = "Accept the draft"
    REJECT = "Reject the draft"
    EARLIER = "Go to the draft before"
    LATER = "Go to the next draft"
    EDIT_DRAFT = "Edit the draft"


@dataclass(frozen=True, slots=True)
class PageKeys:
    """The keys of a deed.

    Attributes:
        pages: The pages, by their keys, on which they work.
        keys: Each does the same; the first is the one that is told.
        in_table: They belong to the row of the page's table that has the focus.
    """

    pages: tuple[str, ...]
    keys: tuple[str, ...]
    in_table: bool = False


_ENTER: Final = ("Enter", "Return")
_CTRL_ENTER: Final = ("Ctrl+Enter", "Ctrl+Return")
PAGE_KEYS: Final[Mapping[Deed, PageKeys]] = {
    Deed.MEASURE: PageKeys(("start", "hardware"), ("F5",)),
    Deed.FIND: PageKeys(("model", "data", "recipe"), ("Ctrl+F",)),
    Deed.ONLY_FITTING: PageKeys(("model",), ("Ctrl+Shift+F",)),
    Deed.USE_MODEL: PageKeys(("model",), _ENTER, in_table=True),
    Deed.START: PageKeys(("recipe",), _CTRL_ENTER),
    Deed.QUEUE: PageKeys(("recipe",), ("Ctrl+Shift+Enter", "Ctrl+Shift+Return")),
    Deed.EXPLAIN: PageKeys(("recipe",), ("Ctrl+I",)),
    Deed.UNDO: PageKeys(("data", "recipe"), ("Ctrl+Z",)),
    Deed.REDO: PageKeys(("data", "recipe"), ("Ctrl+Shift+Z",)),
    Deed.NEXT_FINDING: PageKeys(("data",), ("F8",)),
    Deed.LAST_FINDING: PageKeys(("data",), ("Shift+F8",)),
    Deed.ACCEPT: PageKeys(("data",), ("A",)),
    Deed.REJECT: PageKeys(("data",), ("R",)),
    Deed.EARLIER: PageKeys(("data",), ("Left",)),
    Deed.LATER: PageKeys(("data",), ("Right",)),
    Deed.EDIT_DRAFT: PageKeys(("data",), ("F2",)),
    Deed.EDIT: PageKeys(("recipe",), ("F2", *_ENTER), in_table=True),
    Deed.RESET: PageKeys(("recipe",), ("Del", "Backspace"), in_table=True),
    Deed.PAUSE: PageKeys(("run",), ("Space",)),
    Deed.SAVE: PageKeys(("run",), ("Ctrl+S",)),
    Deed.OPEN_RUN: PageKeys(("runs",), _ENTER, in_table=True),
    Deed.COPY_RECIPE: PageKeys(("runs",), ("Ctrl+Shift+C",)),
    Deed.DELETE_RUN: PageKeys(("runs",), ("Del",)),
    Deed.EARLIER_START: PageKeys(("runs",), ("Alt+Up",)),
    Deed.LATER_START: PageKeys(("runs",), ("Alt+Down",)),
    Deed.START_TIME: PageKeys(("runs",), ("F2",)),
    Deed.READ_AGAIN: PageKeys(("runs",), ("F5",)),
    Deed.EXPORT: PageKeys(("export",), ("Ctrl+E",)),
    Deed.ASK: PageKeys(("export",), _CTRL_ENTER),
    Deed.SAY: PageKeys(("playground",), _CTRL_ENTER),
    Deed.STOP_ANSWER: PageKeys(("playground",), ("Esc",)),
    Deed.NEW_TALK: PageKeys(("playground",), ("Ctrl+Shift+N",)),
}


def key_of(deed: Deed) -> str:
    """The key that is told, such as ``Ctrl+Enter``."""
    return PAGE_KEYS[deed].keys[0]
