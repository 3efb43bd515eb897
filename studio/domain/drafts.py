"""Drafts: examples made from documents, each with where it came from and its review."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

REJECTED: Final = "was rejected in review"
"""Why a draft isn't trained on, as the end of a sentence."""


class Review(StrEnum):
    """What was decided about a draft."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a draft came from.

    Attributes:
        file: The document; relative to the drafts' own folder where it lies below it.
        line: Where its passage begins.
        passage_sha256: Of the passage's text.
        made_by: The model, and the address's host when it wasn't a local one.
        made_at: When, UTC, by ISO 8601.
        refused: Why the test of drafts rejected it; empty when it passed.
        is_edited: Whether a person changed its words.
    """

    file: str
    line: int
    passage_sha256: str
    made_by: str
    made_at: str
    refused: str = ""
    is_edited: bool = False

    def document(self) -> dict[str, object]:
        """As a row keeps it."""
        kept: dict[str, object] = {
            "file": self.file,
            "line": self.line,
            "passage_sha256": self.passage_sha256,
            "made_by": self.made_by,
            "made_at": self.made_at,
        }
        if self.refused:
            kept["refused"] = self.refused
        if self.is_edited:
            kept["edited"] = True
        return kept

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Self:
        """What a row says; what is missing or of another kind counts as empty."""
        line = document.get("line")
        texts = {
            name: value if isinstance(value := document.get(name), str) else ""
            for name in ("file", "passage_sha256", "made_by", "made_at", "refused")
        }
        return cls(
            **texts,
            line=line if isinstance(line, int) else 0,
            is_edited=document.get("edited") is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question and its answer, made from a passage.

    Attributes:
        question: What the user would say.
        answer: What the model shall learn to say.
        origin: Where it came from.
        review: What was decided.
        rest: What else its row holds; kept as it is.
    """

    question: str
    answer: str
    origin: Origin
    review: Review = Review.OPEN
    rest: Mapping[str, object] = field(default_factory=dict, hash=False)

    def row(self) -> dict[str, object]:
        """As a line of a data file, in the form of chats."""
        return {
            "messages": [
                {"role": "user", "content": self.question},
                {"role": "assistant", "content": self.answer},
            ],
            "source": self.origin.document(),
            "review": self.review.value,
            **self.rest,
        }


def draft_of(row: object) -> Draft | None:
    """The draft that a row of a data file is; None when it is none."""
    if not isinstance(row, Mapping):
        return None
    review, source = review_of(row), row.get("source")
    said = _question_and_answer(row.get("messages"))
    if review is None or said is None or not isinstance(source, Mapping):
        return None
    return Draft(
        question=said[0],
        answer=said[1],
        origin=Origin.of(source),
        review=review,
        rest={
            name: value
            for name, value in row.items()
            if name not in {"messages", "source", "review"}
        },
    )


def review_of(row: Mapping[str, object]) -> Review | None:
    """The review of a row; None when it is no draft.

    Only a row that names its passage is one: ``review`` is a usual column's name.
    """
    source, review = row.get("source"), row.get("review")
    if not (isinstance(source, Mapping) and "passage_sha256" in source):
        return None
    return next((each for each in Review if each.value == review), Review.OPEN)


def _question_and_answer(messages: object) -> tuple[str, str] | None:
    match messages:
        case [
            {"role": "user", "content": str() as question},
            {"role": "assistant", "content": str() as answer},
        ]:
            return question, answer
    return None
