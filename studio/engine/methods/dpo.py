"""Direct preference optimisation: the better of two answers becomes likelier.

A pair's loss is -log sigmoid(beta * (how much likelier the better answer became than
the worse one)), both measured from the model as it was before training (Rafailov et al.
2023, arXiv 2305.18290, equation 7); see `engine.reference`.
"""

from typing import ClassVar

from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from studio.engine.judged_batches import PairBatch
from studio.engine.methods.common import (
    ReadyRows,
    data_set_of,
    ready,
    shared_arguments,
    suit_head,
)
from studio.engine.progress import StepReporter
from studio.engine.reference import forget_copy
from studio.engine.training_run import TrainingRun


class PairTrainer(ReadyRows, DPOTrainer):
    """trl's trainer on rows that are ready, able to go on exactly."""

    columns: ClassVar = ["input_ids", "labels", "seq_lengths"]


def build_trainer(run: TrainingRun) -> PairTrainer:
    """Make the trainer of trl, ready to train and told to write nothing."""
    return pair_trainer(run, PairTrainer)


def pair_trainer(
    run: TrainingRun, kind: type[PairTrainer], *, refers: bool = True
) -> PairTrainer:
    """Make a trainer that learns from pairs.

    Args:
        run: Whose trainer it is.
        kind: Its class.
        refers: Whether its loss asks the model before training, which no dropout may
            tell apart from itself.
    """
    device = next(run.model.parameters()).device.type
    suit_head(device)
    rows = data_set_of(run.data.training)
    place = str(run.directory.path)
    arguments = shared_arguments(run.recipe, run.formats, device, place, len(rows))
    trainer = kind(
        model=run.model,
        args=DPOConfig(
            **arguments,
            beta=run.recipe.train.beta,
            max_length=None,  # rows are cut
            disable_dropout=refers,
        ),
        train_dataset=rows,
        data_collator=PairBatch(run.pad),
        processing_class=run.tokenizer,
        callbacks=[StepReporter(run.session, run.recipe, run)],
    )
    forget_copy(run, trainer)
    run.judge = trainer
    ready(run, trainer)
    return trainer
