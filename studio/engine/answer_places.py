"""Where in a rendered chat the assistant speaks.

An answer begins where the template's own generation prompt ends, as it will when the
model is asked, and ends behind the special token that follows the answer's text. So
each answer needs two more renderings of the chat's beginning. What those say about one
chat is remembered (`studio.engine.chat_shapes`) for chats that are rendered alike.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.domain.data_checks.mended_codes import NOT_RENDERED
from studio.domain.dataset import Chat, RowError, Turn

_LONGEST_OVERLAP = 256


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text, in characters; `ends` when a special token closes it."""

    start: int
    stop: int
    ends: bool


class Places(Protocol):
    """What the chat's beginnings, rendered alone, have in common with the whole."""

    def asked(self, number: int) -> int:
        """How many characters the whole begins with like the chat before a turn.

        The chat before it is rendered with the generation prompt.
        """

    def spoken(self, number: int) -> int:
        """The same for the chat up to and including a turn."""

    def rendered(self, number: int) -> str:
        """That chat, once `spoken` was asked; only of turns that call tools."""


@dataclass(frozen=True, slots=True)
class RenderedPlaces:
    """Places that are found by rendering; keeps what was rendered.

    Attributes:
        chat: The chat.
        text: All of it, rendered.
        render: Renders its first turns, with the generation prompt or without.
        before: The renderings before a turn, by its number.
        until: The renderings that end with a turn, by its number.
    """

    chat: Chat
    text: str
    render: Callable[[int, bool], str]
    before: dict[int, str]
    until: dict[int, str]

    def asked(self, number: int) -> int:
        """As `Places` has it."""
        self.before[number] = self.render(number, True)
        return common_length(self.before[number], self.text)

    def spoken(self, number: int) -> int:
        """As `Places` has it."""
        if number + 1 == len(self.chat.turns):
            self.until[number] = self.text  # the very same rendering
            return len(self.text)
        self.until[number] = self.render(number + 1, False)
        return common_length(self.until[number], self.text)

    def rendered(self, number: int) -> str:
        """As `Places` has it."""
        return self.until[number]


@dataclass(frozen=True, slots=True)
class AnswerFinder:
    """Finds the answers in rendered chats of one tokenizer.

    Attributes:
        special: Matches one special token, and the space before it.
        ending: Matches a text that ends with one.
    """

    special: re.Pattern[str]
    ending: re.Pattern[str]

    @classmethod
    def of(cls, names: Sequence[str]) -> "AnswerFinder":
        """For the special tokens of these names."""
        longest_first = sorted(names, key=len, reverse=True)
        any_name = "|".join(map(re.escape, longest_first)) or "(?!)"
        return cls(re.compile(rf"\s*(?:{any_name})"), re.compile(rf"(?:{any_name})\Z"))

    def answers(self, chat: Chat, text: str, places: Places) -> list[Span]:
        """The parts of a rendered chat that are learnt.

        Raises:
            RowError: The template rewrites an answer, or leaves out a call of a tool.
        """
        spans: list[Span] = []
        cursor = 0
        for number, turn in enumerate(chat.turns):
            words = turn.content.strip()
            if turn.role == "assistant":
                start = max(cursor, places.asked(number)) if number else cursor
                found = _found(text, words, start, cursor)
                begin = start if number else found
                so_far = places.spoken(number)
                if turn.extras.get("tool_calls"):
                    rendered = places.rendered(number)
                    span = self._calling(text, turn, begin, so_far, rendered)
                else:
                    behind = found + len(words)
                    stop = self._end_of_turn(text, behind, so_far)
                    span = Span(begin, stop, stop > behind)
                spans.append(span)
                cursor = span.stop
            elif (at := text.find(words, cursor)) >= 0:
                # Stepped over, so that an answer isn't found inside a question.
                cursor = at + len(words)
        return spans

    def _calling(
        self, text: str, turn: Turn, begin: int, so_far: int, rendered: str
    ) -> Span:
        """All of a turn: a call stands in the text as the template writes it.

        Args:
            text: The whole chat.
            turn: With calls.
            begin: Where the model begins to speak.
            so_far: How much of the text the chat has that ends with this turn.
            rendered: That chat.

        Raises:
            RowError: The template leaves a call out.
        """
        names = list(_called(turn))
        if names and names[0] not in text[begin:so_far]:
            # What comes before a call may be written otherwise in the last turn, such
            # as an empty thought; from the call on the turn is the same.
            call = rendered[rendered.rfind(names[0]) :]
            at = text.find(call, begin) if names[0] in call else -1
            so_far = at + len(call) if at >= 0 else so_far
        said = text[:so_far].rstrip()
        if any(name not in said[begin:] for name in names):
            raise RowError(
                "calls a tool, which the chat template leaves out", NOT_RENDERED
            )
        stop = max(begin, len(said))
        return Span(begin, stop, self.ending.search(said) is not None)

    def _end_of_turn(self, text: str, behind: int, so_far: int) -> int:
        """Where a turn ends: behind the special tokens that follow its words.

        Args:
            text: The whole chat.
            behind: Where the words end.
            so_far: How much of the text the chat has that ends with this turn; what
                follows belongs to the next turn.

        Returns:
            `behind` itself, when no special token follows.
        """
        stop = behind
        while found := self.special.match(text, stop):
            if stop > behind and found.end() > so_far:
                break
            stop = found.end()
        return stop


def common_length(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _found(text: str, words: str, start: int, cursor: int) -> int:
    """Where an answer's words stand.

    Raises:
        RowError: They stand nowhere.
    """
    if (found := text.find(words, start)) >= 0:
        return found
    # The question may end with the answer's first words, such as "<think>": then the
    # model is given those, and learns to go on.
    most = min(len(words), start - cursor, _LONGEST_OVERLAP)
    for overlap in range(most, 0, -1):
        if text.startswith(words, start - overlap):
            return start - overlap
    raise RowError("has an answer that the chat template rewrites", NOT_RENDERED)


def _called(turn: Turn) -> Iterator[str]:
    """The names of the tools that a turn calls."""
    calls = turn.extras.get("tool_calls")
    for call in calls if isinstance(calls, list | tuple) else ():
        function = call.get("function", call) if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str):
            yield name
