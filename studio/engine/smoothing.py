"""Label smoothing for a head that never holds all logits.

With a share e the loss of a token becomes (1 - e) * -log p(label) + e * the mean of
-log p over the vocabulary (Szegedy et al. 2016, section 7). As log p = z - log Z, that
is -log p(label) + e * (z(label) - mean z). Where logits are linear in the hidden state
h, the difference is h * (the label's row of the head - the mean of all rows): one row
a token instead of all logits. A head that caps its logits isn't linear, and is refused.
"""

from typing import Any
from unittest.mock import patch

import torch
from trl.kernels import ChunkedLogProbFunction
from trl.trainer import utils as trl_utils
from trl.trainer.sft_trainer import SFTTrainer

from studio.domain.errors import refusal

_HEAD = "_ChunkedLogProbFunction"


class SmoothedHead:
    """Stands for trl's head while a training loss is computed."""

    def __init__(self, share: float) -> None:
        """Take the share of smoothing, 0 to 0.5."""
        self._share = share

    def apply(
        self,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        temperature: float,
        *others: Any,  # noqa: ANN401 - trl's own
    ) -> tuple[torch.Tensor | None, ...]:
        """Smoothed log-probabilities; takes and gives what trl's head does.

        Args:
            hidden: States of tokens, (tokens, hidden).
            weight: Of the head, (vocabulary, hidden).
            bias: Of the head, (vocabulary,).
            targets: Labels, (tokens,).
            temperature: That logits are divided by.
            others: Size of a tile, cap, scale and outputs.

        Returns:
            Log-probabilities (tokens,), and trl's further outputs as they are.
        """
        given = (hidden, weight, bias, targets, temperature, *others)
        plain, *rest = ChunkedLogProbFunction.apply(*given)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        _tile, _cap, scale, *_ = others
        raised = _above_mean(hidden, weight, bias, targets) * (scale / temperature)
        return plain - self._share * raised, *rest


def smooth(trainer: SFTTrainer, share: float) -> None:
    """Let a trainer's loss be smoothed; what is measured stays as it is.

    Raises:
        StudioError: The model caps its logits.
    """
    assert trainer.model is not None
    config: Any = trainer.model.config
    if getattr(config.get_text_config(), "final_logit_softcapping", None) is not None:
        raise refusal(
            "train.smoothing",
            "This model caps its logits, which label smoothing can't go with.",
            fix="Set train.label_smoothing to 0.",
            where="train.label_smoothing",
        )
    plain, head = trainer.compute_loss, SmoothedHead(share)

    def compute_loss(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - trl's own
        with patch.object(trl_utils, _HEAD, head):
            return plain(*given, **named)  # type: ignore[no-untyped-call]  # trl leaves it untyped

    trainer.compute_loss = compute_loss  # type: ignore[method-assign]  # of this one alone


def _above_mean(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
) -> torch.Tensor:
    """How far each label's logit lies above the mean of all, (tokens,), fp32."""
    width = hidden.dtype
    rows = weight[targets].to(width)
    mean = weight.mean(dim=0, dtype=torch.float32).to(width)
    raised = torch.bmm(hidden[:, None], rows[:, :, None])[:, 0, 0] - hidden @ mean
    if bias is not None:
        raised = raised + (bias[targets] - bias.mean())
    return raised.float()
