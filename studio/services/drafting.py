"""What window and terminal share about making drafts: who makes them, and the words."""

from collections.abc import Mapping
from typing import Final

from studio.domain.errors import StudioError
from studio.services.model_places import store
from studio.storage.document_readers.registry import suffixes
from studio.storage.draft_making import MOST_QUESTIONS
from studio.storage.models import ModelPlace
from studio.storage.recipes import load_recipe
from studio.system.resources import resource_root

__all__ = [
    "DOCUMENT_SUFFIXES",
    "MOST_QUESTIONS",
    "found_model",
    "result_words",
    "usual_model",
    "warning_about",
]

DOCUMENT_SUFFIXES: Final = suffixes()
"""The names' endings of documents that can be read."""

_SMALL: Final = 1_000_000_000


def usual_model() -> str:
    """The model that drafts when none is named: the example's."""
    return load_recipe(resource_root() / "examples" / "cheesemonger.toml").model.name


def found_model(name: str) -> ModelPlace:
    """A model that shall draft.

    Raises:
        StudioError: No such model is known.
    """
    return store().find(name)


def warning_about(name: str) -> str:
    """What to expect of a model's drafts; empty when nothing needs to be said."""
    try:
        parameters = found_model(name).parameters
    except StudioError:
        return ""
    if not 0 < parameters < _SMALL:
        return ""
    size = f"{parameters / 1e6:,.0f} million"
    return (
        f"A model of {size} weights makes poor drafts: many questions are vague and "
        "answers wrong or copied. Read every one, or choose a larger model."
    )


def result_words(drafts: int, refused: Mapping[str, int], left: int) -> list[str]:
    """What came of it, a sentence each.

    Args:
        drafts: That wait for review.
        refused: Rejected by the test, by reason.
        left: Passages without drafts.
    """
    words = [f"{_count(drafts, 'draft')} for review."]
    if refused:
        total = sum(refused.values())
        words.append(f"{_count(total, 'other')} rejected by the test:")
        often = sorted(refused.items(), key=lambda pair: -pair[1])
        words += [f"  {reason}: {number:,}" for reason, number in often]
    if left:
        words.append(
            f"{_count(left, 'passage')} left; the same command goes on with them."
        )
    return words


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
