"""What a run's device did while the run went on, in a few figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from studio.domain.hardware import gib

_SELDOM = 0.05  # a share of the time that is not worth a word


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSummary:
    """The recording of a run, summed up; None where nothing of it was reported.

    Attributes:
        hottest_c: The highest temperature, degrees Celsius.
        most_power_w: The highest power, watts.
        most_others_bytes: The most that all but the run held of the device.
        load: Mean share of the time in which the device worked, 0 to 1.
        held_back: By cause, the share of the time in which clocks were held back.
        trouble: What was last wrong with the driver; empty for nothing.
    """

    hottest_c: int | None = None
    most_power_w: float | None = None
    most_others_bytes: int | None = None
    load: float | None = None
    held_back: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    trouble: str = ""

    def sentence(self) -> str:
        """The figures that were reported; empty when none was."""
        most = [f"{self.hottest_c} °C"] if self.hottest_c is not None else []
        if self.most_power_w is not None:
            most.append(f"{self.most_power_w:.0f} W")
        told = [f"reached {' and '.join(most)}"] if most else []
        if self.load is not None:
            told.append(f"was busy {self.load * 100:.0f} % of the time")
        told += [
            f"was held back by {why} for {part * 100:.0f} %"
            for why, part in self.held_back.items()
            if part >= _SELDOM
        ]
        sentences = [f"The device {_listed(told)}."] if told else []
        if self.most_others_bytes is not None:
            held = gib(self.most_others_bytes)
            sentences.append(f"Everything else on it held up to {held}.")
        return " ".join(sentences)

    def document(self) -> dict[str, object]:
        """The figures for programs."""
        return {
            "hottest_c": self.hottest_c,
            "most_power_w": self.most_power_w,
            "most_others_bytes": self.most_others_bytes,
            "load": self.load,
            "held_back": dict(self.held_back),
            "trouble": self.trouble,
        }


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
