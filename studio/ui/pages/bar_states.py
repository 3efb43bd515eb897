"""From what is measured and predicted to the pictures that pages share.

Start, Model and Recipe show the same bar of the same run; it is put together here, free
of Qt, so that no page rounds or judges in its own way.
"""

from dataclasses import replace
from typing import Final

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory import estimate as prediction
from studio.domain.memory.estimate import Group, MemoryEstimate
from studio.domain.recommend.proposal import headroom_bytes
from studio.ui.text import gib
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment, Verdict

GROUP_SEGMENTS: Final = {
    Group.WEIGHTS: Segment.WEIGHTS,
    Group.ADAPTER: Segment.ADAPTER,
    Group.ACTIVATIONS: Segment.ACTIVATIONS,
    Group.LOSS: Segment.LOSS,
    Group.OVERHEAD: Segment.OVERHEAD,
}
_WITHOUT_DECIMALS: Final = 100
_MUCH_ROOM: Final = 1 / 3
"""Share of the free memory that must stay for a run to have much room."""


def measured_bar(
    device: TrainingDevice, run_bytes: int | None = None
) -> MemoryBarState:
    """The device as it is now: what programs hold, and what is free.

    Args:
        device: As it was read.
        run_bytes: What the run under way holds of it; its parts can't be told apart
            live, so all of it is one segment. None without a run.
    """
    used = {Segment.OTHER: device.used_bytes - (run_bytes or 0)}
    if run_bytes is not None:
        used[Segment.ACTIVATIONS] = run_bytes
    bar = MemoryBarState.filled(device.total_bytes, used, measured=True)
    return replace(bar, limit_name=_limit_name(device))


def predicted_bar(
    estimate: MemoryEstimate, device: TrainingDevice, *, provisional: bool = False
) -> MemoryBarState:
    """A run on top of what other programs hold now.

    The head-room shrinks to what is left; a run that doesn't fit has none, and its
    segments reach beyond the device.

    Args:
        estimate: Of the run.
        device: As it was read.
        provisional: Whether a better estimate is being worked out.
    """
    left = max(0, device.free_bytes - estimate.peak_bytes)
    used = {Segment.OTHER: device.used_bytes}
    used |= {GROUP_SEGMENTS[group]: held for group, held in estimate.by_group().items()}
    used[Segment.HEADROOM] = min(left, headroom_bytes(device))
    bar = MemoryBarState.filled(
        device.total_bytes,
        used,
        verdict=verdict_of(estimate, device),
        band=(estimate.peak_bytes, estimate.low_bytes, estimate.high_bytes),
    )
    limit = _limit_name(device)
    return replace(bar, limit_name=limit, provisional=provisional)


def verdict_of(estimate: MemoryEstimate, device: TrainingDevice) -> Verdict:
    """Whether the predicted peak fits what is free now, head-room kept."""
    match estimate.verdict(device, headroom_bytes(device)):
        case prediction.Verdict.DOES_NOT_FIT:
            return Verdict.SHORT
        case prediction.Verdict.TIGHT:
            return Verdict.TIGHT
        case prediction.Verdict.FITS:
            left = device.free_bytes - estimate.peak_bytes
            much = left > device.free_bytes * _MUCH_ROOM
            return Verdict.MUCH_ROOM if much else Verdict.FITS


def short_by_bytes(estimate: MemoryEstimate, device: TrainingDevice) -> int:
    """What is missing for the peak to fit; 0 when it does."""
    return max(0, estimate.peak_bytes - device.free_bytes)


def peak_range(estimate: MemoryEstimate) -> str:
    """The predicted peak in GiB as what it is, a range: ``0.62 to 0.84``.

    From 100 GiB on without decimals, for which a column has no room.
    """
    low, high = estimate.low_bytes, estimate.high_bytes
    if high >= _WITHOUT_DECIMALS * GIB:
        return f"{low / GIB:,.0f} to {high / GIB:,.0f}"
    return f"{gib(low)} to {gib(high)}"


def _limit_name(device: TrainingDevice) -> str:
    return "main memory" if device.kind == "cpu" else "card limit"
