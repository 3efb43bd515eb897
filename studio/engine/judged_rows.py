"""Judged answers become rows of tokens: pairs of them, or one with its verdict.

Each answer is rendered and tokenised behind its question by `RowMaker`, as a chat to
learn from is, so that the model is judged on the very tokens that it will write. Only
what the assistant says behind the question is scored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import cast

import pyarrow as pa
from typing_extensions import override

from studio.domain.data_options import LossOn
from studio.domain.dataset import Chat, RowError, Turn
from studio.domain.judged_examples import RatedAnswer, judged_example
from studio.engine.chat_rendering import (
    RenderedRow,
    RowMaker,
    TokenRow,
    TrainingRow,
)
from studio.engine.row_store import EMPTY, PackedRow, PackStore, RowStore
from studio.engine.tokenizer_loading import Tokenizer


@dataclass(frozen=True, slots=True)
class PairRow(PackedRow):
    """Two answers, the better one first, each behind the same question.

    Its tokens are those of both, one behind the other; `lengths` has two entries.
    """

    def halves(self) -> tuple[TrainingRow, TrainingRow]:
        """The better answer and the worse one, each with its question."""
        good = self.lengths[0]
        return (
            TrainingRow(self.input_ids[:good], self.labels[:good], self.ends),
            TrainingRow(self.input_ids[good:], self.labels[good:], self.ends),
        )

    @property
    @override
    def trained_tokens(self) -> int:
        """Of the answer that has fewer: one alone teaches nothing."""
        return min(half.trained_tokens for half in self.halves())

    @property
    @override
    def width(self) -> int:
        return max(self.lengths)

    @override
    def cut(self, length: int) -> "PairRow":
        return pair_row(*(half.cut(length) for half in self.halves()))


@dataclass(frozen=True, slots=True)
class RatedRow(TrainingRow):
    """An answer behind its question, with its verdict.

    Attributes:
        is_liked: Whether it was a good one.
    """

    is_liked: bool = True

    @override
    def cut(self, length: int) -> "RatedRow":
        labels = self.labels[:length]
        return RatedRow(self.input_ids[:length], labels, self.ends, self.is_liked)


def pair_row(good: TrainingRow, bad: TrainingRow) -> PairRow:
    """Two answers as one row."""
    return PairRow(
        input_ids=good.input_ids + bad.input_ids,
        labels=good.labels + bad.labels,
        ends=good.ends and bad.ends,
        lengths=(len(good.input_ids), len(bad.input_ids)),
    )


def better_of(row: TrainingRow) -> TrainingRow:
    """Of a pair the better answer with its question; another row itself."""
    return row.halves()[0] if isinstance(row, PairRow) else row


class PairStore(PackStore):
    """Pairs in the order they were added."""

    @override
    def _row(self, place: int) -> PairRow:
        row = super()._row(place)
        return PairRow(row.input_ids, row.labels, row.ends, row.lengths)

    @override
    def append(self, row: TrainingRow) -> None:
        super().append(PackedRow([], []) if row is EMPTY else row)


class RatedStore(RowStore):
    """Rated answers, likewise."""

    def __init__(self, rows: Iterable[TrainingRow] = ()) -> None:
        self._liked = bytearray()
        super().__init__(rows)

    @override
    def append(self, row: TrainingRow) -> None:
        super().append(row)
        self._liked.append(isinstance(row, RatedRow) and row.is_liked)

    @override
    def _row(self, place: int) -> RatedRow:
        row = super()._row(place)
        liked = bool(self._liked[place])
        return RatedRow(row.input_ids, row.labels, row.ends, liked)

    @property
    def has_both_verdicts(self) -> bool:
        """Whether some were liked and some were not."""
        return len(set(self._liked)) > 1

    @override
    def _columns(self) -> dict[str, pa.Array]:
        return {**super()._columns(), "label": pa.array(map(bool, self._liked))}


class JudgedRowMaker:
    """Makes rows of judged examples."""

    def __init__(self, tokenizer: Tokenizer, loss_on: LossOn) -> None:
        """Prepare for a tokenizer.

        Args:
            tokenizer: Of the model.
            loss_on: Whether all answers behind the question count, or the last.
        """
        self._maker = RowMaker(tokenizer)
        self._only_last = loss_on is LossOn.LAST_ANSWER

    def rows(self, chats: Sequence[Chat]) -> list[TrainingRow | RowError]:
        """Judged examples as rows, or why one is none, in their order.

        Raises:
            StudioError: The template takes more time or memory than any honest one.
        """
        found = [self._rendered(chat) for chat in chats]
        answers = [each for each in found if not isinstance(each, RowError)]
        texts = chain.from_iterable(each.texts for each in answers)
        tokens = iter(self._maker.tokenised(list(texts)))
        return [
            each if isinstance(each, RowError) else each.row(tokens) for each in found
        ]

    def _rendered(self, chat: Chat) -> "_Answers | RowError":
        try:
            judged = judged_example(chat)
            if isinstance(judged, RatedAnswer):
                text = self._text(chat, judged.prompt, judged.completion)
                return _Answers((text,), judged.label)
            good = self._text(chat, judged.prompt, judged.chosen)
            bad = self._text(chat, judged.prompt, judged.rejected)
        except RowError as fault:
            return fault
        return _Answers((good, bad))

    def _text(
        self, chat: Chat, prompt: tuple[Turn, ...], answer: tuple[Turn, ...]
    ) -> RenderedRow:
        """An answer behind its question; what was said before isn't scored."""
        alone = replace(chat, turns=(*prompt, *answer), rejected=(), is_liked=None)
        row = self._maker.rendered(alone)
        before = sum(turn.role == "assistant" for turn in prompt)
        spans = (row.spans or ())[before:]
        return RenderedRow(row.text, spans[-1:] if self._only_last else spans)


@dataclass(frozen=True, slots=True)
class _Answers:
    """A judged example as text; `is_liked` is None for a pair."""

    texts: tuple[RenderedRow, ...]
    is_liked: bool | None = None

    def row(self, tokens: Iterator[TokenRow | RowError]) -> TrainingRow:
        """The row of its texts, which are next among the tokens."""
        rows = [cast("TokenRow", next(tokens)).training_row() for _ in self.texts]
        if self.is_liked is None:
            return pair_row(*rows)
        (row,) = rows
        return RatedRow(row.input_ids, row.labels, row.ends, self.is_liked)
