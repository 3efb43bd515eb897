"""What a tape comes to: its events, and the bytes of each storage for one batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, filterfalse
from operator import neg

from studio.domain.memory.allocator import LARGEST_SMALL
from studio.domain.memory.on_paper.extent import terms_of
from studio.domain.memory.on_paper.reserving import Part
from studio.domain.memory.on_paper.tape import BLOCK, Tape

_UP, _DOWN = BLOCK - 1, -BLOCK  # adds and masks what rounds up to whole blocks
_DIVISIONS = 8  # kept of a template; a slider takes few sizes from pool to pool

Events = Sequence[int]
"""Numbers of storages as they are allocated; negative for releases."""


@dataclass(frozen=True, slots=True, eq=False)  # a record that is kept is the same one
class Record:
    """A tape in bytes.

    Attributes:
        template: Of it, which has the rest.
        sizes: Bytes of each storage, by its number; rounded to blocks.
        signed: What events add to the bytes that live, by their numbers; the negative
            number of a release counts from the list's end.
        large: Of the template's different sizes, which have blocks in the large pool.
    """

    template: "Template"
    sizes: Sequence[int]
    signed: Sequence[int]
    large: tuple[bool, ...]

    def parts(self) -> tuple[Part, ...]:
        """The template's stretches, as pools read them."""
        template, signed, found = self.template, self.signed, []
        for large, small in template.divided(self.large):
            standing = [*accumulate(map(signed.__getitem__, small), initial=0)]
            most, left = max(standing), standing[-1]
            found.append(Part(self.sizes, template.counts, large, most, left))
        return tuple(found)


class Template:
    """A written tape, of which those of all batches are copies.

    Attributes:
        events: All of them.
        counts: Of storages that stand for several equal ones, how many.
        names: Component of each storage.
    """

    def __init__(self, tape: Tape, *stretches: Events) -> None:
        """Copy a tape; `stretches` are events that are replayed apart.

        What the tape still holds is let go with it, and would be written down there.
        """
        self.events: Events = tuple(tape.events)
        self.counts: Mapping[int, int] = tape.counts
        self.names: Sequence[str] = tape.names
        self._stretches = stretches
        places: dict[int, int] = {}
        self._places = [places.setdefault(size, len(places)) for size in tape.sizes]
        self._terms = [terms_of(size) for size in places]
        self._divided: dict[tuple[bool, ...], list[tuple[Events, Events]]] = {}

    def at(self, amounts: Sequence[int]) -> Record:
        """The tape of one batch.

        Args:
            amounts: What symbols stand for (`Extent.amounts`).
        """
        found = [
            sum([count * amounts[place] for count, place in terms]) + _UP & _DOWN
            for terms in self._terms
        ]
        sizes = [found[place] for place in self._places]
        for number, count in self.counts.items():
            sizes[number] *= count
        signed = [*sizes, *map(neg, sizes[:0:-1])]
        return Record(self, sizes, signed, tuple(n > LARGEST_SMALL for n in found))

    def divided(self, large: tuple[bool, ...]) -> list[tuple[Events, Events]]:
        """Of each stretch the events of the large pool, and those of the small one.

        Args:
            large: Of the different sizes, which are in the large pool.
        """
        found = self._divided.get(large)
        if found is None:
            if len(self._divided) >= _DIVISIONS:
                self._divided.clear()
            whose = [large[place] for place in self._places]
            is_large = [*whose, *whose[:0:-1]].__getitem__
            found = self._divided[large] = [
                ([*filter(is_large, events)], [*filterfalse(is_large, events)])
                for events in self._stretches
            ]
        return found
