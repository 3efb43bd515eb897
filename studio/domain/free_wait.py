"""Waiting until a device has been free for a while, without a break.

A wait is a value: each look at the device makes the next one, so that neither a clock
nor a driver is needed to tell what it comes to.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from studio.domain.hardware import TrainingDevice, gib
from studio.domain.time_words import duration

LONGEST_GAP_S: Final = 30.0
"""Nobody knows what happened between two looks that are further apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeWait:
    """How long the memory that a run needs has been free.

    Attributes:
        need_bytes: What must be free.
        hold_s: For how many seconds without a break.
        kind: Of the device, ``cuda`` or ``cpu``; another one counts for nothing, such
            as the processor that is told while a driver doesn't answer.
        device: As it was looked at last; None before, or while it was another one.
        free_since: When the memory became free, seconds of the caller's clock; None
            while it isn't.
        looked_at: When it was looked at last, likewise.
        busy_with: The run that trains meanwhile, whose memory isn't all taken yet;
            empty without one.
    """

    need_bytes: int
    hold_s: float
    kind: str
    device: TrainingDevice | None = None
    free_since: float | None = None
    looked_at: float | None = None
    busy_with: str = ""

    def seen(self, device: TrainingDevice, now: float, busy_with: str = "") -> Self:
        """The wait after another look.

        Args:
            device: As it is now.
            now: Seconds of a clock that never goes back.
            busy_with: A run that trains on it just now; empty without one.
        """
        here = device if device.kind == self.kind else None
        is_free = here is not None and here.free_bytes >= self.need_bytes
        since = self.free_since if self._goes_on(now) else None
        return replace(
            self,
            device=here,
            free_since=(now if since is None else since)
            if is_free and not busy_with
            else None,
            looked_at=now,
            busy_with=busy_with,
        )

    @property
    def seconds_left(self) -> float | None:
        """How long the memory has still to stay free; None while it isn't."""
        if self.free_since is None or self.looked_at is None:
            return None
        return max(0.0, self.hold_s - (self.looked_at - self.free_since))

    @property
    def is_over(self) -> bool:
        """Whether it has been free for long enough."""
        return self.seconds_left == 0.0

    @property
    def state_words(self) -> str:
        """What is waited for, without figures that change from look to look."""
        if self.looked_at is None:
            return ""
        if self.busy_with:
            return f"Waits for {self.busy_with} to end."
        if self.device is None:
            return "Waits for the card, which does not answer."
        if self.free_since is None:
            return f"Waits for {gib(self.need_bytes)} on {self.device.name}."
        return f"{gib(self.need_bytes)} are free on {self.device.name}."

    def sentence(self) -> str:
        """What is waited for and how far that is, for people."""
        state, left = self.state_words, self.seconds_left
        if left is not None:
            return f"{state} Goes on in {duration(left)} if they stay free."
        if self.device is None or self.busy_with:
            return state
        return f"{state} Free now: {gib(self.device.free_bytes)}."

    def _goes_on(self, now: float) -> bool:
        """Whether this look follows the last one closely enough to know of no break."""
        return self.looked_at is not None and now - self.looked_at <= LONGEST_GAP_S
