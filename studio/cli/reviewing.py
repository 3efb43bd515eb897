"""`snugtune data review`: drafts accepted or rejected one by one, or counted."""

from pathlib import Path

from studio.cli import terminal
from studio.domain.drafts import Review
from studio.domain.errors import StudioError
from studio.services.draft_review import DraftReview

JSON_HELP = """Each decision is saved at once; leaving at any draft keeps those before it. Words are edited in the window, on the Data page.

With --json nothing is asked: {"path", "open", "accepted", "rejected"}"""  # noqa: E501 - the terminal wraps it

_KEYS = "[a] accept  [r] reject  [s] skip  [q] leave: "


def review(path: Path, *, json: bool) -> None:
    """Go through the drafts that are open.

    Raises:
        StudioError: The file holds no drafts, or a decision can't be saved.
    """
    drafts = DraftReview(path)
    if json:
        named = {each.value: number for each, number in drafts.counts().items()}
        terminal.say_json({"path": str(drafts.path), **named})
        return
    open_ = drafts.places(Review.OPEN)
    for number, place in enumerate(open_, start=1):
        _show(drafts, place, f"{number:,} of {len(open_):,}")
        if not _decided(drafts, place):
            break
    counts = drafts.counts()
    terminal.say()
    terminal.say(
        f"{counts[Review.OPEN]:,} open, {counts[Review.ACCEPTED]:,} accepted, "
        f"{counts[Review.REJECTED]:,} rejected."
    )


def _show(drafts: DraftReview, place: int, count: str) -> None:
    draft, passage = drafts[place], drafts.passage(place)
    terminal.say()
    terminal.say(f"Draft {count}, from {draft.origin.file}, line {draft.origin.line:,}")
    terminal.say_block("passage", passage.text or passage.missing)
    terminal.say_block("asks", draft.question)
    terminal.say_block("answers", draft.answer)


def _decided(drafts: DraftReview, place: int) -> bool:
    """Ask what becomes of a draft; False to leave."""
    draft = drafts[place]
    while True:
        try:
            said = input(_KEYS).strip().casefold()[:1]
        except (EOFError, KeyboardInterrupt):
            return False
        match said:
            case "a" | "r":
                decision = Review.ACCEPTED if said == "a" else Review.REJECTED
                try:
                    drafts.decide(place, draft.question, draft.answer, decision)
                except StudioError as refused:
                    terminal.say_finding(refused.finding)
                    continue
                return True
            case "s":
                return True
            case "q":
                return False
