"""Drafts: examples made from documents, each with where it came from and its review."""

from collections.abc import Mapping
from enum import StrEnum


class Review(StrEnum):
    """What a person decided about a draft."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


def review_of(row: Mapping[str, object]) -> Review | None:
    """The review of a row; None when it is no draft.

    Only a row that names its passage is one: ``review`` is a usual column's name.
    """
    source, review = row.get("source"), row.get("review")
    if not (isinstance(source, Mapping) and "passage_sha256" in source):
        return None
    return next((each for each in Review if each.value == review), Review.OPEN)
