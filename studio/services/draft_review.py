"""The review of a file of drafts: what is shown of each, and each decision saved.

Nothing here needs Qt, so window and terminal review the same way.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from studio.domain.drafts import Draft, Review
from studio.domain.errors import StudioError, refusal
from studio.storage.draft_files import DraftFile
from studio.storage.draft_making import passage_of

__all__ = ["Draft", "DraftReview", "Review", "ShownPassage"]


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """What a draft was made from.

    Attributes:
        text: The passage; empty when it isn't there any more.
        heading: What it stands under; may be empty.
        missing: Why there is no text, as a sentence; empty with one.
    """

    text: str
    heading: str = ""
    missing: str = ""


class DraftReview:
    """The drafts of one file, in its order.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Read the drafts.

        Raises:
            StudioError: The file can't be read, or holds none.
        """
        self._file = DraftFile(path)
        self.path = self._file.path
        self._drafts = self._file.read()
        if not self._drafts:
            raise refusal(
                "drafts.none",
                "The file holds no drafts.",
                fix="Choose a file that snugtune data make wrote.",
                where=str(self.path),
            )

    def __len__(self) -> int:
        return len(self._drafts)

    def __getitem__(self, place: int) -> Draft:
        return self._drafts[place].draft

    def line_of(self, place: int) -> int:
        """The line of the file that a draft is on."""
        return self._drafts[place].number

    def counts(self) -> Mapping[Review, int]:
        """How many drafts have which review."""
        found = Counter(each.draft.review for each in self._drafts)
        return {review: found[review] for review in Review}

    def places(self, review: Review | None) -> list[int]:
        """Where the drafts of a review are; of all for None."""
        return [
            place
            for place, each in enumerate(self._drafts)
            if review is None or each.draft.review is review
        ]

    def passage(self, place: int) -> ShownPassage:
        """What a draft was made from, read anew from its document."""
        draft = self[place]
        try:
            found = passage_of(draft, self.path.parent)
        except StudioError as refused:
            return ShownPassage("", missing=refused.finding.what)
        if found is None:
            name = Path(draft.origin.file).name or "the document"
            return ShownPassage(
                "", missing=f"The passage is not in {name} any more, or {name} is gone."
            )
        return ShownPassage(found.text, found.heading)

    def decide(self, place: int, question: str, answer: str, review: Review) -> None:
        """Save a decision at once, with the words as they were edited.

        Args:
            place: Of the draft.
            question: As it shall be.
            answer: As it shall be.
            review: What was decided.

        Raises:
            StudioError: An accepted draft has no question or answer, the file was
                changed meanwhile, or the disk refuses; nothing is changed then.
        """
        question, answer = question.strip(), answer.strip()
        if review is Review.ACCEPTED and not (question and answer):
            missing = "answer" if question else "question"
            raise refusal(
                "drafts.empty",
                f"A draft without {'an' if missing == 'answer' else 'a'} {missing} "
                "can't be accepted.",
                fix=f"Write the {missing}, or reject the draft.",
            )
        stored = self._drafts[place]
        old = stored.draft
        is_edited = (question, answer) != (old.question, old.answer)
        new = replace(
            old,
            question=question,
            answer=answer,
            review=review,
            origin=replace(old.origin, is_edited=old.origin.is_edited or is_edited),
        )
        if new != old:
            self._drafts[place] = self._file.replace(stored, new)
