"""What the Model page leaves out of its list: by words, fit, size and licence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.ui.pages.model.view_model import ModelRow
from studio.ui.widgets.memory_bar_state import Verdict

ANY: Final = ""
OPEN, NO_CONSENT = "open", "no-consent"

SIZES: Final[Sequence[tuple[str, str]]] = (
    (ANY, "Any size"),
    ("0-2", "Up to 2 B"),
    ("2-6", "2 to 6 B"),
    ("6-10", "6 to 10 B"),
    ("10-20", "10 to 20 B"),
    ("20-", "Over 20 B"),
)
LICENCES: Final[Sequence[tuple[str, str]]] = (
    (ANY, "Any licence"),
    (OPEN, "Apache or MIT"),
    (NO_CONSENT, "No consent"),
)

_BILLION: Final = 1e9
_OPEN: Final = frozenset({"apache-2.0", "mit"})
_FITTING: Final = frozenset({Verdict.MUCH_ROOM, Verdict.FITS, Verdict.TIGHT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked for.

    Attributes:
        searched: Words that a row must all hold.
        only_fitting: Only what is predicted to fit, be it tightly.
        only_here: Only what a run could load now.
        size: A key of `SIZES`.
        licence: A key of `LICENCES`.
    """

    searched: str = ""
    only_fitting: bool = False
    only_here: bool = False
    size: str = ANY
    licence: str = ANY

    def let_through(self, row: ModelRow) -> bool:
        """Whether a row stays in the list."""
        return (
            matches(row, self.searched)
            and (not self.only_fitting or row.verdict in _FITTING)
            and (not self.only_here or row.is_here)
            and _is_of_size(row, self.size)
            and _is_licensed(row, self.licence)
        )


def matches(row: ModelRow, searched: str) -> bool:
    """Whether a row holds each of the words that were typed."""
    text = f"{row.title} {row.name} {row.hub_id} {row.caption}".casefold()
    return all(word in text for word in searched.casefold().split())


def _is_of_size(row: ModelRow, size: str) -> bool:
    if size == ANY:
        return True
    low, _, high = size.partition("-")
    billions = row.parameters / _BILLION
    return float(low) <= billions < float(high or "inf") and row.parameters > 0


def _is_licensed(row: ModelRow, licence: str) -> bool:
    if licence == OPEN:
        return row.licence.casefold() in _OPEN
    return licence == ANY or not row.gated
