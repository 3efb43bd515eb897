"""Supervised fine-tuning of an adapter or of all weights, to what is saved of them.

Read `train` from top to bottom. trl's SFTTrainer runs the loop, for its output head
computes the loss in tiles and never holds all logits. It is given rows that are ready,
so that it trains on what `chat_rendering` labelled, and it writes nothing: saving is
ours, because the trainer's own is neither atomic nor free of pickles.
"""

from collections.abc import Sequence

from datasets import Dataset
from transformers import PrinterCallback, set_seed
from trl.trainer import utils as trl_utils
from trl.trainer.sft_config import SFTConfig

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype
from studio.domain.run import Phase
from studio.domain.train_options import Optimizer
from studio.engine.adapters import set_dtype
from studio.engine.chat_rendering import TrainingRow
from studio.engine.data_preparation import prepare_data
from studio.engine.devices import (
    Formats,
    choose_device,
    formats_of,
    refuse_on_processor,
)
from studio.engine.main_memory import warn_of_main_memory
from studio.engine.model_loading import load_model
from studio.engine.model_preparation import prepared_folder
from studio.engine.packing import (
    PackingTrainer,
    collator_for,
    example,
    refuse_leaks,
    rows_for,
)
from studio.engine.progress import StepReporter
from studio.engine.progress_bars import reported
from studio.engine.resuming import Resuming, fingerprint_of, take_up
from studio.engine.row_store import RowStore
from studio.engine.schedules import course_of
from studio.engine.session import Session
from studio.engine.smoothing import smooth
from studio.engine.tokenizer_loading import load_tokenizer
from studio.engine.trained_weights import made_trainable
from studio.engine.training_loop import begin, drive
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import ResumableTrainer
from studio.engine.trial import try_worst
from studio.storage.data_sets import digest_of_data
from studio.storage.in_force import chosen_recipe
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.system.resident_memory import set_back

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


def train(
    session: Session,
    directory: RunDirectory,
    recipe: Recipe,
    place: ModelPlace,
    resuming: Resuming | None = None,
) -> None:
    """Train what the recipe trains and save it in the run's directory.

    Args:
        session: Where to report, and where orders come from.
        directory: Of the run.
        recipe: What to do.
        place: The base model, ready or convertible.
        resuming: How to go on with the run; None to begin it.

    Raises:
        StudioError: Bad input, no space, no checkpoint to go on from, or numbers that
            broke down.
        Interrupted: The engine was told to end before the first step.
    """
    refuse_on_processor(recipe, choose_device())
    with session.lifeline.open():
        found = take_up(session, directory, place, resuming) if resuming else None
        run = load_run(session, directory, recipe, place)
        warn_of_main_memory(run)
        try_worst(run, build_trainer)
        trainer = build_trainer(run)
        if recipe.train.packing:
            refuse_leaks(trainer, run.formats)
        begin(run, trainer, found)
    drive(run, trainer, found)


def load_run(
    session: Session, directory: RunDirectory, recipe: Recipe, place: ModelPlace
) -> TrainingRun:
    """Load the model, make it trainable, and read the data.

    Raises:
        StudioError: Bad input.
        Interrupted: The engine was told to end.
    """
    device = choose_device()
    formats = formats_of(recipe, device)
    folder = prepared_folder(session, place)

    session.enter(Phase.LOADING_MODEL)
    tokenizer = load_tokenizer(folder)
    with reported(session, "Loading the weights"):
        base = load_model(folder, recipe.model, formats, device)
    set_seed(recipe.train.seed)
    model = made_trainable(base, recipe)

    # What a run takes is counted from here on: converting a model and reading a file
    # that lies mapped in memory take pages that training doesn't need.
    set_back()

    session.enter(Phase.PREPARING_DATA)
    data = prepare_data(session, recipe, tokenizer)
    sha256 = digest_of_data(recipe.data)
    return TrainingRun(
        session=session,
        directory=directory,
        recipe=recipe,
        place=place,
        model=model,
        tokenizer=tokenizer,
        data=data,
        data_sha256=sha256,
        formats=formats,
        fingerprint=fingerprint_of(
            chosen_recipe(directory, recipe), sha256, folder, device.type
        ),
    )


def build_trainer(run: TrainingRun) -> ResumableTrainer:
    """Make the trainer of trl, ready to train and told to write nothing."""
    device = next(run.model.parameters()).device
    if device.type == "cpu":
        vars(trl_utils)[TILE_NAME] = TILE_ON_PROCESSOR
    packs = run.recipe.train.packing
    rows = _dataset(rows_for(run.recipe, run.data.training))
    trainer = (PackingTrainer if packs else ResumableTrainer)(
        model=run.model,
        args=training_arguments(
            run.recipe, run.formats, device.type, str(run.directory.path), len(rows)
        ),
        train_dataset=rows,
        data_collator=collator_for(run.recipe, run.pad) if packs else None,
        processing_class=run.tokenizer,
        callbacks=[StepReporter(run.session, run.recipe, run)],
    )
    if run.recipe.train.label_smoothing:
        smooth(trainer, run.recipe.train.label_smoothing)
    trainer.plus_ratio = run.recipe.lora.plus_ratio
    trainer.remove_callback(PrinterCallback)
    run.keeper.watch(trainer)
    # After trl, which casts the adapter of a quantised model to bf16 by itself.
    set_dtype(run.model, run.formats.adapter)
    return trainer


def training_arguments(
    recipe: Recipe, formats: Formats, device: str, folder: str, rows: int
) -> SFTConfig:
    """The recipe in transformers' words.

    Args:
        recipe: Of the run.
        formats: As decided for it.
        device: ``cuda`` or ``cpu``.
        folder: An existing folder; nothing is written there.
        rows: To be trained on in each pass.
    """
    course = course_of(recipe.train, recipe.total_steps(rows))
    train, compute = recipe.train, recipe.model.compute_dtype
    return SFTConfig(
        output_dir=folder,
        per_device_train_batch_size=train.micro_batch,
        gradient_accumulation_steps=train.accumulation,
        num_train_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        learning_rate=train.learning_rate,
        lr_scheduler_type=course.name,
        lr_scheduler_kwargs=dict(course.arguments),
        warmup_steps=train.warming_up,
        neftune_noise_alpha=train.neftune or None,
        weight_decay=train.weight_decay,
        max_grad_norm=train.clipping,
        optim=_OPTIMIZERS[train.optimizer],
        activation_checkpointing=train.checkpointing,
        gradient_checkpointing=train.checkpointing,
        activation_checkpointing_kwargs={"offload": True} if train.offload else None,
        max_length=train.sequence_length,
        seed=train.seed,
        bf16=formats.autocast and compute is ComputeDtype.BF16,
        fp16=formats.autocast and compute is ComputeDtype.FP16,
        use_cpu=device == "cpu",
        # Rows of like length share a batch: a fifth less padding on short chats. Packed
        # rows are all alike.
        train_sampling_strategy="random" if train.packing else "group_by_length",
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_steps=1,
        # True would draw a loss that is not a number as 0.0.
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _dataset(rows: Sequence[TrainingRow]) -> Dataset:
    if isinstance(rows, RowStore):
        return rows.data_set()
    return Dataset.from_list([example(row) for row in rows])
