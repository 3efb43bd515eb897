"""Examples to learn from: chats, pairs of answers, plain texts; and who is held out.

What a file's rows look like is the business of the formats (`studio.storage.formats`);
here is what they become.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from studio.domain.data_mapping import ColumnMapping
from studio.domain.finding import Finding
from studio.domain.mixing import MixedCount, MixWord, mixed_counts
from studio.domain.token_lengths import TokenLengths

_NAMED_GROUP: Final = 1 << 63
_ENOUGH_LENGTHS: Final = 4000
ROLES = frozenset({"system", "user", "assistant", "tool"})


class Kind(StrEnum):
    """What an example teaches, and so which methods can learn from it."""

    CHAT = "chat"
    PREFERENCE = "preference"
    RATED = "rated"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat.

    Attributes:
        role: One of `ROLES`.
        content: Its text; may be empty where `extras` hold calls of tools.
        extras: What else chat templates read of a message, such as ``tool_calls``.
    """

    role: str
    content: str
    extras: Mapping[str, object] = field(default_factory=dict, hash=False)

    def as_message(self) -> dict[str, object]:
        """The message in the form that chat templates take."""
        return {"role": self.role, "content": self.content, **self.extras}


@dataclass(frozen=True, slots=True)
class Chat:
    """One example.

    Attributes:
        turns: What is said; empty for a plain text. Of a pair, with the chosen answer.
        line: The line or row of its file that it came from, from 1.
        text: A plain text, learnt whole and without a chat template.
        rejected: Of a pair: the turns that should not have followed.
        is_liked: Of a rated answer: whether it was a good one.
        tools: What the assistant may call, in the form that chat templates take.
        file: Its file's name within a folder; empty for a single file.
        group: What it shares with the rows that it must not be parted from; empty
            when it stands alone.
        review: Of a draft: ``open`` or ``accepted``; empty for other rows.
    """

    turns: tuple[Turn, ...]
    line: int
    text: str = ""
    rejected: tuple[Turn, ...] = ()
    is_liked: bool | None = None
    tools: tuple[Mapping[str, object], ...] = field(default=(), hash=False)
    file: str = ""
    group: str = ""
    review: str = ""

    def question(self) -> str:
        """The first thing the user says."""
        return next((t.content for t in self.turns if t.role == "user"), "")

    def answer(self) -> str:
        """The last thing the assistant says; a plain text itself."""
        turns = reversed(self.turns)
        said = next((t.content for t in turns if t.role == "assistant"), "")
        return said or self.text

    def characters(self) -> int:
        """How long it is, in characters; of a pair, with its longer answer."""
        sides = (self.turns, self.rejected)
        said = max(sum(len(turn.content) for turn in turns) for turns in sides)
        return len(self.text) + said


@dataclass(frozen=True, slots=True, eq=False)
class ChatFile:
    """What a data file or folder holds; each reading is a value of its own.

    Attributes:
        path: The file or folder.
        chats: The rows that can be trained on, in file order; read from the disk when
            they are asked for where there are many.
        findings: What is wrong with the others, with line numbers.
        size_bytes: The size of its files.
        form: How rows are recognised, in words.
        left_out: How many rows can't be trained on.
        format_name: Of the format that the rows were read by.
        kind: What its examples teach.
        confidence: How sure the format is, 0 to 1; 1 when the user chose it.
        mapping: Which column is which part of an example.
        columns: The columns' names, in the order of the first row that has each.
        lengths: The rows' lengths; judged by characters until tokens are counted.
        is_whole: False for a first look at a large file whose rest is not read yet.
        groups: A number for each chat; chats with the same one aren't parted. Empty
            when each stands alone.
        mixed: Further files whose rows are trained on as well.
        held_out_file: A file that is only measured with.
    """

    path: str
    chats: Sequence[Chat]
    findings: tuple[Finding, ...]
    size_bytes: int
    form: str
    left_out: int = 0
    format_name: str = ""
    kind: Kind = Kind.CHAT
    confidence: float = 1.0
    mapping: ColumnMapping = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    lengths: TokenLengths | None = None
    is_whole: bool = True
    groups: Sequence[int] = ()
    mixed: tuple["MixedFile", ...] = ()
    held_out_file: "ChatFile | None" = None

    def lengths_of_rows(self) -> TokenLengths:
        """The rows' lengths, as well as they are known."""
        if self.lengths is not None:
            return self.lengths
        return TokenLengths.judged(chat.characters() for chat in self.chats)

    def split(self, held_out: float, seed: int) -> tuple[list[int], list[int]]:
        """Choose which of its chats are held out, as `split_rows` does."""
        return split_rows(len(self.chats), held_out, seed, self.groups)

    def mixed_counts(self, held_out: float, seed: int) -> tuple[MixedCount, ...]:
        """How many rows of each further file are trained on."""
        trained = len(self.split(held_out, seed)[0]) if self.mixed else 0
        return self._counts(trained)

    def training_rows(self, held_out: float, seed: int) -> int:
        """How many rows one pass goes over, those of further files included."""
        trained = len(self.split(held_out, seed)[0])
        return trained + sum(each.taken for each in self._counts(trained))

    def training_lengths(self, held_out: float, seed: int) -> TokenLengths:
        """About how long the rows are that one pass goes over, further files included.

        Where files are mixed, some thousand lengths stand for all, as many of each file
        as its rows have a share.
        """
        own = self.lengths_of_rows()
        if not self.mixed:
            return own
        trained = len(self.split(held_out, seed)[0])
        parts = [(own, trained)]
        for mixed, count in zip(self.mixed, self._counts(trained), strict=True):
            parts.append((mixed.file.lengths_of_rows(), count.taken))
        whole = sum(taken for _, taken in parts)
        part = min(1.0, _ENOUGH_LENGTHS / max(1, whole))
        tokens = [
            length
            for lengths, taken in parts
            if taken
            for length in lengths.spread(max(1, round(taken * part)))
        ]
        counted = all(lengths.counted for lengths, taken in parts if taken)
        return TokenLengths(tuple(sorted(tokens)), counted)

    def _counts(self, trained: int) -> tuple[MixedCount, ...]:
        words = [each.word for each in self.mixed]
        return mixed_counts(
            trained, words, [len(each.file.chats) for each in self.mixed]
        )


@dataclass(frozen=True, slots=True, eq=False)
class MixedFile:
    """A further file of a data set, and how much of it is wanted."""

    word: MixWord
    file: ChatFile


class RowError(ValueError):
    """A row that can't be trained on; the message says why, without the place.

    Attributes:
        code: Of the finding that tells of such rows.
    """

    def __init__(self, why: str, code: str = "data.row-left-out") -> None:
        super().__init__(why)
        self.code = code


def split_rows(
    rows: int, held_out: float, seed: int, groups: Sequence[int] = ()
) -> tuple[list[int], list[int]]:
    """Choose which rows are held out.

    The choice depends on the number of rows, their groups, the share and the seed
    alone, so that the window, the engine and a later resume agree on it.

    Rows of one group stay together: groups are gone through in an order that the seed
    decides, and each is held out that the share still has room for. When every group
    is larger than the share, the smallest is held out.

    Args:
        rows: How many rows there are.
        held_out: The share to hold out, 0 to 0.5.
        seed: Of the recipe.
        groups: A number for each row; none when each row stands alone.

    Returns:
        (rows to train on, rows held out), each in file order. With a share above
        0 and at least two rows, or groups, both hold at least one.
    """
    count = min(rows - 1, max(1, round(rows * held_out))) if held_out else 0
    if groups:
        chosen = _whole_groups(groups, count, seed)
    else:
        chosen = set(random.Random(seed).sample(range(rows), max(0, count)))
    return (
        [row for row in range(rows) if row not in chosen],
        sorted(chosen),
    )


def group_number(group: str, row: int) -> int:
    """A group as a number of 64 bits; a row without one gets a number of its own.

    Args:
        group: As `Chat.group` has it.
        row: Of the chat in its file, from 0.
    """
    if not group:
        return row
    digest = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") | _NAMED_GROUP


def _whole_groups(groups: Sequence[int], count: int, seed: int) -> set[int]:
    """Rows of whole groups, at most `count`; of the smallest when all are larger."""
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    if count <= 0 or len(members) < 2:  # noqa: PLR2004 - a single one is trained on
        return set()
    order = list(members.values())
    random.Random(seed).shuffle(order)
    chosen: set[int] = set()
    for rows in order:
        if len(chosen) + len(rows) <= count:
            chosen.update(rows)
    smallest: list[int] = min(order, key=len)
    return chosen or set(smallest)
