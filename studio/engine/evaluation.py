"""The held-out loss: nats a token over the rows that are never trained on.

One function measures before, during and after training, so that the figures can be
compared: every trained token of every row weighs the same, whatever the batches are.
"""

from collections.abc import Sequence

import torch
from peft import PeftModelForCausalLM
from torch.nn.utils.rnn import pad_sequence

from studio.engine.chat_rendering import IGNORED, TrainingRow
from studio.engine.devices import Formats
from studio.engine.session import Count, Session


def held_out_loss(
    session: Session,
    model: PeftModelForCausalLM,
    rows: Sequence[TrainingRow],
    formats: Formats,
    together: int,
) -> float:
    """Mean loss over the trained tokens of rows.

    Args:
        session: Told of progress.
        model: With trl's fused output head, which never holds all logits.
        rows: At least one.
        formats: Of the run.
        together: Rows that go through the model at a time; the result doesn't
            depend on it.

    Returns:
        Nats a token.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    loss, tokens = 0.0, 0
    by_length = sorted(rows, key=lambda row: len(row.input_ids))
    count = Count(session, "Measuring the held-out loss", len(rows), "rows")
    try:
        with torch.no_grad(), formats.casting(device):
            for start in range(0, len(rows), together):
                batch = by_length[start : start + together]
                scored = model(**padded(batch, device), fused_lm_head=True)
                loss -= scored.log_probs.double().sum().item()
                tokens += int(scored.label_mask.sum().item())
                count.add(len(batch))
    finally:
        model.train(was_training)
    return loss / tokens


def padded(
    rows: Sequence[TrainingRow], device: torch.device
) -> dict[str, torch.Tensor]:
    """Rows as one batch; the padding is neither read nor learnt."""
    ids = [torch.tensor(row.input_ids) for row in rows]
    labels = [torch.tensor(row.labels) for row in rows]
    ones = [torch.ones_like(each) for each in ids]
    batch = {
        "input_ids": pad_sequence(ids, batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        "attention_mask": pad_sequence(ones, batch_first=True),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}
