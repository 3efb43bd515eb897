"""Marks: an icon and words, so that colour is never the only carrier.

Free of Qt, so that view models decide what a mark says.
"""

from dataclasses import dataclass
from typing import Final

from studio.ui.icon_names import IconName
from studio.ui.text import gib
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says."""

    icon: IconName
    words: str
    tone: Tone


NOT_PRICED: Final = Mark(IconName.INFO, "Not priced yet", Tone.MUTED)


def mark_for(verdict: Verdict, short_bytes: int = 0) -> Mark:
    """The mark of a verdict; a run that is short says by how much."""
    match verdict:
        case Verdict.FITS:
            return Mark(IconName.CHECK_CIRCLE, "Fits", Tone.SUCCESS)
        case Verdict.MUCH_ROOM:
            return Mark(IconName.CHECK_CIRCLE, "Fits, much room", Tone.SUCCESS)
        case Verdict.TIGHT:
            return Mark(IconName.WARNING, "Tight", Tone.WARNING)
        case Verdict.SHORT:
            words = f"Short by {gib(short_bytes)}"
            return Mark(IconName.CROSS_CIRCLE, words, Tone.DANGER)
        case Verdict.NOT_PRICED:
            return NOT_PRICED
