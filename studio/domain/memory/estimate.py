"""The result type of every memory prediction, whatever its basis."""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.hardware import TrainingDevice


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


class Verdict(StrEnum):
    """Whether a run fits what is free."""

    FITS = "fits"
    TIGHT = "tight"
    DOES_NOT_FIT = "does-not-fit"


@dataclass(frozen=True, slots=True)
class Component:
    """One named part of the peak, in bytes."""

    name: str
    group: Group
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Predicted peak memory of one recipe on one device.

    Attributes:
        components: The parts that together make the peak.
        phase: Of the run in which the peak falls.
        basis: What the number rests on.
        expected_error: Relative; the range is the peak times 1 minus and plus it.
    """

    components: tuple[Component, ...]
    phase: str
    basis: Basis
    expected_error: float

    @property
    def peak_bytes(self) -> int:
        """What the run takes of the device at its highest."""
        return sum(component.bytes for component in self.components)

    @property
    def low_bytes(self) -> int:
        """Lower end of the range."""
        return round(self.peak_bytes * (1 - self.expected_error))

    @property
    def high_bytes(self) -> int:
        """Upper end of the range."""
        return round(self.peak_bytes * (1 + self.expected_error))

    def by_group(self) -> dict[Group, int]:
        """Bytes of each part that people are shown; every part is present."""
        sums = dict.fromkeys(Group, 0)
        for component in self.components:
            sums[component.group] += component.bytes
        return sums

    def verdict(self, device: TrainingDevice, headroom_bytes: int) -> Verdict:
        """Whether the peak fits what is free now, with the head-room kept."""
        spare = device.free_bytes - self.peak_bytes
        if spare >= headroom_bytes:
            return Verdict.FITS
        return Verdict.TIGHT if spare >= 0 else Verdict.DOES_NOT_FIT
