"""The turns of a chat: their order, and turns without words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding
from studio.domain.dataset import Chat, Turn

_MERGED_WITH: Final = "\n\n"
_FLAWS: Final = {
    "twice": "one speaker has two turns in a row",
    "system": "a system turn stands behind another turn",
    "unasked": "the assistant speaks before it is asked",
    "unanswered": "the last turn has no answer",
}


def flaws_of(turns: Sequence[Turn]) -> list[str]:
    """What is wrong with the order of some turns, as keys of the words for it.

    Turns of tools may follow each other, and so may those that call tools.
    """
    spoken = [turn for turn in turns if turn.role != "system"]
    flaws = {
        "twice": any(_are_one(*two) for two in pairwise(turns)),
        "system": any(turn.role == "system" for turn in turns[1:]),
        "unasked": bool(spoken) and spoken[0].role == "assistant",
        "unanswered": bool(turns) and turns[-1].role != "assistant",
    }
    return [name for name, is_so in flaws.items() if is_so]


def ordered(chat: Chat) -> Chat | None:
    """A chat with its turns in order; None when no answer is left then.

    System turns move to the front, turns of one speaker in a row become one, answers
    before the first question and turns behind the last answer are left away.
    """
    if not flaws_of(chat.turns) and not flaws_of(chat.rejected):
        return chat
    turns, rejected = _ordered(chat.turns), _ordered(chat.rejected)
    if not turns or (chat.rejected and not rejected) or turns == rejected:
        return None
    return replace(chat, turns=turns, rejected=rejected)


def without_blank_turns(chat: Chat) -> Chat | None:
    """A chat without empty system turns; None when a question is empty."""
    if not _blank(chat):
        return chat
    chat = replace(chat, turns=_kept(chat.turns), rejected=_kept(chat.rejected))
    return None if _blank(chat) else chat


class RoleOrder:
    """Tells of rows whose turns are out of order."""

    def __init__(self) -> None:
        self._places = Places()
        self._flaws: dict[str, int] = {}

    def take(self, row: CheckedRow) -> None:
        """Look at the order of its turns."""
        if row.chat is None or row.fault or row.chat.text:
            return
        flaws = flaws_of(row.chat.turns)
        if row.chat.rejected:
            flaws += [f for f in flaws_of(row.chat.rejected) if f not in flaws]
        for flaw in flaws:
            self._flaws[flaw] = self._flaws.get(flaw, 0) + 1
        if flaws:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        often = sorted(self._flaws.items(), key=lambda pair: -pair[1])
        words = "; ".join(f"{_FLAWS[flaw]} ({count:,})" for flaw, count in often)
        yield from told(
            "data.role-order",
            self._places,
            f"The turns of {{rows}} are out of order: {words}.",
            why="Many chat templates refuse such a chat, and no user will ask so.",
            fix="Put them in order in a new file: turns of one speaker become one, "
            "system turns come first, and what has no question or no answer goes.",
        )


class EmptyTurns:
    """Tells of rows with a question or a system turn without words."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look for turns without words; empty answers are left out already."""
        if row.chat is not None and not row.fault and _blank(row.chat):
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.empty-turn",
            self._places,
            "{rows} have a question or a system turn without words.",
            why="The model would learn to answer nothing.",
            fix="Leave rows with empty questions out, and empty system turns away.",
        )


def _kept(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    return tuple(t for t in turns if t.role != "system" or t.content.strip())


def _blank(chat: Chat) -> bool:
    """Whether a user or the system says nothing."""
    return any(
        turn.role in {"user", "system"} and not turn.content.strip()
        for turns in (chat.turns, chat.rejected)
        for turn in turns
    )


def _are_one(first: Turn, second: Turn) -> bool:
    """Whether two turns in a row are one that was cut in two."""
    return (
        first.role == second.role
        and first.role != "tool"
        and not first.extras
        and not second.extras
    )


def _ordered(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    system = [turn for turn in turns if turn.role == "system"]
    spoken = [turn for turn in turns if turn.role != "system"]
    while spoken and spoken[0].role != "user":
        spoken.pop(0)
    while spoken and spoken[-1].role != "assistant":
        spoken.pop()
    merged: list[Turn] = []
    for turn in (*system, *spoken):
        if merged and _are_one(merged[-1], turn):
            words = (merged[-1].content, turn.content)
            merged[-1] = Turn(turn.role, _MERGED_WITH.join(filter(None, words)))
        else:
            merged.append(turn)
    return tuple(merged) if spoken else ()
