"""Whether a run's memory spills from the card into main memory.

On Windows and under WSL the driver gives a program main memory where the card's is used
up, instead of an error, and every access to it goes over PCIe. NVIDIA, "System Memory
Fallback for Stable Diffusion": the setting is called "CUDA - Sysmem Fallback Policy".
The driver doesn't tell it; it shows as a card that is all but full while steps suddenly
take several times as long. PCIe 4.0 x16 carries 32 GB/s, the memory of the cards in
resources/gpus.toml 192 to 1,792: what spills is read at least six times as slowly, so a
step that takes more than twice as long while little is free is no accident.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from studio.domain.finding import Finding, warning

SETTING: Final = "CUDA - Sysmem Fallback Policy"
SPILLED: Final = "run.spilled"
PLATFORMS: Final = frozenset({"Windows", "WSL"})

_SLOWER: Final = 2.0
_NEARLY_FULL: Final = 0.95
_STEPS_BEFORE: Final = 5
_STEPS_SLOW: Final = 3


@dataclass(slots=True)
class SpillWatch:
    """Judges step by step; tells once.

    Attributes:
        platform: ``Windows``, ``WSL`` or empty; elsewhere a full card is an error.
    """

    platform: str
    _usual: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    _slow: int = 0
    _is_told: bool = False

    def take(self, seconds: float, used_bytes: int, total_bytes: int) -> Finding | None:
        """Look at one more step.

        Args:
            seconds: That it took, checkpoints and evaluations left out.
            used_bytes: Of the card behind it, as the driver counts.
            total_bytes: Of the card.

        Returns:
            The finding, the first time that the run seems to spill.
        """
        if self.platform not in PLATFORMS or self._is_told:
            return None
        if not self._is_slow(seconds):
            self._usual.append(seconds)
            self._slow = 0
            return None
        is_full = used_bytes >= _NEARLY_FULL * total_bytes
        self._slow = self._slow + 1 if is_full else 0
        if self._slow < _STEPS_SLOW:
            return None
        self._is_told = True
        return _finding(self.platform, seconds, median(self._usual))

    def _is_slow(self, seconds: float) -> bool:
        if len(self._usual) < _STEPS_BEFORE:
            return False
        return seconds > _SLOWER * median(self._usual)


def _finding(platform: str, seconds: float, usual: float) -> Finding:
    return warning(
        SPILLED,
        f"The card is full and a step takes {seconds:.1f} s in place of {usual:.1f} s: "
        "the run seems to spill into main memory.",
        why=f"On {platform} the driver lends main memory when the card's is used up, "
        "and reaching it is many times slower.",
        fix="Stop and choose a smaller recipe, or close other programs. To get an "
        f"error in place of the slowness, set “{SETTING}” to “Prefer No Sysmem "
        "Fallback” in the NVIDIA Control Panel, under Manage 3D settings.",
    )
