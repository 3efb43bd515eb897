"""The held-out loss of judged answers: that of their method, a judgement at a time."""

from collections.abc import Sequence
from typing import Any

import torch

from studio.engine.chat_rendering import TrainingRow
from studio.engine.devices import Formats
from studio.engine.packing import example
from studio.engine.session import Count, Session

_ACCURACY = "rewards/accuracies"


def judged_loss(
    session: Session,
    trainer: Any,  # noqa: ANN401 - trl's trainers of preferences have no common base
    rows: Sequence[TrainingRow],
    formats: Formats,
    together: int,
) -> tuple[float, float | None]:
    """Mean loss over judged rows, by the very code that trains on them.

    Args:
        session: Told of progress.
        trainer: Of DPO, ORPO or KTO, ready to train.
        rows: At least one.
        formats: Of the run.
        together: Rows that go through the model at a time. KTO judges each by the
            others of its batch; to the other methods it makes no difference.

    Returns:
        (the loss, the share of pairs whose better answer is the likelier one; None of
        rated answers)
    """
    model = trainer.model
    device = next(model.parameters()).device
    noted = trainer._metrics["eval"]
    was_training = model.training
    model.eval()
    loss = right = 0.0
    by_length = sorted(rows, key=lambda row: row.width)
    count = Count(session, "Measuring the held-out loss", len(rows), "rows")
    try:
        with torch.no_grad(), formats.casting(device):
            for start in range(0, len(rows), together):
                some = by_length[start : start + together]
                batch = trainer.data_collator([example(row) for row in some])
                batch = {name: each.to(device) for name, each in batch.items()}
                loss += trainer.compute_loss(model, batch).item() * len(some)
                right += noted[_ACCURACY][-1] * len(some) if _ACCURACY in noted else 0
                count.add(len(some))
        accuracy = right / len(rows) if _ACCURACY in noted else None
    finally:
        noted.clear()
        model.train(was_training)
    return loss / len(rows), accuracy
