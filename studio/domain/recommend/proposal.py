"""What a search for a recipe comes back with."""

from dataclasses import dataclass

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.recipe import Recipe
from studio.domain.recommend.policy import Goal


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an option has its value.

    Attributes:
        key: The option.
        what: What was chosen, in words.
        why: One sentence.
        saves_bytes: Against the alternative; negative when it costs; 0 for none.
        also: Other options that the same reason explains.
    """

    key: str
    what: str
    why: str
    saves_bytes: int = 0
    also: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every option that it explains."""
        return (self.key, *self.also)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed for a model, a device and a data set.

    Attributes:
        recipe: The preferred one that fits; when none does, the most frugal one, which
            is not for training.
        estimate: Its predicted peak.
        verdict: Whether it fits, head-room kept.
        reasons: Why it is so.
        goal: What it was sought for.
        missing_bytes: What the most frugal recipe lacks; 0 when one fits.
    """

    recipe: Recipe
    estimate: MemoryEstimate
    verdict: Verdict
    reasons: tuple[Reason, ...]
    goal: Goal = Goal.QUALITY
    missing_bytes: int = 0

    @property
    def fits(self) -> bool:
        """Whether its recipe may be trained on what is free."""
        return self.verdict is Verdict.FITS


def headroom_bytes(device: TrainingDevice) -> int:
    """What is left free for other programs' whims.

    As the user wants it; else half a GiB, at most 5 %.
    """
    if device.headroom_bytes is not None:
        return device.headroom_bytes
    return min(GIB // 2, device.total_bytes // 20)
