"""What is told of a card's fault, and what to do: for an engine, and for its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from studio.domain.card_faults import CardFault
from studio.domain.pauses import Cause

_MENDS: Final = "Run python3 installer/start.py again"


@dataclass(frozen=True, slots=True)
class FaultWords:
    """How a fault is told.

    Attributes:
        kind: Its stable name.
        what: What happened, up to where the library's own words follow.
        advice: What to do.
        why: What is usually behind it.
    """

    kind: str
    what: str
    advice: str
    why: str = ""

    def message(self, said: str) -> str:
        """What happened, as one or two sentences.

        Args:
            said: What the library said, without a full stop.
        """
        return f"{self.what}: {said}. {self.why}".strip()


FAULT_WORDS: Final[Mapping[CardFault, FaultWords]] = MappingProxyType(
    {
        CardFault.LOST: FaultWords(
            Cause.CARD_LOST,
            "The card stopped answering",
            "Go on with the run; if that fails, restart the machine first.",
        ),
        CardFault.BUSY: FaultWords(
            Cause.CARD_BUSY,
            "The card could not be had",
            "Another program may have it for itself, or the machine isn't ready yet: "
            "end that program or wait, then go on with the run.",
        ),
        CardFault.CRASHED: FaultWords(
            Cause.CARD_CRASHED,
            "A computation crashed on the card",
            "Go on with the run. If it crashes at the same step again, a library is at "
            "fault: report it with the log. If at another one, the card isn't stable: "
            "take overclocking back, and look after heat, power supply and driver.",
        ),
        CardFault.ASSERTED: FaultWords(
            "card.index",
            "A computation on the card refused a number that is out of its range",
            "Look whether the tokenizer belongs to the model, and whether it has "
            "tokens that the model's embeddings lack; the log names the check that "
            "failed.",
            why="Usually it is a token's number beyond the model's table of "
            "embeddings. Going on would meet it again.",
        ),
        CardFault.UNSUITED: FaultWords(
            "card.unsuited",
            "There is no code here for this card's architecture",
            f"{_MENDS}; it chooses the build of torch that suits the card.",
        ),
        CardFault.OUTDATED: FaultWords(
            "card.driver",
            "The card's driver doesn't go with the installed build of torch",
            f"Update the NVIDIA driver and restart the machine. {_MENDS} if that can't "
            "be; it chooses a build for the driver that is there.",
        ),
    }
)
"""How each fault of a card is told; those that aren't here have words elsewhere."""

COMES_AGAIN: Final = frozenset(
    words.kind for fault, words in FAULT_WORDS.items() if not fault.may_pass
)
"""Kinds of faults that going on meets again, until something is mended."""
