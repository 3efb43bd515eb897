"""Several short rows in one, so that none of them sees another.

A packed row names the positions of its tokens, which begin anew with each chat. Without
a mask of its own transformers makes one of them that lets no token look into another
chat (masking_utils.py, `find_packed_sequence_indices`); FlashAttention is given the
places where chats begin. The first token of a chat is never learnt, so that none is
predicted from the chat before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any, cast

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer
from typing_extensions import override

from studio.domain.errors import StudioError, refusal
from studio.domain.packing import best_fit
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention
from studio.engine.chat_rendering import IGNORED, TrainingRow
from studio.engine.devices import Formats
from studio.engine.judged_rows import RatedRow
from studio.engine.row_store import PackedRow, PackStore
from studio.engine.training_state import ResumableTrainer

Example = Mapping[str, Any]
Batch = dict[str, Any]
_TOKENS = "tokens"

# What is asked of a model before it is trained on packed rows.
_PROBE_TOKENS = 24
_LEAK = 0.1


def rows_for(recipe: Recipe, rows: Sequence[TrainingRow]) -> Sequence[TrainingRow]:
    """The rows as a recipe trains on them: packed, if it says so.

    Rows that are packed already stay as they are.
    """
    if not recipe.train.packing or (len(rows) and isinstance(rows[0], PackedRow)):
        return rows
    lengths = [len(row.input_ids) for row in rows]
    packs = best_fit(lengths, recipe.train.sequence_length)
    return PackStore(packed([rows[at] for at in pack]) for pack in packs)


def packed(rows: Sequence[TrainingRow]) -> PackedRow:
    """Chats one behind the other."""
    labels = ([IGNORED, *row.labels[1:]] for row in rows)
    return PackedRow(
        input_ids=list(chain.from_iterable(row.input_ids for row in rows)),
        labels=list(chain.from_iterable(labels)),
        ends=all(row.ends for row in rows),
        lengths=tuple(len(row.input_ids) for row in rows),
    )


def example(row: TrainingRow) -> dict[str, Any]:
    """A row as trl's trainer takes it."""
    found: dict[str, Any] = {"input_ids": row.input_ids, "labels": row.labels}
    if isinstance(row, PackedRow):
        found["seq_lengths"] = list(row.lengths)
    if isinstance(row, RatedRow):
        found["label"] = row.is_liked
    return found


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Puts packed rows together; what pads a row is a text of its own.

    Attributes:
        pad: The token that pads.
    """

    pad: int

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Tensors of (rows, tokens of the longest), and how many tokens aren't pads."""
        sizes = [len(each["input_ids"]) for each in examples]
        most = max(sizes)
        positions = [
            torch.cat([torch.arange(n) for n in (*each["seq_lengths"], most - size)])
            for each, size in zip(examples, sizes, strict=True)
        ]
        ids = [torch.tensor(each["input_ids"]) for each in examples]
        labels = [torch.tensor(each["labels"]) for each in examples]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "position_ids": torch.stack(positions),
            _TOKENS: sum(sizes),
        }


class FlatBatch:
    """Puts packed rows one behind the other, as FlashAttention wants them.

    Of several rows its kernel would take no notice that chats begin within them
    (transformers, modeling_flash_attention_utils.py, `_is_packed_sequence`).
    """

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Tensors of (1, tokens of all), and where each chat begins."""
        lengths = [n for each in examples for n in each["seq_lengths"]]
        starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
        return {
            "input_ids": _joined(examples, "input_ids"),
            "labels": _joined(examples, "labels"),
            "position_ids": torch.cat([torch.arange(n) for n in lengths])[None],
            "cu_seq_lens_q": starts,
            "cu_seq_lens_k": starts,
            "max_length_q": max(lengths),
            "max_length_k": max(lengths),
            _TOKENS: sum(lengths),
        }


def _joined(examples: Sequence[Example], name: str) -> torch.Tensor:
    return torch.tensor([list(chain.from_iterable(each[name] for each in examples))])


def collator_for(recipe: Recipe, pad: int) -> Callable[[Sequence[Example]], Batch]:
    """What puts a recipe's packed rows together."""
    flat = recipe.model.attention is Attention.FLASH
    return FlatBatch() if flat else PackedBatch(pad)


class PackingTrainer(ResumableTrainer):
    """Counts the tokens of all packed rows: trl counts those of the first alone."""

    @override
    def compute_loss(
        self, model: Any, inputs: Batch, *arguments: Any, **others: Any
    ) -> Any:
        counted = inputs["position_ids"].size(1)
        self._total_train_tokens += inputs.pop(_TOKENS) - counted
        return super().compute_loss(model, inputs, *arguments, **others)  # type: ignore[no-untyped-call]  # trl leaves it untyped


def refuse_leaks(trainer: Trainer, formats: Formats) -> None:
    """Refuse a model that would read across the rows of a pack.

    Which do is found by trying: layers with a memory, positions that are part of the
    scores and models that make their own masks take no notice of where a chat begins. A
    text is scored behind two different ones, packed and joined; packed it must not
    matter which comes before.

    Raises:
        StudioError: It matters.
    """
    model = trainer.model
    assert model is not None
    was_training = model.training
    model.eval()
    try:
        parted, joined = (
            _moved_by(trainer, formats, together=j) for j in (False, True)
        )
    finally:
        model.train(was_training)
    if parted > _LEAK * joined:
        raise _mixes()


def _moved_by(trainer: Trainer, formats: Formats, *, together: bool) -> float:
    """How far the scores of a text move with the text before it, in nats a token."""
    model = trainer.model
    assert model is not None
    device = next(model.parameters()).device
    words = cast("Any", model.config).get_text_config().vocab_size
    # Its own, so that the run's order and adapter stay what its seed makes them.
    chance = torch.Generator().manual_seed(0)
    texts = torch.randint(words, (3, _PROBE_TOKENS), generator=chance).tolist()
    scores = []
    for first in texts[:2]:
        row = packed([TrainingRow(ids, ids) for ids in (first, texts[2])])
        if together:
            row = replace(row, lengths=(2 * _PROBE_TOKENS,))
        batch = trainer.data_collator([example(row)])
        del batch[_TOKENS]
        moved = {
            name: each.to(device) if isinstance(each, torch.Tensor) else each
            for name, each in batch.items()
        }
        with torch.no_grad(), formats.casting(device):
            scored = model(**moved, use_cache=False, fused_lm_head=True)
        scores.append(scored.log_probs[0, 1 - _PROBE_TOKENS :].float())
    return float((scores[0] - scores[1]).abs().mean())


def _mixes() -> StudioError:
    return refusal(
        "packing.mixes",
        "This model reads across rows that are packed together, so they would leak "
        "into each other.",
        fix="Set train.packing to false.",
        where="train.packing",
    )
