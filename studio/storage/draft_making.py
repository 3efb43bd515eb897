"""Drafts made from documents, passage by passage, by whatever answers a prompt.

The engine's own model and an address both go through here, so drafts, tests and what
is kept when it is stopped are the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from studio.domain.drafting import Ask, Pair, pairs_about
from studio.domain.drafts import Draft, Origin, Review
from studio.domain.errors import refusal
from studio.plugin_api.document_readers import Passage
from studio.storage.document_readers.registry import (
    documents_in,
    passages_of_document,
)
from studio.storage.draft_files import DraftFile

MOST_QUESTIONS: Final = 20
_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """What is to be made.

    Attributes:
        documents: Files and folders.
        out: The file of drafts; drafts are added to one that is there.
        questions: About each passage.
    """

    documents: Sequence[Path]
    out: Path
    questions: int


@dataclass(slots=True)
class DraftCount:
    """How far it has come.

    Attributes:
        passages: That the documents have.
        known: Of these, those that had drafts before.
        done: Passages that got their drafts now.
        drafts: That passed the test.
        refused: Those that didn't, by reason.
    """

    passages: int = 0
    known: int = 0
    done: int = 0
    drafts: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """Passages that are still to be asked about."""
        return self.passages - self.known - self.done


@dataclass(frozen=True, slots=True)
class _Found:
    """A passage and the document that it is in."""

    file: Path
    passage: Passage


class DraftMaking:
    """One order, while it is carried out.

    Attributes:
        count: How far it has come.
    """

    def __init__(self, order: DraftOrder, made_by: str) -> None:
        """Read the documents, and what the file of drafts holds already.

        Args:
            order: What is to be made.
            made_by: What drafts shall say of who made them.

        Raises:
            StudioError: A document or the file can't be read, the number of questions
                is none, or the documents hold no passage.
        """
        _refuse_number(order.questions)
        self._order, self._made_by = order, made_by
        self._file = DraftFile(order.out)
        known = self._file.known_passages()
        found = list(_passages(order.documents))
        if not found:
            raise refusal(
                "documents.empty",
                "The documents hold no passage of at least five words.",
                fix="Choose documents with some sentences in them.",
                where=", ".join(map(str, order.documents)),
            )
        self._left = [each for each in found if each.passage.sha256 not in known]
        self.count = DraftCount(len(found), len(found) - len(self._left))

    def make(self, ask: Ask, told: Callable[[DraftCount], bool]) -> DraftCount:
        """Ask about every passage that has no drafts yet.

        What is made is on the disk before more is asked for, so whatever ends it
        costs only what was being asked.

        Args:
            ask: Answers prompts; what it raises ends the making.
            told: Called before each round of questions; False ends the making.
        """
        together = max(1, _TOGETHER // self._order.questions)
        for start in range(0, len(self._left), together):
            if not told(self.count):
                return self.count
            self._take(self._left[start : start + together], ask)
        told(self.count)
        return self.count

    def _take(self, group: Sequence[_Found], ask: Ask) -> None:
        made = pairs_about(
            [each.passage.text for each in group],
            [each.passage.heading for each in group],
            self._order.questions,
            ask,
        )
        at = datetime.now(UTC).isoformat(timespec="seconds")
        drafts = [
            self._draft(found, pair, at)
            for found, pairs in zip(group, made, strict=True)
            for pair in pairs
        ]
        self._file.append(drafts)
        self.count.done += len(group)
        for draft in drafts:
            if draft.origin.refused:
                self.count.refused[draft.origin.refused] += 1
            else:
                self.count.drafts += 1

    def _draft(self, found: _Found, pair: Pair, at: str) -> Draft:
        return Draft(
            question=pair.question,
            answer=pair.answer,
            origin=Origin(
                file=_named(found.file, self._file.path.parent),
                line=found.passage.line,
                passage_sha256=found.passage.sha256,
                made_by=self._made_by,
                made_at=at,
                refused=pair.refused,
            ),
            review=Review.REJECTED if pair.refused else Review.OPEN,
        )


def passage_of(draft: Draft, drafts_folder: Path) -> Passage | None:
    """The passage that a draft was made from; None when it is not there any more.

    Args:
        draft: Of a file of drafts.
        drafts_folder: That the file is in.

    Raises:
        StudioError: The document is there, but can't be read.
    """
    document = drafts_folder / draft.origin.file
    if not draft.origin.file or not document.is_file():
        return None
    wanted = draft.origin.passage_sha256
    passages = passages_of_document(document)
    return next((each for each in passages if each.sha256 == wanted), None)


def _passages(documents: Sequence[Path]) -> Iterator[_Found]:
    seen: set[str] = set()
    for document in documents_in(documents):
        for passage in passages_of_document(document):
            if passage.sha256 not in seen:
                seen.add(passage.sha256)
                yield _Found(document, passage)


def _named(file: Path, folder: Path) -> str:
    if file.is_relative_to(folder):
        return file.relative_to(folder).as_posix()
    return str(file)


def _refuse_number(questions: int) -> None:
    if not 1 <= questions <= MOST_QUESTIONS:
        raise refusal(
            "drafts.questions",
            f"{questions} questions about each passage can't be made.",
            fix=f"Give a number from 1 to {MOST_QUESTIONS}.",
            where="--questions",
        )
