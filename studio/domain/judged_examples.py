"""Examples with a judgement, as methods that learn from judgements take them.

Their names are those of the field: a *pair* has prompt, chosen and rejected (DPO,
ORPO), a *rated* answer has prompt, completion and label (KTO).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.domain.dataset import Chat, RowError, Turn

_CODE = "data.not-judged"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to the same question.

    Attributes:
        prompt: What both follow.
        chosen: The better answer.
        rejected: The worse one.
        tools: That the assistant may call.
    """

    prompt: tuple[Turn, ...]
    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]
    tools: tuple[Mapping[str, object], ...] = ()

    def columns(self) -> dict[str, object]:
        """As trl's preference trainers take a row of messages."""
        return {
            "prompt": _messages(self.prompt),
            "chosen": _messages(self.chosen),
            "rejected": _messages(self.rejected),
            **({"tools": list(self.tools)} if self.tools else {}),
        }


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """An answer and whether it was a good one.

    Attributes:
        prompt: What it follows.
        completion: The answer.
        label: Whether it was liked.
        tools: That the assistant may call.
    """

    prompt: tuple[Turn, ...]
    completion: tuple[Turn, ...]
    label: bool
    tools: tuple[Mapping[str, object], ...] = ()

    def columns(self) -> dict[str, object]:
        """As trl's KTO trainer takes a row of messages."""
        return {
            "prompt": _messages(self.prompt),
            "completion": _messages(self.completion),
            "label": self.label,
            **({"tools": list(self.tools)} if self.tools else {}),
        }


def judged_example(chat: Chat) -> Pair | RatedAnswer:
    """An example with its judgement, prompt and answers parted.

    Both answers of a pair begin where they first differ, yet never within a question:
    what both begin with alike is the prompt.

    Raises:
        RowError: It was never judged, or its answers follow different questions.
    """
    if chat.rejected:
        return _pair(chat)
    if chat.is_liked is not None:
        answer = _last_answer(chat.turns)
        prompt, completion = chat.turns[:answer], chat.turns[answer:]
        if not (prompt and completion):
            raise RowError("has no question, or no answer behind it", _CODE)
        return RatedAnswer(prompt, completion, chat.is_liked, chat.tools)
    raise RowError("has neither a rejected answer nor a verdict", _CODE)


def _pair(chat: Chat) -> Pair:
    good, bad = chat.turns, chat.rejected
    alike = 0
    while alike < min(len(good), len(bad)) and good[alike] == bad[alike]:
        alike += 1
    # A turn that both share right before they part is a part of the prompt; a chat that
    # is the beginning of the other parts where its own last answer begins.
    if alike in {len(good), len(bad)}:
        alike = _last_answer(good[:alike])
    chosen, rejected = good[alike:], bad[alike:]
    if not (alike and chosen and rejected):
        raise RowError("has no question before its two answers", _CODE)
    if "user" in {chosen[0].role, rejected[0].role}:
        raise RowError("has answers that follow different questions", _CODE)
    return Pair(good[:alike], chosen, rejected, chat.tools)


def _last_answer(turns: Sequence[Turn]) -> int:
    """Where the turns begin that follow the user's last one."""
    at = len(turns)
    while at and turns[at - 1].role != "user":
        at -= 1
    return at


def _messages(turns: Sequence[Turn]) -> list[dict[str, object]]:
    return [turn.as_message() for turn in turns]
