"""Chats that a template renders alike: what was found in one holds for the others.

A template puts the same text between a chat's words whatever the words are, as long as
the roles are the same. So once a chat's beginnings were rendered, what they have in
common with the whole is known for every chat whose rendering has the same text between
its words; that is compared, character for character. Templates that look at the words
are told from others in two ways: words that hold a text which the template asks for,
such as ``</think>``, are never taken as known, and now and then a chat is rendered in
full again; the first that differs ends all remembering.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment, TemplateError, nodes

from studio.domain.dataset import Chat
from studio.engine.answer_places import RenderedPlaces, common_length

_CHECKED_AT_FIRST: Final = 2
_CHECKED_EVERY: Final = 256
_MOST_SHAPES: Final = 256
_MOST_OF_A_KIND: Final = 4
_SHORTEST_SIGN: Final = 3
_GENERATION: Final = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
# Filters that look at lists, or only write.
_HARMLESS: Final = frozenset(
    {"map", "selectattr", "rejectattr", "tojson", "default", "join", "indent"}
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a beginning, rendered alone, has in common with the whole.

    Attributes:
        turn: The place is told from this turn's words: from their end with a `tail`,
            else from their start.
        tail: What the beginning's rendering has behind the words of its last turn.
        offset: Characters from the start of the turn's words; negative.
    """

    turn: int
    tail: str | None
    offset: int = 0


@dataclass(slots=True)
class _Shape:
    """One way of rendering.

    Attributes:
        between: The text before each turn's words, and behind the last one's.
        asked: By the number of an answer.
        spoken: By the number of an answer.
        uses: How often it was known again.
    """

    between: tuple[str, ...]
    asked: dict[int, _Mark]
    spoken: dict[int, _Mark]
    uses: int = 0

    def places_in(self, text: str, words: Sequence[str]) -> "KnownPlaces | None":
        """The places in a chat that is rendered this way; None when it isn't."""
        starts: list[int] = []
        parts: list[str] = []
        at = 0
        for before, said in zip(self.between, words, strict=False):
            parts += before, said
            starts.append(at + len(before))
            at = starts[-1] + len(said)
        parts.append(self.between[-1])
        if at + len(self.between[-1]) != len(text) or "".join(parts) != text:
            return None
        return KnownPlaces(self, text, words, starts)

    def is_due(self) -> bool:
        """Whether this use is to be checked against a rendering in full."""
        self.uses += 1
        return self.uses <= _CHECKED_AT_FIRST or not self.uses % _CHECKED_EVERY


@dataclass(frozen=True, slots=True)
class KnownPlaces:
    """Places that follow from a chat of the same shape; see `Places`."""

    shape: _Shape
    text: str
    words: Sequence[str]
    starts: Sequence[int]

    def asked(self, number: int) -> int:
        """As `Places` has it."""
        return self._place(self.shape.asked[number])

    def spoken(self, number: int) -> int:
        """As `Places` has it."""
        return self._place(self.shape.spoken[number])

    def rendered(self, number: int) -> str:
        """As `Places` has it."""
        return self.text[: self.spoken(number)]

    def _place(self, mark: _Mark) -> int:
        start = self.starts[mark.turn]
        if mark.tail is None:
            return start + mark.offset
        end = start + len(self.words[mark.turn])
        return end + common_length(mark.tail, self.text[end : end + len(mark.tail)])


@dataclass(slots=True)
class ChatShapes:
    """The shapes that were met so far.

    Attributes:
        signs: Texts that the template asks for; None when all is rendered in full.
    """

    signs: tuple[str, ...] | None
    _shapes: dict[object, list[_Shape]] = field(default_factory=dict)

    @classmethod
    def of(cls, template: object) -> "ChatShapes":
        """For a tokenizer's template."""
        return cls(_signs_of(template) if isinstance(template, str) else None)

    def known(self, chat: Chat, text: str) -> KnownPlaces | None:
        """What is known of a chat's places; None when it must be rendered in full."""
        if self.signs is None or chat.tools:
            return None
        words = [turn.content.strip() for turn in chat.turns]
        for shape in self._shapes.get(_kind_of(chat), ()):
            found = shape.places_in(text, words)
            if found is not None and not self._has_signs(words):
                return found
        return None

    def learn(self, chat: Chat, places: RenderedPlaces) -> None:
        """Remember a chat that was rendered in full."""
        if self.signs is None or chat.tools or len(self._shapes) >= _MOST_SHAPES:
            return
        kind = _kind_of(chat)
        known = self._shapes.setdefault(kind, [])
        if kind is not None and len(known) < _MOST_OF_A_KIND:
            shape = _shape_of(chat, places)
            if shape is not None:
                known.append(shape)

    def distrust(self) -> None:
        """Render everything in full from now on."""
        self.signs = None

    def _has_signs(self, words: Sequence[str]) -> bool:
        assert self.signs is not None
        return any(sign in said for said in words for sign in self.signs)


def _kind_of(chat: Chat) -> object:
    """What chats of one shape have in common before they are rendered; None for none.

    A turn with calls of tools, or anything else that templates read, is not known.
    """
    kind = []
    for turn in chat.turns:
        if turn.extras:
            return None
        words = turn.content
        before = words[: len(words) - len(words.lstrip())]
        kind.append((turn.role, before, words[len(words.rstrip()) :], not words))
    return tuple(kind)


def _shape_of(chat: Chat, places: RenderedPlaces) -> _Shape | None:
    between, starts, at = [], [], 0
    words = [turn.content.strip() for turn in chat.turns]
    for said in words:
        start = places.text.find(said, at)
        if start < 0:
            return None
        between.append(places.text[at:start])
        starts.append(start)
        at = start + len(said)
    between.append(places.text[at:])
    shape = _Shape(tuple(between), {}, {})
    known = KnownPlaces(shape, places.text, words, starts)
    asked = {n: _mark(known, n - 1, text) for n, text in places.before.items()}
    spoken = {n: _mark(known, n, text) for n, text in places.until.items()}
    marks = [*asked.values(), *spoken.values()]
    if any(mark is None for mark in marks):
        return None
    shape.asked.update({n: mark for n, mark in asked.items() if mark})
    shape.spoken.update({n: mark for n, mark in spoken.items() if mark})
    return shape


def _mark(known: KnownPlaces, last: int, rendered: str) -> _Mark | None:
    """What a beginning that ends with a turn has in common with the whole."""
    text = known.text
    end = known.starts[last] + len(known.words[last])
    if rendered[:end] == text[:end]:
        return _Mark(last, rendered[end:])
    shared, before = common_length(rendered, text), 0
    for turn, start in enumerate(known.starts):
        # Where they part, both must have the template's text, for words differ.
        if before <= shared < start:
            return _Mark(turn, None, shared - start)
        before = start + len(known.words[turn])
    return None


def _signs_of(template: str) -> tuple[str, ...] | None:
    """The texts that a template asks for; None when it can't be understood."""
    try:
        parsed = Environment(
            extensions=["jinja2.ext.loopcontrols"], autoescape=False
        ).parse(_GENERATION.sub("", template))
        return tuple(sorted(set(_texts(parsed)), key=len))
    except (TemplateError, RecursionError):
        return None


def _texts(parsed: nodes.Template) -> Iterator[str]:
    for constant in parsed.find_all(nodes.Const):
        text = constant.value
        if isinstance(text, str) and _is_sign(text.strip()):
            yield text.strip()
    for asking in parsed.find_all((nodes.Compare, nodes.Call, nodes.Filter)):
        for part in _asked_for(asking):
            text = part.value if isinstance(part, nodes.Const) else None
            if isinstance(text, str) and text.strip():
                yield text.strip()


def _is_sign(text: str) -> bool:
    """Whether a text looks like one that no words hold by chance, such as a role."""
    return len(text) >= _SHORTEST_SIGN and not text.replace("_", "").isalnum()


def _asked_for(asking: nodes.Node) -> Iterator[nodes.Node]:
    """What words may be searched for: ``"x" in words``, ``words.split("x")``."""
    if isinstance(asking, nodes.Compare):
        if any(each.op in {"in", "notin"} for each in asking.ops):
            yield asking.expr
            yield from (each.expr for each in asking.ops)
    elif isinstance(asking, nodes.Call):
        if isinstance(asking.node, nodes.Getattr):
            yield from asking.args
    elif isinstance(asking, nodes.Filter) and asking.name not in _HARMLESS:
        yield from asking.args
