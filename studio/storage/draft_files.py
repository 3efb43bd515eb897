"""Files of drafts: grown by whole passages, and changed one draft at a time.

A file of drafts is a data file in JSON Lines, so it trains as any other. Who makes
drafts appends, who reviews them replaces single lines; a lock beside the file keeps
the two apart.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.drafts import Draft, draft_of
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.storage.disk import disk_refusal, unreadable
from studio.storage.documents import write_bytes_atomically
from studio.storage.locks import locked
from studio.storage.tables.text_lines import Line, lines_of

_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft and the line that holds it.

    Attributes:
        number: Of the line, from 1.
        raw: The line as read, by which it is known again.
        draft: What it says.
    """

    number: int
    raw: bytes
    draft: Draft


class DraftFile:
    """A file of drafts."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when the first drafts are appended."""
        self.path = path.expanduser().absolute()

    def read(self) -> list[StoredDraft]:
        """The drafts in it; lines of another kind are passed over.

        Raises:
            StudioError: It can't be read, or is not UTF-8.
        """
        try:
            with self.path.open("rb") as file:
                return list(_drafts(lines_of(file, self.path), self.path))
        except FileNotFoundError:
            raise refusal(
                "drafts.missing",
                "There is no such file of drafts.",
                fix="Check the path, or make drafts first.",
                where=str(self.path),
            ) from None
        except OSError as fault:
            raise unreadable(fault, self.path) from fault

    def known_passages(self) -> set[str]:
        """The SHA-256 of each passage that has drafts here; none without a file.

        Raises:
            StudioError: It can't be read, or holds something else than drafts.
        """
        if not self.path.exists():
            return set()
        drafts = self.read()
        if not drafts and self.path.stat().st_size:
            raise _foreign(self.path)
        return {each.draft.origin.passage_sha256 for each in drafts}

    def append(self, drafts: Iterable[Draft]) -> None:
        """Add drafts behind what is there; they are on the disk when it returns.

        Raises:
            StudioError: The disk refuses.
        """
        content = b"".join(_line_of(draft) for draft in drafts)
        with self._locked():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as file:
                    file.write(self._missing_end() + content)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as fault:
                raise disk_refusal(fault, self.path) from fault

    def replace(self, stored: StoredDraft, draft: Draft) -> StoredDraft:
        """Put a draft in another's place; all other lines stay byte by byte.

        Returns:
            The new draft as it is stored.

        Raises:
            StudioError: The line was changed since it was read, or the disk refuses.
        """
        with self._locked():
            try:
                lines = self.path.read_bytes().splitlines(keepends=True)
            except OSError as fault:
                raise unreadable(fault, self.path) from fault
            at = stored.number - 1
            if at >= len(lines) or lines[at].strip() != stored.raw.strip():
                raise _changed(self.path)
            new = _line_of(draft)
            lines[at] = new
            write_bytes_atomically(self.path, b"".join(lines))
        return StoredDraft(stored.number, new, draft)

    def _missing_end(self) -> bytes:
        """A line break, where the last line was torn off; it then stands alone."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return b""
            file.seek(size - 1)
            return b"" if file.read(1) == b"\n" else b"\n"

    def _locked(self) -> AbstractContextManager[None]:
        lock = self.path.with_name(f".{self.path.name}.lock")
        return locked(lock, _PATIENCE_S, _busy(self.path))


def _drafts(lines: Iterator[Line], path: Path) -> Iterator[StoredDraft]:
    for line in lines:
        try:
            row = json.loads(line.text(path))
        except (ValueError, RecursionError):
            continue  # a torn line, or one that somebody else wrote
        draft = draft_of(row)
        if draft is not None:
            yield StoredDraft(line.number, line.raw, draft)


def _line_of(draft: Draft) -> bytes:
    text = json.dumps(draft.row(), ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"


def _foreign(path: Path) -> StudioError:
    return refusal(
        "drafts.foreign",
        "This file is there already, and holds no drafts.",
        why="Nothing is added to files that Snugtune did not make.",
        fix="Give another name with -o.",
        where=str(path),
    )


def _changed(path: Path) -> StudioError:
    return refusal(
        "drafts.changed",
        "The drafts were changed by another program meanwhile.",
        why="The decision was not saved.",
        fix="Read them again, and decide once more.",
        where=str(path),
    )


def _busy(path: Path) -> StudioError:
    finding = error(
        "drafts.busy",
        "Another program is writing these drafts.",
        why="Nothing was changed.",
        fix="Try again in a moment.",
        where=str(path),
    )
    return StudioError(finding, ExitCode.DISK)
