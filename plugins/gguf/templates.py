"""What a chat template puts around what is said, found by trying it.

Ollama renders chats by a language of its own, which knows no Jinja. A template that
puts the same words around each turn, whatever is said, can be written in it; whether a
template is one is tried with chats of several lengths. What is said has no spaces at
its ends there: templates that cut such off are taken to keep them.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

Turns: TypeAlias = Sequence[tuple[str, str]]
"""(role, what is said), in order."""


class Render(Protocol):
    """Renders a chat by the model's own template."""

    def __call__(self, turns: Turns, *, asks: bool) -> str:
        """A chat as text.

        Args:
            turns: Of it.
            asks: Whether the beginning of an answer stands behind it.

        Raises:
            ValueError: The template refuses it.
        """


@dataclass(frozen=True, slots=True)
class Pieces:
    """What stands around each turn.

    Attributes:
        begin: Before a chat that has no turn of the system.
        system: Before and behind the system's turn, which is the first; None where the
            template knows no such turn.
        user: Before and behind what the user says.
        assistant: Before and behind an answer.
        asks: Behind a chat that is to be answered.
        folds: Whether the user's turn behind the system's has nothing before it.
    """

    begin: str
    system: tuple[str, str] | None
    user: tuple[str, str]
    assistant: tuple[str, str]
    asks: str
    folds: bool = False

    def rendered(self, turns: Turns, *, asks: bool) -> str:
        """A chat put together of them."""
        has_system = turns[0][0] == "system"
        text = "" if has_system else self.begin
        for place, (role, said) in enumerate(turns):
            before, behind = {
                "system": self.system or ("", ""),
                "user": self.user,
                "assistant": self.assistant,
            }[role]
            bare = self.folds and has_system and place == 1
            text += ("" if bare else before) + said + behind
        return text + (self.asks if asks else "")

    def without(self, begin: str) -> "Pieces | None":
        """The same without the word that begins a chat, which a runner adds itself.

        None where each turn of the user begins with it: only the first one is added.
        """
        if not self.begin and self.user[0].startswith(begin):
            return None
        system = self.system
        if system is not None:
            system = (system[0].removeprefix(begin), system[1])
        return replace(self, begin=self.begin.removeprefix(begin), system=system)


def pieces_of(render: Render) -> Pieces | None:
    """Take a template to pieces; None where it isn't made of such."""
    try:
        pieces = _with_system(render, _plain(render))
        chats = list(_trials(pieces.system is not None))
        same = all(
            pieces.rendered(turns, asks=asks) == render(turns, asks=asks)
            for turns, asks in chats
        )
    except ValueError:
        return None
    return pieces if same else None


def _plain(render: Render) -> Pieces:
    u, a = _said("user"), _said("assistant")
    one = render([u(1)], asks=False)
    begin_user, user_end = _around(one, u(1)[1])
    both = render([u(1), a(1)], asks=False)
    _, answer_end = _around(both, a(1)[1])
    between = _around(_around(both, u(1)[1])[1], a(1)[1])[0]
    more = render([u(1), a(1), u(2)], asks=False)
    again = _around(_around(more, a(1)[1])[1], u(2)[1])[0]
    user_begin = _behind(again, answer_end)
    asked = render([u(1)], asks=True)
    return Pieces(
        begin=_before(begin_user, user_begin),
        system=None,
        user=(user_begin, user_end),
        assistant=(_behind(between, user_end), answer_end),
        asks=_behind(asked, one),
    )


def _with_system(render: Render, plain: Pieces) -> Pieces:
    u, s = _said("user"), _said("system")
    try:
        text = render([s(1), u(1)], asks=False)
        before, rest = _around(text, s(1)[1])
        behind, _ = _around(rest, u(1)[1])
    except ValueError:
        return plain
    if behind.endswith(plain.user[0]):
        end = behind[: len(behind) - len(plain.user[0])]
        return replace(plain, system=(before, end))
    return replace(plain, system=(before, behind), folds=True)


def _trials(has_system: bool) -> Iterator[tuple[Turns, bool]]:
    u, a, s = _said("user"), _said("assistant"), _said("system")
    long = [turn for number in range(1, 4) for turn in (u(number), a(number))]
    for turns in ([u(1)], long[:3], long[:5]):
        yield turns, True
        if has_system:
            yield [s(1), *turns], True
    yield long, False
    lines = "Two lines,\n\nand “marks”: <b>{{ x }}</b> \\ % end."
    yield [("user", lines), ("assistant", lines), ("user", lines)], True


def _said(role: str) -> Callable[[int], tuple[str, str]]:
    """Turns of a role by number, of words that no template holds."""
    return lambda number: (role, f"Zq{role}{number}qZ")


def _around(text: str, said: str) -> tuple[str, str]:
    if text.count(said) != 1:
        message = "what is said doesn't stand in the text once"
        raise ValueError(message)
    before, _, behind = text.partition(said)
    return before, behind


def _behind(text: str, first: str) -> str:
    if not text.startswith(first):
        message = "turns aren't put together alike"
        raise ValueError(message)
    return text[len(first) :]


def _before(text: str, last: str) -> str:
    if not text.endswith(last):
        message = "turns aren't put together alike"
        raise ValueError(message)
    return text[: len(text) - len(last)]


def in_go(pieces: Pieces) -> str:
    """The same in the language of Ollama's templates.

    An answer that is last is gone on with, so nothing stands behind it.
    """
    lines = []
    if pieces.begin:
        first = '{{- if ne (index .Messages 0).Role "system" }}'
        lines.append(f"{first}{_literal(pieces.begin)}{{{{ end }}}}")
    lines.append("{{- range $at, $turn := .Messages }}")
    lines.append("{{- $last := eq (len (slice $.Messages $at)) 1 }}")
    lines.append('{{- if eq .Role "user" }}')
    lines += _turn(_user_begin(pieces), _literal(pieces.user[1]))
    if pieces.system is not None:
        lines.append('{{- else if eq .Role "system" }}')
        lines += _turn(_literal(pieces.system[0]), _literal(pieces.system[1]))
    lines.append('{{- else if eq .Role "assistant" }}')
    end = f"{{{{ if not $last }}}}{_literal(pieces.assistant[1])}{{{{ end }}}}"
    lines += _turn(_literal(pieces.assistant[0]), end)
    lines.append("{{- end }}")
    if pieces.asks:
        asked = '{{- if and $last (ne .Role "assistant") }}'
        lines.append(f"{asked}{_literal(pieces.asks)}{{{{ end }}}}")
    lines.append("{{- end }}")
    return "\n".join(lines)


def _user_begin(pieces: Pieces) -> str:
    before = _literal(pieces.user[0])
    if not pieces.folds or not before:
        return before
    bare = '(and (eq $at 1) (eq (index $.Messages 0).Role "system"))'
    return f"{{{{ if not {bare} }}}}{before}{{{{ end }}}}"


def _turn(before: str, behind: str) -> list[str]:
    # The empty string takes the line's beginning away with it.
    return [f'{{{{- "" }}}}{before}{{{{ .Content }}}}{behind}']


def _literal(text: str) -> str:
    """A Go string, whose escapes are JSON's."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if text else ""
