"""What a program is that holds memory, told by the name of its executable.

Snugtune never ends other programs; it names them, and says what their user could do.
A program that isn't known is called so, and nothing is advised.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from studio.domain.hardware import MIB, gib

UNKNOWN: Final = "Unknown program"
_LITTLE: Final = 16 * MIB  # nobody closes a program for less
_VERSION = re.compile(r"[-_ ]?\d[\d.]*$")


class Advice(StrEnum):
    """What its user could do about a program."""

    CLOSE = "close"
    STOP = "stop"
    SCREEN = "screen"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class ProgramKind:
    """A kind of program.

    Attributes:
        what: For people.
        advice: What its user could do; None for nothing that is known.
    """

    what: str
    advice: Advice | None = None

    def advice_words(self, held_bytes: int | None) -> str:
        """What its user could do, in a few words; empty for nothing.

        Args:
            held_bytes: What it holds; None where the platform doesn't tell.
        """
        match self.advice:
            case Advice.SCREEN:
                return "Draws your screen"
            case Advice.RUN:
                return "May be another training run"
            case Advice.CLOSE | Advice.STOP:
                return _given_back(self.advice, held_bytes)
            case None:
                return ""


def kind_of(name: str, known: Mapping[str, ProgramKind]) -> ProgramKind:
    """What a program is.

    Args:
        name: Of its executable, as the system tells it.
        known: Kinds by names in lower case, without ``.exe`` or a version.
    """
    plain = name.casefold().removesuffix(".exe")
    found = known.get(plain) or known.get(_VERSION.sub("", plain))
    return found or ProgramKind(UNKNOWN)


def _given_back(advice: Advice, held_bytes: int | None) -> str:
    verb = advice.value.capitalize()
    if held_bytes is None:
        return f"{verb} it to get its share back"
    if held_bytes < _LITTLE:
        return ""
    return f"{verb} it to get {gib(held_bytes)} back"
