"""Rows that say the same, or nearly the same, as an earlier row."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.hash_set import HashSet
from studio.domain.data_checks.near_copies import NearCopies
from studio.domain.data_checks.row_key import RowKeys
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding
from studio.domain.dataset import Chat

Name = TypeVar("Name")


class CopyFinder(Generic[Name]):
    """Tells each row's copies apart: the same, and nearly the same."""

    def __init__(
        self, same: Callable[[Name], None], nearly: Callable[[Name], None]
    ) -> None:
        """Take whom to tell the names of either kind."""
        self._same = same
        self._seen = HashSet()
        self._near = NearCopies(nearly)

    def take(self, name: Name, chat: Chat, key: int) -> None:
        """Compare a row with all before.

        Args:
            name: By which it is told.
            chat: What it says.
            key: Of that, as `row_key` has it.
        """
        if not self._seen.add(key):
            self._same(name)
            return
        self._near.take(name, _words_of(chat))

    def finish(self) -> None:
        """Judge the rows that still wait to be compared."""
        self._near.finish()


class Duplicates:
    """Tells of rows that an earlier row says already."""

    def __init__(self, keys: RowKeys) -> None:
        """Take the keys of the rows that go by."""
        self._keys = keys
        self._same, self._near = Places(), Places()
        self._finder: CopyFinder[CheckedRow] = CopyFinder(
            self._same.add, self._near.add
        )

    def take(self, row: CheckedRow) -> None:
        """Compare it with all rows before."""
        if row.chat is not None and not row.fault:
            self._finder.take(row, row.chat, self._keys.of(row, row.chat))

    def findings(self) -> Iterator[DataFinding]:
        """At most one of each kind."""
        self._finder.finish()
        verb = "repeats" if self._same.count == 1 else "repeat"
        yield from told(
            "data.duplicate",
            self._same,
            f"{{rows}} {verb} an earlier row, but for spaces and capitals.",
            why="What stands twice is learnt twice as hard.",
            fix="Keep the first of each in a new file.",
        )
        says = "says" if self._near.count == 1 else "say"
        yield from told(
            "data.near-duplicate",
            self._near,
            f"{{rows}} {says} nearly the same as an earlier row: about 85 % or more of "
            "the sequences of three words are alike.",
            why="What stands nearly twice is learnt nearly twice as hard.",
            fix="Look at some of them; keep the first of each in a new file.",
        )


def _words_of(chat: Chat) -> str:
    """What tells a row from others; a system turn is often the same in all."""
    said = [turn.content for turn in chat.turns if turn.role != "system"]
    said += [turn.content for turn in chat.rejected if turn.role == "assistant"]
    return "\n".join([*said, chat.text])
