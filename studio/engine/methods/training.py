"""From a recipe to what is saved of its run: the same for every method.

Read `train` from top to bottom. Each method's own file makes its trainer.
"""

import torch
from transformers import set_seed

from studio.domain.adaptive_rank import too_few_steps
from studio.domain.errors import StudioError
from studio.domain.method_options import REFERRING_METHODS, Method
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.domain.run import Phase
from studio.engine.data_preparation import prepare_data
from studio.engine.devices import choose_device, formats_of, refuse_on_processor
from studio.engine.dropout_off import turn_off_dropout
from studio.engine.heap_keeping import keep_heap_within
from studio.engine.main_memory import warn_of_main_memory
from studio.engine.methods import dpo, kto, orpo, sft
from studio.engine.model_loading import load_model
from studio.engine.model_preparation import prepared_folder
from studio.engine.packing import refuse_leaks
from studio.engine.progress_bars import reported
from studio.engine.reference import hold_start
from studio.engine.resuming import Resuming, fingerprint_of, take_up
from studio.engine.run_memory import predicted_bytes
from studio.engine.session import Session
from studio.engine.starting.begin import begin_adapter
from studio.engine.tokenizer_loading import load_tokenizer
from studio.engine.trained_beside import set_aside
from studio.engine.trained_weights import made_trainable
from studio.engine.training_loop import begin, drive
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import ResumableTrainer
from studio.engine.trial import try_worst
from studio.storage.checkpoint_folders import Found
from studio.storage.data_sets import digest_of_data
from studio.storage.in_force import chosen_recipe
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.system.heap import give_back_free_memory
from studio.system.resident_memory import set_back

AnyTrainer = ResumableTrainer | dpo.PairTrainer | kto.RatedTrainer
_METHODS = {Method.SFT: sft, Method.DPO: dpo, Method.ORPO: orpo, Method.KTO: kto}


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
        run = load_run(session, directory, recipe, place, found)
        _refuse_too_short(run)
        warn_of_main_memory(run)
        _keep_heap_small(run)
        try_worst(run, build_trainer)
        trainer = build_trainer(run)
        if recipe.train.packing:
            refuse_leaks(trainer, run.formats)
        begin(run, trainer, found)
    drive(run, trainer, found)


def _keep_heap_small(run: TrainingRun) -> None:
    """Where nothing is predicted, nothing tells how much a processor may hold."""
    predicted = None if torch.cuda.is_available() else predicted_bytes(run.whole())
    if predicted is not None:
        keep_heap_within(run.model, predicted)


def _refuse_too_short(run: TrainingRun) -> None:
    """Refuse to spread a rank in a run that is over before anything is known."""
    spreads = run.recipe.lora.variant is LoraVariant.ADALORA
    if spreads and not run.recipe.trains_all:
        finding = too_few_steps(run.total_steps())
        if finding is not None:
            raise StudioError(finding)


def load_run(
    session: Session,
    directory: RunDirectory,
    recipe: Recipe,
    place: ModelPlace,
    found: Found | None = None,
) -> TrainingRun:
    """Load the model, make it trainable, and read the data.

    Args:
        session: Where to report.
        directory: Of the run.
        recipe: What to do.
        place: The base model, ready or convertible.
        found: The checkpoint that the run goes on from; None to begin it.

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
    checkpoint = found.path if found else None
    start = begin_adapter(session, model, folder, recipe, checkpoint)

    # What a run takes is counted from here on: converting a model and reading a file
    # that lies mapped in memory take pages that training doesn't need, and what was
    # quantised leaves holes behind.
    give_back_free_memory()
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
        start=start,
        fingerprint=fingerprint_of(
            chosen_recipe(directory, recipe), sha256, folder, device.type
        ),
    )


def build_trainer(run: TrainingRun) -> AnyTrainer:
    """Make the trainer of the recipe's method, ready to train."""
    with set_aside(run.model):  # trl casts to bf16 what it finds trained
        trainer: AnyTrainer = _METHODS[run.recipe.train.method].build_trainer(run)
    if run.recipe.train.method in REFERRING_METHODS:
        turn_off_dropout(run.model)
        hold_start(run)
    return trainer
