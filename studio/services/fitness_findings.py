"""What a recipe asks that its model and its data don't suit: lengths, rates, templates.

Doubts, save a missing chat template, without which the engine can't train on chats.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from studio.domain.adaptive_rank import too_few_steps
from studio.domain.architecture import ModelArchitecture
from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding, error, warning
from studio.domain.learning_rates import best_rate
from studio.domain.packing import rows_as_trained, rows_in_a_pack, rows_of_a_step
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.domain.recommend.policy import EFFECTIVE_BATCH
from studio.services.model_shapes import architecture_of
from studio.services.pricing import lengths_of, trained_lengths
from studio.storage.models import ModelPlace, ModelState

# Ten times more than the best rate, or a hundredth of it, is doubted.
_TOO_MUCH, _TOO_LITTLE = 10, 0.01

# Rows in a pack, below which packing is idle; rows of a step, above which it is told.
_HARDLY = 1.1
_LARGE_BATCH = 4 * EFFECTIVE_BATCH

_TOKENIZER_CONFIG = "tokenizer_config.json"
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
_MOST_BYTES = 1 << 24  # a tokenizer's configuration is some kilobytes


def fitness_findings(
    recipe: Recipe, place: ModelPlace, data: ChatFile | Finding | None
) -> Iterator[Finding]:
    """What of a recipe doesn't suit its model and its data.

    Args:
        recipe: What is to be trained.
        place: Its model.
        data: The data file as read; anything else isn't looked at.
    """
    model = architecture_of(place)
    if model is not None:
        yield from length_findings(recipe, model)
        yield from _rate_findings(recipe, model)
    if isinstance(data, ChatFile):
        yield from _cut_findings(recipe, data)
        yield from _batch_findings(recipe, data)
        yield from _course_findings(recipe, data)
        yield from _packing_findings(recipe, data)
    if place.state is ModelState.READY and place.folder is not None:
        yield from _tokenizer_findings(place.folder)


def length_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    """What speaks against a recipe's longest rows."""
    length, most = recipe.train.sequence_length, model.context * recipe.model.stretch
    if length > most:
        yield warning(
            "recipe.length-beyond-context",
            f"Rows of {length:,} tokens are longer than this model reads.",
            why=f"It was made for {model.context:,}; behind that its answers decay.",
            fix=f"Set train.sequence_length to {int(most)} or less, or "
            f"model.stretch to {-(-length // model.context)}.",
            where="train.sequence_length",
        )


def _rate_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    rate, ratio = recipe.train.learning_rate, recipe.lora.plus_ratio
    best = best_rate(model, recipe)
    if rate > best * _TOO_MUCH:
        faster = ""
        if ratio != 1:
            faster = f" The adapter’s B matrices learn at {rate * ratio:g}."
        yield warning(
            "recipe.rate-high",
            f"The learning rate {rate:g} is far above what models of this width bear.",
            why=f"The loss may rise instead of falling.{faster}",
            fix=f"Try {best:.0e} or less (train.learning_rate).",
            where="train.learning_rate",
        )
    elif rate < best * _TOO_LITTLE:
        yield warning(
            "recipe.rate-low",
            f"The learning rate {rate:g} is far below what training needs.",
            why="The run may end with the model as it was.",
            fix=f"Try {best / 4:.0e} to {best:.0e} (train.learning_rate).",
            where="train.learning_rate",
        )


def _cut_findings(recipe: Recipe, data: ChatFile) -> Iterator[Finding]:
    lengths, length = lengths_of(data), recipe.train.sequence_length
    cut = lengths.longer_than(length)
    if cut:
        rows = "row is" if cut == 1 else "rows are"
        judged = "" if lengths.counted else ", by their characters"
        yield warning(
            "data.rows-cut",
            f"{cut:,} {rows} longer than {length:,} tokens{judged}.",
            why="Their ends would be cut off, and the answers with them.",
            fix=f"Set train.sequence_length to {lengths.longest} to keep all whole.",
            where="train.sequence_length",
        )


def _batch_findings(recipe: Recipe, data: ChatFile) -> Iterator[Finding]:
    rows = data.training_rows(recipe.data.share_held_out, recipe.train.seed)
    batch = round(rows_of_a_step(recipe, trained_lengths(recipe, data)))
    if rows < batch:
        yield warning(
            "data.less-than-a-batch",
            f"A step takes {batch:,} rows, and there are {rows:,} to train on.",
            why="Each pass over the data is a single step, so the model learns slowly.",
            fix="Lower train.accumulation, or add rows.",
            where="train.accumulation",
        )


def _course_findings(recipe: Recipe, data: ChatFile) -> Iterator[Finding]:
    """Where passes over the data make too few steps; a set number is checked before."""
    spreads = recipe.lora.variant is LoraVariant.ADALORA and not recipe.trains_all
    if not spreads or recipe.train.max_steps:
        return
    rows = data.training_rows(recipe.data.share_held_out, recipe.train.seed)
    trained = rows_as_trained(rows, recipe.train, trained_lengths(recipe, data))
    finding = too_few_steps(recipe.total_steps(trained), "train.epochs")
    if finding is not None:
        yield finding


def _packing_findings(recipe: Recipe, data: ChatFile) -> Iterator[Finding]:
    if not recipe.train.packing:
        return
    lengths, length = trained_lengths(recipe, data), recipe.train.sequence_length
    if rows_in_a_pack(lengths, length) < _HARDLY:
        yield warning(
            "data.packs-nothing",
            f"Hardly any two rows fit into {length:,} tokens; packing saves nothing.",
            why="It costs a mask for each row, in memory and in time.",
            fix="Set train.packing to false.",
            where="train.packing",
        )
    batch, times = rows_of_a_step(recipe, lengths), recipe.train.accumulation
    if batch > _LARGE_BATCH and times > 1:
        fewer = max(1, round(times * EFFECTIVE_BATCH / batch))
        yield warning(
            "recipe.packed-batch",
            f"With packed rows a step learns from about {batch:,.0f} rows of the data.",
            why=f"Adapters learn well from {EFFECTIVE_BATCH}; with more, a pass has "
            "few steps and teaches little.",
            fix=f"Set train.accumulation to {fewer}.",
            where="train.accumulation",
        )


def _tokenizer_findings(folder: Path) -> Iterator[Finding]:
    config = _tokenizer_config(folder)
    if config is None:
        return  # older tokenizers have none; the engine judges them
    has_file = any((folder / name).is_file() for name in _TEMPLATE_FILES)
    if not config.get("chat_template") and not has_file:
        yield error(
            "model.no-chat-template",
            "This model has no chat template, so it can’t be taught from chats.",
            fix="Choose an instruct or chat version of it.",
            where=str(folder),
        )
    if not config.get("eos_token"):
        yield warning(
            "model.no-end",
            "This model’s tokenizer names no token that ends a text.",
            why="The trained model may not know when to stop.",
            fix=f"Name its eos_token in {_TOKENIZER_CONFIG}.",
            where=str(folder),
        )


def _tokenizer_config(folder: Path) -> Mapping[str, object] | None:
    path = folder / _TOKENIZER_CONFIG
    try:
        status = path.stat()
    except OSError:
        return None
    if status.st_size > _MOST_BYTES:
        return None
    return _read_once(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)  # findings are asked for at every keystroke
def _read_once(path: Path, _changed_ns: int, _size: int) -> Mapping[str, object] | None:
    """A file that stays as it is is read once."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping) else None
