"""What a voice makes of the inputs: how likely their rows are, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from studio.domain.run import Phase
from studio.engine.chat_rendering import TrainingRow
from studio.engine.evaluating.cases import Case
from studio.engine.evaluating.together import Together
from studio.engine.evaluating.voices import Speaker
from studio.engine.evaluation import padded
from studio.engine.generation import answered
from studio.engine.judged_rows import PairRow
from studio.engine.session import Count, Session


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely an answer is.

    Attributes:
        log_prob: Of its tokens together, in nats.
        tokens: How many they are.
    """

    log_prob: float
    tokens: int

    @property
    def mean(self) -> float:
        """A token's, in nats."""
        return self.log_prob / self.tokens


@dataclass(frozen=True, slots=True)
class Heard:
    """What a voice made of an input.

    Attributes:
        likelihoods: Of each of its rows; of a pair those of both answers.
        answer: Its own; None where it wasn't asked.
    """

    likelihoods: tuple[Likelihood, ...]
    answer: str | None = None


def hear(
    session: Session, speaker: Speaker, cases: Sequence[Case], most_tokens: int
) -> list[Heard]:
    """Let a voice read all inputs, and answer those that ask something.

    Args:
        session: Told of progress.
        speaker: In memory.
        cases: The inputs.
        most_tokens: An answer is cut off there.

    Raises:
        Interrupted: The user or the system wants an end.
    """
    session.enter(Phase.EVALUATING)
    likelihoods = _likelihoods(session, speaker, cases)
    session.enter(Phase.SAMPLING)
    answers = _answers(session, speaker, cases, most_tokens)
    return [
        Heard(tuple(each), answers.get(place)) for place, each in enumerate(likelihoods)
    ]


def _likelihoods(
    session: Session, speaker: Speaker, cases: Sequence[Case]
) -> list[list[Likelihood]]:
    rows: list[tuple[tuple[int, int], TrainingRow]] = []
    for place, case in enumerate(cases):
        halves = [half for row in case.rows for half in _halves(row)]
        rows += [((place, at), half) for at, half in enumerate(halves)]
    rows.sort(key=lambda each: each[1].width, reverse=True)
    count = Count(session, f"{speaker.title}: the loss", len(rows), "rows")
    together = Together(session)
    found: dict[tuple[int, int], Likelihood] = {}
    work = _Scoring(speaker)
    for (where, _), scored in together.each(
        rows, lambda some: work([r for _, r in some])
    ):
        found[where] = scored
        count.add(1)
    sizes = [sum(len(_halves(row)) for row in case.rows) for case in cases]
    return [
        [found[place, at] for at in range(size)] for place, size in enumerate(sizes)
    ]


def _halves(row: TrainingRow) -> tuple[TrainingRow, ...]:
    return row.halves() if isinstance(row, PairRow) else (row,)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Scores rows by a voice."""

    speaker: Speaker

    def __call__(self, rows: Sequence[TrainingRow]) -> list[Likelihood]:
        model = self.speaker.model
        device = next(model.parameters()).device
        with torch.no_grad(), self.speaker.formats.casting(device):
            scored = model(**padded(rows, device), fused_lm_head=True)
        sums = scored.log_probs.double().sum(-1).tolist()
        tokens = scored.label_mask.sum(-1).tolist()
        return [Likelihood(*each) for each in zip(sums, tokens, strict=True)]


def _answers(
    session: Session, speaker: Speaker, cases: Sequence[Case], most_tokens: int
) -> dict[int, str]:
    """Answers by the place of their input; those that are too long aren't asked."""
    asked = [(place, case.asked) for place, case in enumerate(cases) if case.asked]
    if not asked:
        return {}
    tokenizer = speaker.tokenizer
    sizes = [
        len(ids)
        for ids in tokenizer([text for _, text in asked], add_special_tokens=False)[
            "input_ids"
        ]
    ]
    room = _context(speaker) - most_tokens
    fitting = sorted(
        (
            (size, *each)
            for size, each in zip(sizes, asked, strict=True)
            if size <= room
        ),
        reverse=True,
    )
    count = Count(session, f"{speaker.title}: answers", len(fitting), "answers")
    found = {}

    def work(some: Sequence[tuple[int, int, str]]) -> list[str]:
        texts = [text for _, _, text in some]
        return answered(speaker.model, tokenizer, texts, speaker.formats, most_tokens)

    for (_, place, _), answer in Together(session).each(fitting, work):
        found[place] = answer
        count.add(1)
    return found


def _context(speaker: Speaker) -> int:
    """Most tokens that a voice reads."""
    known = getattr(speaker.model.config, "max_position_embeddings", None)
    return known if isinstance(known, int) else speaker.tokenizer.model_max_length
