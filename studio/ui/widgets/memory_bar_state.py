"""What a memory bar shows, apart from how it is drawn.

Free of Qt: view models build these, and the rounding that makes the figures add up to
the card is tested without a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from studio.ui.text import GIB


class Segment(StrEnum):
    """A part of the card's memory; members are in the order they are drawn."""

    OTHER = "other"
    WEIGHTS = "weights"
    ADAPTER = "adapter"
    ACTIVATIONS = "activations"
    LOSS = "loss"
    OVERHEAD = "overhead"
    HEADROOM = "headroom"
    FREE = "free"


class Verdict(StrEnum):
    """Whether a run fits the memory that is free."""

    FITS = "fits"
    MUCH_ROOM = "much room"
    TIGHT = "tight"
    SHORT = "short"
    NOT_PRICED = "not priced"


NAMES: Final[Mapping[Segment, str]] = {
    Segment.OTHER: "Other programs",
    Segment.WEIGHTS: "Weights",
    Segment.ADAPTER: "Adapter + optimizer",
    Segment.ACTIVATIONS: "Activations",
    Segment.LOSS: "Loss",
    Segment.OVERHEAD: "Overhead",
    Segment.HEADROOM: "Head-room",
    Segment.FREE: "Free",
}
SHORT_NAMES: Final[Mapping[Segment, str]] = {**NAMES, Segment.OTHER: "Other"}
MEASURED_TOGETHER: Final = "Activations, loss, overhead"
"""The name of the activations when a live reading can't tell the three apart."""
THIS_RUN: Final = "This run"
"""Their name when it can't tell the weights apart either."""

VERDICT_WORDS: Final[Mapping[Verdict, str]] = {
    Verdict.FITS: "fits",
    Verdict.MUCH_ROOM: "fits, much room",
    Verdict.TIGHT: "tight",
    Verdict.SHORT: "does not fit",
    Verdict.NOT_PRICED: "not priced yet",
}

_ORDER: Final = tuple(Segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBarState:
    """One reading or prediction of a card's memory.

    Attributes:
        total_bytes: The card's memory.
        segments: Bytes by segment, in the order of `Segment`; without a prediction
            only those that are known. They add up to the card, or beyond it when the
            run does not fit.
        peak_bytes: The run's own predicted peak, without the other programs.
        low_bytes: Lower end of the band round the peak.
        high_bytes: Upper end of the band round the peak.
        verdict: Whether the run fits; None for a plain reading.
        measured: A reading of now rather than a prediction.
        provisional: A prediction that a better one is about to replace.
        limit_name: What the right edge is called.
    """

    total_bytes: int
    segments: tuple[tuple[Segment, int], ...]
    peak_bytes: int | None = None
    low_bytes: int | None = None
    high_bytes: int | None = None
    verdict: Verdict | None = None
    measured: bool = False
    provisional: bool = False
    limit_name: str = "card limit"

    def __post_init__(self) -> None:
        places = [_ORDER.index(segment) for segment, _ in self.segments]
        if places != sorted(set(places)):
            message = f"segments must be unique and in order, not {self.segments}"
            raise ValueError(message)
        if self.total_bytes <= 0 or any(held < 0 for _, held in self.segments):
            message = "a card's memory is positive and a segment is never negative"
            raise ValueError(message)
        if self.segments and self.sum_bytes < self.total_bytes:
            message = "segments must add up to the card; is the free memory missing?"
            raise ValueError(message)

    @classmethod
    def filled(
        cls,
        total_bytes: int,
        used: Mapping[Segment, int],
        *,
        verdict: Verdict | None = None,
        band: tuple[int, int, int] | None = None,
        measured: bool = False,
    ) -> Self:
        """Put segments in order and add what is free.

        Args:
            total_bytes: The card's memory.
            used: Bytes by segment; `Segment.FREE` is worked out.
            verdict: Whether the run fits.
            band: The run's predicted peak, its lower and its upper end.
            measured: A reading of now rather than a prediction.
        """
        held = dict(used)
        held.pop(Segment.FREE, None)
        held[Segment.FREE] = max(0, total_bytes - sum(held.values()))
        peak, low, high = band if band is not None else (None, None, None)
        return cls(
            total_bytes=total_bytes,
            segments=tuple((s, held[s]) for s in _ORDER if s in held),
            peak_bytes=peak,
            low_bytes=low,
            high_bytes=high,
            verdict=verdict,
            measured=measured,
        )

    @classmethod
    def not_priced(cls, total_bytes: int) -> Self:
        """The bar of a run whose need is not known yet."""
        return cls(total_bytes=total_bytes, segments=(), verdict=Verdict.NOT_PRICED)

    def with_headroom(self, headroom_bytes: int) -> Self:
        """The same with another head-room, taken from what is free."""
        free = self.held(Segment.HEADROOM) + self.held(Segment.FREE) - headroom_bytes
        changed = {Segment.HEADROOM: headroom_bytes, Segment.FREE: max(0, free)}
        held = tuple((s, changed.get(s, amount)) for s, amount in self.segments)
        return replace(self, segments=held)

    @property
    def sum_bytes(self) -> int:
        """All segments together: the card, or more when the run does not fit."""
        return sum(held for _, held in self.segments)

    @property
    def scale_bytes(self) -> int:
        """What the whole width stands for."""
        return max(self.total_bytes, self.sum_bytes)

    @property
    def is_priced(self) -> bool:
        """Whether there is anything to draw but dots."""
        return bool(self.segments)

    def held(self, segment: Segment) -> int:
        """Bytes of a segment; 0 when it is not part of the picture."""
        return dict(self.segments).get(segment, 0)

    def on_card(self, run_bytes: int | None) -> int | None:
        """Where a need of the run lies on the card: on top of the other programs."""
        return None if run_bytes is None else self.held(Segment.OTHER) + run_bytes

    def name(self, segment: Segment, *, short: bool = False) -> str:
        """What a segment is called in this picture."""
        together = self.measured and Segment.LOSS not in dict(self.segments)
        if together and segment is Segment.ACTIVATIONS:
            knows_weights = Segment.WEIGHTS in dict(self.segments)
            return MEASURED_TOGETHER if knows_weights else THIS_RUN
        return (SHORT_NAMES if short else NAMES)[segment]

    def figures(self) -> tuple[tuple[Segment, str], ...]:
        """Each segment in GiB with two decimals, adding up to the card's figure."""
        rounded = rounded_hundredths([held for _, held in self.segments])
        return tuple(
            (segment, f"{hundredths / 100:.2f}")
            for (segment, _), hundredths in zip(self.segments, rounded, strict=True)
        )

    def figure(self, segment: Segment) -> str:
        """A segment's figure as the bar shows it; texts beside the bar use it too."""
        return dict(self.figures()).get(segment, "0.00")

    def total_figure(self) -> str:
        """The card in GiB with two decimals."""
        return f"{round(self.total_bytes / GIB * 100) / 100:.2f}"

    def description(self) -> str:
        """The whole picture in words, for screen readers."""
        if not self.is_priced:
            limit = f"{self.limit_name.capitalize()} {self.total_figure()} GiB"
            return f"Memory: not priced yet. {limit}"
        parts = [
            f"{self.name(segment).lower()} {figure}"
            for (segment, held), (_, figure) in zip(
                self.segments, self.figures(), strict=True
            )
            if held
        ]
        parts[0] = parts[0].capitalize()
        head = "Memory" if self.verdict is None else f"Memory: {self._verdict_words()}"
        told = f"{head}. {', '.join(parts)} of {self.total_figure()} GiB"
        return f"{told}; the exact figure is in work" if self.provisional else told

    def _verdict_words(self) -> str:
        return "" if self.verdict is None else VERDICT_WORDS[self.verdict]


def rounded_hundredths(
    sizes_bytes: Sequence[int], total: int | None = None
) -> list[int]:
    """Round bytes to hundredths of a GiB so that they add up to their rounded sum.

    The largest remainders are rounded up, the rest down; a figure is never off by a
    whole hundredth.

    Args:
        sizes_bytes: What is rounded.
        total: What they shall add up to, where their sum was rounded elsewhere.
    """
    exact = [size * 100 / GIB for size in sizes_bytes]
    rounded = [int(value) for value in exact]
    wanted = round(sum(exact)) if total is None else total
    missing = wanted - sum(rounded)
    by_remainder = sorted(
        range(len(exact)), key=lambda place: rounded[place] - exact[place]
    )
    for place in by_remainder[:missing]:
        rounded[place] += 1
    return rounded
