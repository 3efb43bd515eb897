"""Chats to learn from: what a row may look like, and which rows are held out."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.domain.finding import Finding

ROLES = frozenset({"system", "user", "assistant", "tool"})

# Column pairs that are read as one question and its answer, first match wins.
PAIRS = (
    ("prompt", "completion"),
    ("question", "answer"),
    ("instruction", "output"),
    ("input", "output"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat."""

    role: str
    content: str

    def as_message(self) -> dict[str, str]:
        """The message in the form that chat templates take."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Chat:
    """One example: the turns, and the line of the file it came from (from 1)."""

    turns: tuple[Turn, ...]
    line: int

    def question(self) -> str:
        """The first thing the user says."""
        return next((t.content for t in self.turns if t.role == "user"), "")

    def answer(self) -> str:
        """The last thing the assistant says."""
        turns = reversed(self.turns)
        return next((t.content for t in turns if t.role == "assistant"), "")


@dataclass(frozen=True, slots=True, eq=False)
class ChatFile:
    """What a data file holds; each reading is a value of its own.

    Attributes:
        path: The file.
        chats: The rows that can be trained on, in file order.
        findings: What is wrong with the others, with line numbers.
        size_bytes: The file's size.
        form: How rows are recognised, in words.
        left_out: How many rows can't be trained on.
    """

    path: str
    chats: tuple[Chat, ...]
    findings: tuple[Finding, ...]
    size_bytes: int
    form: str
    left_out: int = 0


class RowError(ValueError):
    """A row that can't be trained on; the message says why, without the place."""


def chat_from_row(row: object, line: int) -> Chat:
    """Read one row.

    Args:
        row: The decoded JSON value.
        line: Its line in the file, from 1.

    Returns:
        The chat; the last turn may be of any role, but one is the assistant's.

    Raises:
        RowError: The row is no chat, or nothing in it can be trained on.
    """
    if not isinstance(row, Mapping):
        raise RowError("is not an object")
    turns = _turns_of(row)
    if not any(turn.role == "assistant" for turn in turns):
        raise RowError("has no assistant turn to learn from")
    for turn in turns:
        if turn.role == "assistant" and not turn.content.strip():
            raise RowError("has an empty answer")
    return Chat(tuple(turns), line)


def form_of_row(row: Mapping[str, object]) -> str:
    """How a row is recognised, in words."""
    if "messages" in row:
        return "Chat rows under “messages”"
    for question, answer in PAIRS:
        if question in row and answer in row:
            return f"Question and answer under “{question}” and “{answer}”"
    return "Unknown rows"


def split_rows(rows: int, held_out: float, seed: int) -> tuple[list[int], list[int]]:
    """Choose which rows are held out.

    The choice depends on the number of rows, the share and the seed alone, so that
    the window, the engine and a later resume agree on it.

    Args:
        rows: How many rows there are.
        held_out: The share to hold out, 0 to 0.5.
        seed: Of the recipe.

    Returns:
        (rows to train on, rows held out), each in file order. With a share above
        0 and at least two rows, both hold at least one.
    """
    count = min(rows - 1, max(1, round(rows * held_out))) if held_out else 0
    chosen = set(random.Random(seed).sample(range(rows), max(0, count)))
    return (
        [row for row in range(rows) if row not in chosen],
        sorted(chosen),
    )


def _turns_of(row: Mapping[str, object]) -> Sequence[Turn]:
    if "messages" in row:
        return _turns_of_messages(row["messages"])
    for question, answer in PAIRS:
        if question in row and answer in row:
            return _turns_of_pair(row, question, answer)
    known = ", ".join(f"{question}/{answer}" for question, answer in PAIRS)
    names = ", ".join(sorted(str(name) for name in row)[:6]) or "none"
    raise RowError(f"has neither “messages” nor {known} (its columns: {names})")


def _turns_of_messages(messages: object) -> list[Turn]:
    if not isinstance(messages, list) or not messages:
        raise RowError("has no messages")
    turns: list[Turn] = []
    for message in messages:
        if not isinstance(message, Mapping):
            raise RowError("has a message that is not an object")
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise RowError(f"has a message of the unknown role “{role}”")
        if not isinstance(content, str):
            raise RowError(f"has a message of {role} without text")
        turns.append(Turn(str(role), content))
    return turns


def _turns_of_pair(row: Mapping[str, object], question: str, answer: str) -> list[Turn]:
    asked, answered = row[question], row[answer]
    if not isinstance(asked, str) or not isinstance(answered, str):
        raise RowError(f"has no text under “{question}” or “{answer}”")
    return [Turn("user", asked), Turn("assistant", answered)]
