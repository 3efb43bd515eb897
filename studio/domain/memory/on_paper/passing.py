"""The highest points of a pass on paper, and what stands there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.on_paper.record import Record


@dataclass(frozen=True, slots=True, eq=False)  # a pass that is kept is the same one
class Passing:
    """The highest point of a phase, beside what stands from loading on.

    Attributes:
        bytes: Live there.
        tape: On which it is, if on any.
        end: Of the tape's events up to there.
        turn: From which storage on they came to be in the backward pass.
        beside: Further bytes, by component and phase.
    """

    bytes: int
    tape: Record | None = None
    end: int = 0
    turn: int = 0
    beside: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def parts(self) -> dict[tuple[str, str], int]:
        """Bytes by component and by the phase that each came to be in."""
        found = dict(self.beside)
        if self.tape is None:
            return found
        forward, backward = MemoryPhase.FORWARD.value, MemoryPhase.BACKWARD.value
        names, sizes = self.tape.template.names, self.tape.sizes
        events = self.tape.template.events[: self.end]
        for at in set(events).difference([-number for number in events]):
            if at > 0:
                key = names[at], forward if at < self.turn else backward
                found[key] = found.get(key, 0) + sizes[at]
        return found

    def and_beside(self, name: str, phase: str, amount: int) -> "Passing":
        """The same with something more."""
        beside = {**self.beside, (name, phase): amount}
        return replace(self, bytes=self.bytes + amount, beside=beside)


def highest(tape: Record, made: int, *turns: int) -> list[Passing]:
    """The highest points of what lies between turns of a tape's events.

    `made` is from which storage on they came to be in the backward pass.
    """
    held = list(accumulate(map(tape.signed.__getitem__, tape.template.events)))
    ends = (*turns, len(held))
    found = []
    for start, stop in zip((0, *turns), ends, strict=True):
        most = max(held[start:stop])
        found.append(Passing(most, tape, held.index(most, start) + 1, made))
    return found
