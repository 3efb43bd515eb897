"""Supervised fine-tuning: every trained token of every row weighs the same."""

from trl.trainer.sft_config import SFTConfig

from studio.domain.recipe import Recipe
from studio.engine.devices import Formats
from studio.engine.methods.common import data_set_of, ready, shared_arguments, suit_head
from studio.engine.packing import PackingTrainer, collator_for, rows_for
from studio.engine.progress import StepReporter
from studio.engine.smoothing import smooth
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import ResumableTrainer


def build_trainer(run: TrainingRun) -> ResumableTrainer:
    """Make the trainer of trl, ready to train and told to write nothing."""
    device = next(run.model.parameters()).device.type
    suit_head(device)
    packs = run.recipe.train.packing
    rows = data_set_of(rows_for(run.recipe, run.data.training))
    trainer = (PackingTrainer if packs else ResumableTrainer)(
        model=run.model,
        args=training_arguments(
            run.recipe, run.formats, device, str(run.directory.path), len(rows)
        ),
        train_dataset=rows,
        data_collator=collator_for(run.recipe, run.pad) if packs else None,
        processing_class=run.tokenizer,
        callbacks=[StepReporter(run.session, run.recipe, run)],
    )
    if run.recipe.train.label_smoothing:
        smooth(trainer, run.recipe.train.label_smoothing)
    ready(run, trainer)
    return trainer


def training_arguments(
    recipe: Recipe, formats: Formats, device: str, folder: str, rows: int
) -> SFTConfig:
    """The recipe in the words of trl's trainer; see `shared_arguments`."""
    return SFTConfig(
        **shared_arguments(recipe, formats, device, folder, rows),
        max_length=recipe.train.sequence_length,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
