"""Kahneman-Tversky optimisation: answers that were liked or not, one at a time.

Liked answers shall gain and disliked ones lose, both measured from the model as it was
before training and from how far it went altogether, which other rows' answers estimate
(Ethayarajh et al. 2024, arXiv 2402.01306, equation 8).
"""

from typing import ClassVar

from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from studio.engine.judged_batches import RatedBatch
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


class RatedTrainer(ReadyRows, KTOTrainer):
    """trl's trainer on rows that are ready, able to go on exactly."""

    columns: ClassVar = ["input_ids", "labels", "label"]


def build_trainer(run: TrainingRun) -> RatedTrainer:
    """Make the trainer of trl, ready to train and told to write nothing."""
    device = next(run.model.parameters()).device.type
    suit_head(device)
    train, rows = run.recipe.train, data_set_of(run.data.training)
    place = str(run.directory.path)
    arguments = shared_arguments(run.recipe, run.formats, device, place, len(rows))
    order = arguments.pop("train_sampling_strategy")
    liked, disliked = balance(sum(rows["label"]), len(rows))
    trainer = RatedTrainer(
        model=run.model,
        args=KTOConfig(
            **arguments,
            # trl pairs each question with its neighbour's answer beforehand, and so
            # wants them in order. Here that is done as a batch is put together.
            train_sampling_strategy="sequential",
            beta=train.beta,
            desirable_weight=liked,
            undesirable_weight=disliked,
            max_length=None,  # rows are cut
            disable_dropout=True,
        ),
        train_dataset=rows,
        data_collator=RatedBatch(run.pad, train.sequence_length),
        processing_class=run.tokenizer,
        callbacks=[StepReporter(run.session, run.recipe, run)],
    )
    trainer.args.train_sampling_strategy = order
    forget_copy(run, trainer)
    run.judge = trainer
    ready(run, trainer)
    return trainer


def balance(liked: int, rows: int) -> tuple[float, float]:
    """Weights of liked and of disliked answers, by which both kinds weigh the same.

    The commoner kind's is lowered, so that no step grows (the paper's section 4.2 and
    equation 8 ask for a ratio of 1 to 4/3).

    Args:
        liked: How many were liked.
        rows: How many there are.
    """
    disliked = rows - liked
    if not (liked and disliked):
        return 1.0, 1.0
    return min(1.0, disliked / liked), min(1.0, liked / disliked)
