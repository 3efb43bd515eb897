"""Which inputs were trained on: by hashes of rows and of their questions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from studio.domain.data_checks.hash_set import HashSet
from studio.domain.data_checks.row_key import row_key
from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.evaluation import Seen
from studio.domain.finding import Finding, warning
from studio.domain.recipe import Recipe
from studio.engine.session import Session


def parted(chat: Chat) -> tuple[tuple[Turn, ...], str]:
    """What is said before the last answer, and that answer; empty where it is none."""
    last = max(
        (at for at, turn in enumerate(chat.turns) if turn.role == "assistant"),
        default=None,
    )
    if last is None:
        return chat.turns, ""
    return chat.turns[:last], chat.turns[last].content.strip()


class SeenRows:
    """What was trained on, as hashes of rows and of their questions."""

    def __init__(self) -> None:
        self._rows, self._questions = HashSet(), HashSet()

    @classmethod
    def of(cls, session: Session, recipe: Recipe, own: ChatFile) -> "SeenRows":
        """What a run was trained on."""
        found = cls()
        train_at, _ = own.split(recipe.data.share_held_out, recipe.train.seed)
        stage = "Looking at what was trained on"
        for at in session.counted(train_at, stage, "rows"):
            found._take(own.chats[at])
        for mixed in own.mixed:
            for chat in mixed.file.chats:
                found._take(chat)
        return found

    def of_chats(self, chats: Sequence[Chat]) -> Seen:
        """Whether some row of an input was trained on, or its question."""
        if any(row_key(chat) in self._rows for chat in chats):
            return Seen.ROW
        question = _question_key(chats[0])
        if question is not None and question in self._questions:
            return Seen.QUESTION
        return Seen.NEVER

    def _take(self, chat: Chat) -> None:
        self._rows.add(row_key(chat))
        question = _question_key(chat)
        if question is not None:
            self._questions.add(question)


def _question_key(chat: Chat) -> int | None:
    turns, _ = parted(chat)
    if not turns:
        return None
    return row_key(replace(chat, turns=turns, rejected=(), is_liked=None))


def seen_findings(seen: Sequence[Seen], *, is_known: bool) -> Iterator[Finding]:
    """What the marks of all inputs say; whether the run's data could be read."""
    if not is_known:
        yield warning(
            "evaluation.seen-unknown",
            "What was trained on can’t be read here, so it can’t be told which of "
            "these rows were.",
        )
        return
    counts = Counter(seen)
    known = counts[Seen.ROW] + counts[Seen.QUESTION]
    if known:
        yield warning(
            "evaluation.seen",
            f"{known:,} of {len(seen):,} inputs were trained on, {counts[Seen.ROW]:,} "
            "of them with the very answer.",
            why="The tuned model’s figures then look better than they are.",
            fix="Measure with rows that the run never learnt.",
        )
