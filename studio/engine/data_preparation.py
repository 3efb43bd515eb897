"""The data file becomes rows of tokens: some to train on, some to measure with."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from studio.domain.dataset import Chat, ChatFile, RowError
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import warning
from studio.domain.judgement_findings import unsuited
from studio.domain.mixing import mixed_finding, mixed_rows
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import AT_ONCE, TrainingRow
from studio.engine.judged_rows import RatedStore
from studio.engine.row_makers import Makes, maker_for, store_for
from studio.engine.row_store import EMPTY, RowStore
from studio.engine.session import Session
from studio.engine.tokenizer_loading import Tokenizer
from studio.storage.data_sets import read_data

_DEFAULT_PROMPTS = 3


@dataclass(frozen=True, slots=True)
class PreparedData:
    """What a run learns from and is measured by.

    Attributes:
        training: Rows to train on.
        held_out: Rows to measure with; may be empty.
        prompts: Questions to answer before and after.
    """

    training: Sequence[TrainingRow]
    held_out: Sequence[TrainingRow]
    prompts: tuple[str, ...]


def prepare_data(
    session: Session, recipe: Recipe, tokenizer: Tokenizer
) -> PreparedData:
    """Read, split, render and cut the rows of a run.

    Args:
        session: Told of progress, of rows left out and of rows cut.
        recipe: Of the run.
        tokenizer: Of its model.

    Raises:
        StudioError: No data, or nothing in it to learn.
    """
    _refuse_none(recipe)
    file = read_data(recipe.data)
    _refuse_unsuited(recipe, file)
    for finding in file.findings:
        session.warn(finding)
    share = recipe.data.share_held_out
    train_at, held_at = file.split(share, recipe.train.seed)
    rows = _rendered(session, recipe, tokenizer, file.chats)
    store = store_for(recipe.train.method)
    training = store(_usable(rows, train_at))
    training.extend(_mixed_in(session, recipe, tokenizer, file))
    held_out = store(_usable(rows, held_at))
    asked: Iterable[Chat] = (file.chats[at] for at in held_at or train_at)
    if file.held_out_file is not None:
        held_out = _held_out_file(session, recipe, tokenizer, file.held_out_file)
        asked = file.held_out_file.chats
    if not training:
        raise _nothing_to_learn(recipe)
    _refuse_one_sided(recipe, training)
    questions = (question for chat in asked if (question := chat.question()))
    prompts = recipe.data.prompts or tuple(islice(questions, _DEFAULT_PROMPTS))
    return PreparedData(training, held_out, prompts)


def _refuse_none(recipe: Recipe) -> None:
    if not recipe.data.path:
        raise refusal(
            "data.none",
            "No data file is chosen.",
            fix="Name one by --set data.path=FILE, or in the recipe.",
            where="data.path",
        )


def _refuse_unsuited(recipe: Recipe, file: ChatFile) -> None:
    """Refuse files whose rows the recipe's method can't learn from."""
    mixed = [each.file for each in file.mixed]
    measured = [] if file.held_out_file is None else [file.held_out_file]
    for each in (file, *mixed, *measured):
        finding = unsuited(recipe.train.method, each.kind, Path(each.path).name)
        if finding is not None:
            raise StudioError(finding)


def _refuse_one_sided(recipe: Recipe, rows: RowStore) -> None:
    """Refuse rated answers that were all liked, or all not."""
    if isinstance(rows, RatedStore) and not rows.has_both_verdicts:
        raise refusal(
            "data.one-verdict",
            "All answers have the same verdict, so there is nothing to tell apart.",
            fix="Add answers with the other verdict, or learn from good ones with "
            "train.method set to sft.",
            where=recipe.data.path,
        )


def _held_out_file(
    session: Session, recipe: Recipe, tokenizer: Tokenizer, held: ChatFile
) -> RowStore:
    """The rows of a file that is only measured with.

    Raises:
        StudioError: Nothing can be measured with any.
    """
    own = recipe.with_value("data.path", held.path)  # told of by its own name
    rendered = _rendered(session, own, tokenizer, held.chats)
    usable = _usable(rendered, range(len(rendered)))
    rows = store_for(recipe.train.method)(usable)
    if not rows:
        raise _nothing_to_learn(own)
    return rows


def _mixed_in(
    session: Session, recipe: Recipe, tokenizer: Tokenizer, file: ChatFile
) -> Iterator[TrainingRow]:
    """The rows of further files, each as often as it is taken."""
    seed = recipe.train.seed
    counts = file.mixed_counts(recipe.data.share_held_out, seed)
    for place, (count, mixed) in enumerate(zip(counts, file.mixed, strict=True)):
        session.warn(mixed_finding(count))
        drawn = mixed_rows(count.there, count.taken, seed, place)
        each = sorted(set(drawn))
        # Its rows are told of by its own name, and rendered once however often taken.
        own = recipe.with_value("data.path", count.path)
        chats = [mixed.file.chats[at] for at in each]
        rows = _rendered(session, own, tokenizer, chats)
        places = {at: place for place, at in enumerate(each)}
        yield from _usable(rows, [places[at] for at in drawn])


def _usable(rows: RowStore, places: Iterable[int]) -> Iterator[TrainingRow]:
    return (rows[at] for at in places if rows.tokens_of(at))


def _rendered(
    session: Session, recipe: Recipe, tokenizer: Tokenizer, chats: Sequence[Chat]
) -> RowStore:
    """Every chat as a row; an empty one where nothing can be learnt."""
    length = recipe.train.sequence_length
    refused: dict[str, list[int]] = {}
    rows = store_for(recipe.train.method)()
    cut = endless = 0
    maker = maker_for(recipe, tokenizer)
    for chat, whole in _made(session, maker, chats):
        if isinstance(whole, RowError):
            refused.setdefault(str(whole), []).append(chat.line)
            rows.append(EMPTY)
            continue
        row = whole.cut(length)
        cut += whole.is_longer(length)
        endless += not whole.ends
        if whole.trained_tokens and not row.trained_tokens:
            reason = f"has no answer within its first {length:,} tokens"
            refused.setdefault(reason, []).append(chat.line)
        rows.append(row if row.trained_tokens else EMPTY)
    _tell(session, recipe, refused, len(rows))
    _tell_of_ends(session, cut, endless, recipe, len(rows))
    return rows


def _made(
    session: Session, maker: Makes, chats: Sequence[Chat]
) -> Iterator[tuple[Chat, TrainingRow | RowError]]:
    counted = session.counted(chats, "Reading the rows", "rows")
    while some := list(islice(counted, AT_ONCE)):
        yield from zip(some, maker.rows(some), strict=True)


def _tell(
    session: Session, recipe: Recipe, refused: dict[str, list[int]], rows: int
) -> None:
    for reason, lines in refused.items():
        session.warn(
            warning(
                "data.row-left-out",
                f"{len(lines):,} of {rows:,} rows are left out: the first {reason}.",
                fix="Mend those rows, or set train.sequence_length higher.",
                where=f"{Path(recipe.data.path).name}, line {lines[0]:,}",
            )
        )


def _tell_of_ends(
    session: Session, cut: int, endless: int, recipe: Recipe, rows: int
) -> None:
    if cut:
        session.warn(
            warning(
                "data.cut",
                f"{cut:,} of {rows:,} rows are longer than "
                f"{recipe.train.sequence_length:,} tokens and were cut.",
                why="The model doesn't learn how those answers end.",
                fix="Set train.sequence_length higher, or shorten the rows.",
                where="train.sequence_length",
            )
        )
    if endless:
        session.warn(
            warning(
                "data.no-end",
                f"The chat template ends the answers of {endless:,} rows without a "
                "special token.",
                why="The model may not learn to stop.",
                where="model.name",
            )
        )


def _nothing_to_learn(recipe: Recipe) -> StudioError:
    return refusal(
        "data.nothing-to-learn",
        "No row has an answer within its first "
        f"{recipe.train.sequence_length:,} tokens, so there is nothing to learn.",
        fix="Set train.sequence_length higher, or shorten the questions.",
        where=recipe.data.path,
    )
