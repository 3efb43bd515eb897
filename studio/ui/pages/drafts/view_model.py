"""What making and reviewing drafts say; free of Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.run import Phase
from studio.protocol.data_events import DraftsMade
from studio.protocol.events import EngineEvent, PhaseChanged, Progress
from studio.services.draft_review import Draft, Review
from studio.services.drafting import result_words
from studio.services.model_shelf import ModelPlace, ModelState
from studio.ui.text import count

ADDRESS: Final = "address:"
"""The choice of a model behind an address."""

TOKEN_WORDS: Final = (
    "The access key (token) is taken from the environment variable OPENAI_API_KEY and "
    "is saved nowhere. The passages are sent to this address."
)
HOW_WORDS: Final = (
    "A model is asked for a question about each passage, and then for its answer. "
    "Drafts that are empty, repeat themselves or say what the passage doesn’t are "
    "rejected at once; the others wait for your review."
)
NO_DOCUMENTS: Final = "None yet. Text and Markdown files, or folders of them."
FACTS: Final = "Questions and answers made from documents of your own"
ALL: Final = "all"
_SHOWN_FILES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingOrder:
    """What the form asks for.

    Attributes:
        documents: Files and folders.
        out: The file of drafts.
        model: A local model; empty for an address.
        address: Where to ask; empty for a local model.
        api_model: The model's name there.
        questions: About each passage.
    """

    documents: Sequence[str]
    out: str
    model: str
    address: str
    api_model: str
    questions: int

    def refusal(self) -> str:
        """Why it can't be begun yet, as a sentence; empty when it can."""
        if not self.documents:
            return "Choose documents first."
        if not self.out.strip():
            return "Name a file for the drafts."
        if not self.out.strip().casefold().endswith(".jsonl"):
            return "The file of drafts has to end in .jsonl."
        if not self.model and not self.address.strip():
            return "Give the address of the model."
        if not self.model and not self.api_model.strip():
            return "Give the model’s name at that address."
        return ""

    def arguments(self) -> list[str]:
        """Of the engine's verb make-data."""
        given = [str(Path(self.out.strip()).expanduser().absolute())]
        for document in self.documents:
            given += ["--document", document]
        if self.model:
            given += ["--model", self.model]
        else:
            given += ["--address", self.address.strip()]
            given += ["--api-model", self.api_model.strip()]
        return [*given, "--questions", str(self.questions)]


def maker_choices(places: Sequence[ModelPlace]) -> list[tuple[str, str]]:
    """Who can draft: the models that are here, and an address."""
    here = [place for place in places if place.state is not ModelState.MISSING]
    named = [(place.name, place.title) for place in here]
    return [*dict.fromkeys(named), (ADDRESS, "A model at an address…")]


def documents_words(documents: Sequence[str]) -> str:
    """The chosen documents, a line each."""
    shown = list(documents[:_SHOWN_FILES])
    more = len(documents) - len(shown)
    return "\n".join([*shown, *([f"and {more:,} more"] if more else [])])


def going_on(event: EngineEvent) -> tuple[str, float] | None:
    """What an event says of the way: words, and the share done or below 0."""
    match event:
        case PhaseChanged(phase=phase):
            return Phase(phase).words, -1.0
        case Progress(stage=stage, done=done, total=total, unit=unit) if total:
            return f"{stage}: {done:,.0f} of {total:,.0f} {unit}", done / total
    return None


def made_words(made: DraftsMade) -> str:
    """What came of it."""
    words = result_words(made.drafts, made.refused, 0)
    if made.left:
        passages = count(made.left, "passage")
        words.append(f"{passages} left; making them again goes on there.")
    return "\n".join(words)


def stopped_words(path: str) -> str:
    """What is said when it was stopped before it told what it made."""
    name = Path(path).name
    return f"Stopped. What was made until then is in {name}; making goes on there."


def filter_choices(counts: Mapping[Review, int]) -> list[tuple[str, str]]:
    """Which drafts can be gone through."""
    titles = {
        Review.OPEN: "Open",
        Review.ACCEPTED: "Accepted",
        Review.REJECTED: "Rejected",
    }
    some = [(r.value, f"{title} ({counts[r]:,})") for r, title in titles.items()]
    return [*some, (ALL, f"All ({sum(counts.values()):,})")]


def count_words(counts: Mapping[Review, int]) -> str:
    """How far the review is."""
    return (
        f"{counts[Review.OPEN]:,} open, {counts[Review.ACCEPTED]:,} accepted, "
        f"{counts[Review.REJECTED]:,} rejected"
    )


def origin_words(draft: Draft, heading: str) -> str:
    """Where a draft came from."""
    origin = draft.origin
    place = f"{Path(origin.file).name}, line {origin.line:,}"
    parts = [place, heading, f"made by {origin.made_by}"]
    return " · ".join(part for part in parts if part)


def state_words(draft: Draft) -> str:
    """What was decided about a draft, and by whom; empty while nothing was."""
    edited = ", edited" if draft.origin.is_edited else ""
    match draft.review:
        case Review.ACCEPTED:
            return f"Accepted{edited}"
        case Review.REJECTED if draft.origin.refused:
            return f"Rejected: it {draft.origin.refused}"
        case Review.REJECTED:
            return f"Rejected{edited}"
    return "Edited, not decided yet" if edited else ""


def none_words(chosen: str) -> str:
    """What is said when there is no draft to show."""
    is_done = chosen == Review.OPEN.value
    return "Every draft is reviewed." if is_done else f"No draft is {chosen}."


def review_button(count_open: int) -> str:
    """The button that leads to the review."""
    return f"Review {count(count_open, 'draft')}…" if count_open else "Review drafts…"
