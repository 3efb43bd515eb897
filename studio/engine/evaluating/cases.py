"""The inputs of an evaluation: each once, with all answers that the data holds for it.

Rows are made as those of training are, by the run's own template, and cut where those
were cut, so that a loss here is the loss that the run measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from studio.domain.data_options import LossOn
from studio.domain.dataset import Chat, ChatFile, Kind, RowError, Turn
from studio.domain.errors import StudioError, refusal
from studio.domain.evaluation import Seen, spread
from studio.domain.finding import Finding, warning
from studio.domain.judged_examples import RatedAnswer, judged_example
from studio.domain.method_options import REFERRING_METHODS
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import (
    AT_ONCE,
    RowMaker,
    TokenRow,
    TrainingRow,
    render,
)
from studio.engine.evaluating.seen import SeenRows, parted, seen_findings
from studio.engine.judged_rows import JudgedRowMaker
from studio.engine.session import Session
from studio.engine.tokenizer_loading import Tokenizer
from studio.storage.chat_files import read_chats
from studio.storage.data_reading import RECOGNISE, Choice
from studio.storage.data_sets import read_data


@dataclass(frozen=True, slots=True)
class Case:
    """An input.

    Attributes:
        turns: What is said before the answer; none of a plain text.
        asked: The same as the template renders it, ready to be answered; empty where
            nothing is asked.
        references: Different answers that the data holds; of a pair the better first.
        rows: The input with each of its answers, as tokens.
        lines: Of the rows in the file.
        seen: Whether it was trained on.
    """

    turns: tuple[Turn, ...]
    asked: str
    references: tuple[str, ...]
    rows: tuple[TrainingRow, ...]
    lines: tuple[int, ...]
    seen: Seen = Seen.NEVER

    def prompt(self) -> str:
        """What is said before the answer, as people read it."""
        if len(self.turns) == 1:
            return self.turns[0].content
        return "\n".join(f"{turn.role}: {turn.content}" for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Material:
    """What is measured with.

    Attributes:
        cases: In file order.
        kind: Of the rows.
        is_judged: Whether judgements are compared instead of answers.
        of_inputs: How many inputs there were before some were chosen.
        findings: What to bear in mind.
    """

    cases: Sequence[Case]
    kind: Kind
    is_judged: bool
    of_inputs: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be measured with.

    Attributes:
        data: A data file; None for the run's own held-out rows.
        columns: Which column is which part; empty as the run's own file is read.
        rows: At most so many inputs, evenly spread; 0 for all.
    """

    data: Path | None = None
    columns: tuple[str, ...] = ()
    rows: int = 0


@dataclass(slots=True)
class _Gathered:
    """An input whose rows are being collected."""

    chats: list[Chat]
    references: dict[str, None]


def material_of(
    session: Session, recipe: Recipe, tokenizer: Tokenizer, wanted: Wanted
) -> Material:
    """Read what a run is to be measured with.

    Args:
        session: Told of progress.
        recipe: Of the run.
        tokenizer: Of the run, with its template.
        wanted: Which rows.

    Raises:
        StudioError: They can't be read, or nothing can be measured with any.
    """
    own = _own_data(recipe, is_needed=wanted.data is None)
    kind, chats, findings = _rows(recipe, wanted, own)
    is_judged = _is_judged(kind, recipe)
    if kind is Kind.RATED and not is_judged:
        chats = [chat for chat in chats if chat.is_liked]
    gathered = list(_gathered(chats, is_judged=is_judged))
    if not gathered:
        raise _nothing(wanted)
    chosen = [gathered[at] for at in spread(len(gathered), wanted.rows)]
    seen = None if own is None else SeenRows.of(session, recipe, own)
    maker = _Maker(recipe, tokenizer, is_judged=is_judged)
    cases = [
        case
        for each in session.counted(chosen, "Reading the rows", "inputs")
        if (case := maker.case(each, seen)) is not None
    ]
    if not cases:
        raise _nothing(wanted)
    told = [
        *findings,
        *maker.findings(len(chosen)),
        *seen_findings([case.seen for case in cases], is_known=seen is not None),
    ]
    return Material(cases, kind, is_judged, len(gathered), tuple(told))


def _is_judged(kind: Kind, recipe: Recipe) -> bool:
    """Whether a file's judgements are compared; verdicts need a method that refers."""
    refers = recipe.train.method in REFERRING_METHODS
    return kind is Kind.PREFERENCE or (kind is Kind.RATED and refers)


def _own_data(recipe: Recipe, *, is_needed: bool) -> ChatFile | None:
    """What the run learnt from; None where it is gone and isn't needed."""
    if not recipe.data.path:  # of combined adapters
        if is_needed:
            raise refusal(
                "evaluation.no-data",
                "Combined adapters have no data of their own to be measured with.",
                fix="Name a data file: snugtune evaluate RUN --data FILE.",
                where="data.path",
            )
        return None
    try:
        return read_data(recipe.data)
    except StudioError:
        if is_needed:
            raise
        return None


def _rows(
    recipe: Recipe, wanted: Wanted, own: ChatFile | None
) -> tuple[Kind, Sequence[Chat], list[Finding]]:
    if wanted.data is not None:
        file = _file(wanted.data, wanted.columns, recipe)
        return file.kind, file.chats, list(file.findings)
    assert own is not None  # it was needed
    if own.held_out_file is not None:
        return own.held_out_file.kind, own.held_out_file.chats, []
    _, held = own.split(recipe.data.share_held_out, recipe.train.seed)
    if not held:
        raise refusal(
            "evaluation.nothing-held-out",
            "This run holds no rows back to be measured with.",
            fix="Name a data file: snugtune evaluate RUN --data FILE.",
            where="data.held_out",
        )
    return own.kind, [own.chats[at] for at in held], []


def _file(path: Path, columns: tuple[str, ...], recipe: Recipe) -> ChatFile:
    """Read a file by the columns given, else as the run's own, else as recognised."""
    if columns:
        return read_chats(path, Choice(columns=columns))
    own = Choice(recipe.data.format, recipe.data.columns)
    if own != RECOGNISE:
        try:
            return read_chats(path, own)
        except StudioError:
            pass  # it is another form of file, which is looked at for itself
    return read_chats(path)


def _gathered(chats: Sequence[Chat], *, is_judged: bool) -> Iterator[_Gathered]:
    """Rows that ask the same are one input; plain texts and judgements stand alone."""
    found: dict[object, _Gathered] = {}
    for chat in chats:
        turns, answer = parted(chat)
        key: object = (_key(turns), repr(chat.tools))
        if is_judged or chat.text:
            key = chat.file, chat.line
        each = found.setdefault(key, _Gathered([], {}))
        each.chats.append(chat)
        if answer:
            each.references[answer] = None
    yield from found.values()


def _key(turns: Sequence[Turn]) -> tuple[object, ...]:
    return tuple((turn.role, turn.content, repr(turn.extras)) for turn in turns)


class _Maker:
    """Makes cases of gathered rows, and counts what it left out."""

    def __init__(
        self, recipe: Recipe, tokenizer: Tokenizer, *, is_judged: bool
    ) -> None:
        loss_on = recipe.data.loss_on
        if loss_on is LossOn.EVERYTHING:
            loss_on = LossOn.ANSWERS
        self._tokenizer = tokenizer
        self._is_judged = is_judged
        self._judged = JudgedRowMaker(tokenizer, loss_on)
        self._plain = RowMaker(tokenizer, loss_on)
        self._length = recipe.train.sequence_length
        self._refused: dict[str, list[int]] = {}
        self._cut = 0

    def case(self, each: _Gathered, seen: SeenRows | None) -> Case | None:
        """A case; None where none of its rows can be measured with."""
        rows, lines = [], []
        for chat, row in self._made(each.chats):
            cut = row.cut(self._length)
            if not cut.trained_tokens:
                self._refuse(chat, f"has no answer within {self._length:,} tokens")
                continue
            self._cut += row.is_longer(self._length)
            rows.append(cut)
            lines.append(chat.line)
        if not rows:
            return None
        first = each.chats[0]
        try:
            turns, references, asked = self._question(first, tuple(each.references))
        except RowError as fault:
            self._refuse(first, str(fault))
            return None
        how = seen.of_chats(each.chats) if seen is not None else Seen.NEVER
        return Case(turns, asked, references, tuple(rows), tuple(lines), how)

    def findings(self, inputs: int) -> Iterator[Finding]:
        """What was left out, and what was cut."""
        for reason, lines in self._refused.items():
            yield warning(
                "evaluation.row-left-out",
                f"{len(lines):,} rows of {inputs:,} inputs are left out: the first, "
                f"line {lines[0]:,}, {reason}.",
            )
        if self._cut:
            yield warning(
                "evaluation.cut",
                f"{self._cut:,} rows are longer than {self._length:,} tokens and were "
                "cut there, as in training, before their loss was taken.",
            )

    def _question(
        self, chat: Chat, references: tuple[str, ...]
    ) -> tuple[tuple[Turn, ...], tuple[str, ...], str]:
        if chat.text:
            return (), (chat.text,), ""
        if self._is_judged:
            return *_judged_parts(chat), ""
        turns, _ = parted(chat)
        asked = ""
        if turns and references:
            asked = render(self._tokenizer, turns, asks=True, tools=chat.tools)
        return turns, references, asked

    def _made(self, chats: Sequence[Chat]) -> Iterator[tuple[Chat, TrainingRow]]:
        every = iter(chats)
        while some := list(islice(every, AT_ONCE)):
            for chat, row in zip(some, self._rows(some), strict=True):
                if isinstance(row, RowError):
                    self._refuse(chat, str(row))
                else:
                    yield chat, row

    def _rows(self, chats: Sequence[Chat]) -> Sequence[TrainingRow | RowError]:
        if self._is_judged:
            return self._judged.rows(chats)
        # A better or liked answer is an answer like any other.
        plain = [replace(chat, rejected=(), is_liked=None) for chat in chats]
        return [
            row.training_row() if isinstance(row, TokenRow) else row
            for row in self._plain.rows(plain)
        ]

    def _refuse(self, chat: Chat, reason: str) -> None:
        self._refused.setdefault(reason, []).append(chat.line)


def _judged_parts(chat: Chat) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """The question of a judgement, and its answers; of a pair the better one first."""
    judged = judged_example(chat)
    if isinstance(judged, RatedAnswer):
        return judged.prompt, (_said(judged.completion),)
    return judged.prompt, (_said(judged.chosen), _said(judged.rejected))


def _said(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.content for turn in turns)


def _nothing(wanted: Wanted) -> StudioError:
    return refusal(
        "evaluation.no-rows",
        "Nothing can be measured with these rows.",
        why="None of them has an answer within the run’s sequence length.",
        fix="Choose another file, or assign its columns with --columns.",
        where="" if wanted.data is None else str(wanted.data),
    )
