"""What all methods of training tell their trainers in the same words.

They run in trl's trainers, whose output head computes log-probabilities in tiles and
never holds all logits. Trainers are given rows that are ready, so that they train on
what was labelled here, and they write nothing: saving is ours, because the trainer's
own is neither atomic nor free of pickles.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from datasets import Dataset
from transformers import PrinterCallback
from trl.trainer import utils as trl_utils

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype
from studio.domain.train_options import Optimizer
from studio.engine.adapters import set_dtype
from studio.engine.adaptive_rank.allocation import allocator_for
from studio.engine.chat_rendering import TrainingRow
from studio.engine.devices import Formats
from studio.engine.packing import example
from studio.engine.reference import NOT_REENTRANT
from studio.engine.row_store import RowStore
from studio.engine.schedules import course_of
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import Resumable

_OPTIMIZERS = {
    Optimizer.ADAMW_FUSED: "adamw_torch_fused",
    Optimizer.ADAMW_FOREACH: "adamw_torch",
    Optimizer.ADAMW_8BIT: "adamw_bnb_8bit",
    Optimizer.PAGED_ADAMW_32BIT: "paged_adamw_32bit",
    Optimizer.PAGED_ADAMW_8BIT: "paged_adamw_8bit",
    Optimizer.LION: "lion_32bit",
    Optimizer.LION_8BIT: "lion_8bit",
    Optimizer.PAGED_LION: "paged_lion_32bit",
    Optimizer.PAGED_LION_8BIT: "paged_lion_8bit",
    Optimizer.ADAFACTOR: "adafactor",
}

# Words of the vocabulary that are scored at a time on a processor. Tiles of trl's
# 32,768 fit no cache, and fetching their pages anew from the system costs a tenth of
# a step; the loss is the same.
TILE_ON_PROCESSOR = 2048
TILE_NAME = "_CHUNKED_LOGPROB_CHUNK_SIZE"


def shared_arguments(
    recipe: Recipe, formats: Formats, device: str, folder: str, rows: int
) -> dict[str, Any]:
    """What every method tells its trainer of the recipe, in transformers' words.

    Args:
        recipe: Of the run.
        formats: As decided for it.
        device: ``cuda`` or ``cpu``.
        folder: An existing folder; nothing is written there.
        rows: To be trained on in each pass.
    """
    course = course_of(recipe.train, recipe.total_steps(rows))
    train, compute = recipe.train, recipe.model.compute_dtype
    return {
        "output_dir": folder,
        "per_device_train_batch_size": train.micro_batch,
        "gradient_accumulation_steps": train.accumulation,
        "num_train_epochs": train.epochs,
        "max_steps": train.max_steps or -1,
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": course.name,
        "lr_scheduler_kwargs": dict(course.arguments),
        "warmup_steps": train.warming_up,
        "neftune_noise_alpha": train.neftune or None,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.clipping,
        "optim": _OPTIMIZERS[train.optimizer],
        "activation_checkpointing": train.checkpointing,
        "gradient_checkpointing": train.checkpointing,
        "activation_checkpointing_kwargs": {**NOT_REENTRANT, "offload": train.offload},
        "seed": train.seed,
        "bf16": formats.autocast and compute is ComputeDtype.BF16,
        "fp16": formats.autocast and compute is ComputeDtype.FP16,
        "use_cpu": device == "cpu",
        # Rows of like length share a batch: a fifth less padding on short chats. Packed
        # rows are all alike.
        "train_sampling_strategy": "random" if train.packing else "group_by_length",
        "logging_steps": 1,
        # True would draw a loss that is not a number as 0.0.
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def data_set_of(rows: Sequence[TrainingRow]) -> Dataset:
    """Rows as trl's trainers take them."""
    if isinstance(rows, RowStore):
        return rows.data_set()
    return Dataset.from_list([example(row) for row in rows])


def suit_head(device: str) -> None:
    """Let trl's output head take tiles that suit a device, ``cuda`` or ``cpu``."""
    if device == "cpu":
        vars(trl_utils)[TILE_NAME] = TILE_ON_PROCESSOR


def ready(run: TrainingRun, trainer: Resumable) -> None:
    """Let a trainer that was just made be this run's own."""
    lora = run.recipe.lora
    trainer.plus_ratio = lora.plus_ratio
    trainer.allocator = allocator_for(run.model, lora.rank, run.total_steps())
    trainer.remove_callback(PrinterCallback)
    run.keeper.watch(trainer)
    # After trl, which casts the adapter of a quantised model to bf16 by itself.
    set_dtype(run.model, run.formats.adapter)


class ReadyRows(Resumable):
    """Goes before a trainer of trl that would prepare its rows itself.

    Attributes:
        columns: Of the rows that its batches are made of.
    """

    columns: ClassVar[list[str]]

    def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
        return dataset

    def _set_signature_columns_if_needed(self) -> None:
        vars(self)["_signature_columns"] = self.columns
