"""The result type of every memory prediction, whatever its basis.

Three figures of one peak lie on top of each other: what live tensors take (allocated),
what torch's allocator holds for them (reserved) and what the driver shows for the
process (device). Each component belongs to the level at which it first counts, so the
components of the levels up to one sum to that level's peak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Self

from studio.domain.hardware import TrainingDevice, gib
from studio.domain.memory.timeline import Timeline

# The component that a measurement on the machine itself may put right.
CUDA_CONTEXT_NAME = "CUDA context"


class Group(StrEnum):
    """The parts that people are shown, in the memory bar's order."""

    WEIGHTS = "weights"
    ADAPTER = "adapter"
    ACTIVATIONS = "activations"
    LOSS = "loss"
    OVERHEAD = "overhead"


class Basis(StrEnum):
    """What a number rests on."""

    FORMULA = "formula"
    DRY_RUN = "dry-run"
    MEASURED = "measured"

    @property
    def words(self) -> str:
        """How the number was come by, for people."""
        return _BASIS_WORDS[self]


_BASIS_WORDS = {
    Basis.FORMULA: "by formula",
    Basis.DRY_RUN: "by dry run",
    Basis.MEASURED: "measured",
}


class Verdict(StrEnum):
    """Whether a run fits what is free."""

    FITS = "fits"
    TIGHT = "tight"
    DOES_NOT_FIT = "does-not-fit"


class MemoryPhase(StrEnum):
    """The parts of a run whose peaks are told apart, in the order of a run."""

    LOAD = "load"
    FORWARD = "forward"
    BACKWARD = "backward"
    OPTIMIZER_STEP = "optimizer step"
    EVALUATE = "evaluate"
    GENERATE = "generate"
    SAVE = "save"


class Level(IntEnum):
    """Where memory counts: from live tensors up to the whole process."""

    ALLOCATED = 0
    RESERVED = 1
    DEVICE = 2

    @property
    def word(self) -> str:
        """The level's name in documents."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Component:
    """One named part of the peak.

    Attributes:
        name: For people.
        group: Which part of the memory bar it belongs to.
        bytes: At the peak.
        phase: In which it came to be; empty when that is not told apart.
        level: From which figure on it counts.
    """

    name: str
    group: Group
    bytes: int
    phase: str = ""
    level: Level = Level.ALLOCATED


@dataclass(frozen=True, slots=True)
class PeakRange:
    """A peak in bytes, and between which figures it is expected."""

    bytes: int
    low_bytes: int
    high_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Predicted peak memory of one recipe on one device.

    Attributes:
        components: The parts that together make the peak.
        phase: Of the run in which the peak of live tensors falls.
        basis: What the number rests on.
        expected_error: Relative, of the allocated peak.
        reserved_error: Relative, of the reserved and the device peak; None when it is
            the same as `expected_error`.
        phase_peaks: The allocated peak of each phase that was looked at, bytes.
        seconds: How long the prediction took; 0 when it was not timed.
        timeline: One training step; None when it was not gone through.
        ratios: By level, low and high end of the range as shares of the peak, where
            measurements on this machine tell them; the errors stand for the rest.
        notes: What a person should know of how it came about, in sentences.
        runs_out: Whether torch would find no block for a request on a card of this
            size, even after it gave cached ones back; the figures are then what the
            run would need on a card without end.
    """

    components: tuple[Component, ...]
    phase: str
    basis: Basis
    expected_error: float
    reserved_error: float | None = None
    phase_peaks: Mapping[str, int] | None = None
    seconds: float = 0.0
    timeline: Timeline | None = None
    ratios: Mapping[Level, tuple[float, float]] | None = None
    notes: tuple[str, ...] = ()
    runs_out: bool = False

    @property
    def peak_bytes(self) -> int:
        """The predicted peak of the process on its device."""
        return self.bytes_up_to(Level.DEVICE)

    @property
    def low_bytes(self) -> int:
        """The low end of the range."""
        return self.peak(Level.DEVICE).low_bytes

    @property
    def high_bytes(self) -> int:
        """The high end of the range."""
        return self.peak(Level.DEVICE).high_bytes

    @property
    def context_bytes(self) -> int:
        """What the process holds of a card beside torch's allocator; 0 without one."""
        return sum(c.bytes for c in self.components if c.name == CUDA_CONTEXT_NAME)

    @property
    def least_bytes(self) -> int:
        """What a card must have free: live tensors and what never counts as cached.

        Before torch reports a full card it gives cached blocks back and tries again,
        so a run can end well on less than its reserved peak.
        """
        cached = sum(c.bytes for c in self.components if c.level is Level.RESERVED)
        return self.peak_bytes - cached

    def bytes_up_to(self, level: Level) -> int:
        """The sum of the components that count at a level."""
        return sum(c.bytes for c in self.components if c.level <= level)

    def error(self, level: Level) -> float:
        """The relative error that the basis claims at a level."""
        if level is not Level.ALLOCATED and self.reserved_error is not None:
            return self.reserved_error
        return self.expected_error

    def peak(self, level: Level) -> PeakRange:
        """The peak at a level, with its range."""
        error = self.error(level)
        low, high = (self.ratios or {}).get(level, (1 - error, 1 + error))
        peak = self.bytes_up_to(level)
        return PeakRange(peak, round(peak * low), round(peak * high))

    def with_context(self, context_bytes: int) -> Self:
        """The same with the CUDA context that was measured, and a note that says so.

        An estimate without a CUDA context stays as it is.
        """
        if not any(part.name == CUDA_CONTEXT_NAME for part in self.components):
            return self
        parts = tuple(
            replace(part, bytes=context_bytes)
            if part.name == CUDA_CONTEXT_NAME
            else part
            for part in self.components
        )
        note = f"The CUDA context of {gib(context_bytes)} was measured on this card."
        notes = (*(each for each in self.notes if each != note), note)
        return replace(self, components=parts, notes=notes)

    def by_group(self) -> dict[Group, int]:
        """Bytes of each part that people are shown; every part is present."""
        sums = dict.fromkeys(Group, 0)
        for component in self.components:
            sums[component.group] += component.bytes
        return sums

    def verdict(self, device: TrainingDevice, headroom_bytes: int) -> Verdict:
        """Whether the peak fits what is free now, with the head-room kept.

        Tight is what needs the head-room, or the allocator's second attempt.
        """
        if self.runs_out:
            return Verdict.DOES_NOT_FIT
        if device.free_bytes - self.peak_bytes >= headroom_bytes:
            return Verdict.FITS
        fits_barely = device.free_bytes >= self.least_bytes
        return Verdict.TIGHT if fits_barely else Verdict.DOES_NOT_FIT
