"""Odds-ratio preference optimisation: a good answer is learnt and its rival unlearnt.

No model before training is needed. A pair's loss is that of learning the better answer,
nats a token, plus beta * -log sigmoid(the log of how much higher its odds are than the
worse one's); the odds of an answer are p / (1 - p), with p its likelihood a token (Hong
et al. 2024, arXiv 2403.07691, equations 6 and 7).

trl's own trainer for it holds all logits and learns the questions as well; this one
goes through the tiled output head and scores the answers alone.
"""

from typing import Any

import torch
from torch.nn.functional import logsigmoid
from typing_extensions import override

from studio.engine.chat_rendering import IGNORED
from studio.engine.methods.dpo import PairTrainer, pair_trainer
from studio.engine.training_run import TrainingRun

# The likelihood of an answer that is certain has no odds; this is next to it.
_CERTAIN = -1e-6
_HALF = -0.6931471805599453


class OddsTrainer(PairTrainer):
    """A trainer of pairs with the loss above."""

    @override
    def _compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> torch.Tensor:
        del return_outputs
        read = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        scored = inputs["completion_mask"]
        labels = inputs["input_ids"].masked_fill(scored == 0, IGNORED)
        routed = {"output_router_logits": True} if self.aux_loss_enabled else {}
        outputs = model(
            **read, **routed, labels=labels, use_cache=False, fused_lm_head=True
        )
        counted = scored[:, 1:].sum(dim=1).clamp(min=1)
        good, bad = (outputs.log_probs.sum(dim=1) / counted).chunk(2)
        self._note(read["attention_mask"], good.detach(), bad.detach())
        loss = odds_ratio_losses(good, bad, self.beta).mean()
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        return loss

    def _note(
        self, attended: torch.Tensor, good: torch.Tensor, bad: torch.Tensor
    ) -> None:
        """Write down what trl's trainer logs of a batch."""
        is_training = self.model.training
        noted = self._metrics["train" if is_training else "eval"]
        if is_training:
            self._total_train_tokens += int(attended.sum())
        noted["num_tokens"] = [self._total_train_tokens]
        noted["rewards/accuracies"].append((good > bad).float().mean().item())
        noted["rewards/margins"].append(self.beta * (good - bad).mean().item())


def odds_ratio_losses(
    good: torch.Tensor, bad: torch.Tensor, beta: float
) -> torch.Tensor:
    """Losses of pairs.

    Args:
        good: Log-likelihoods of the better answers, nats a token, (pairs,).
        bad: Of the worse ones.
        beta: The weight of the odds beside the better answer's own loss.

    Returns:
        (pairs,)
    """
    return -good - beta * logsigmoid(_log_odds(good) - _log_odds(bad))


def _log_odds(likelihood: torch.Tensor) -> torch.Tensor:
    """Log p - log (1 - p) of a log-likelihood.

    The second term is computed in two ways, each where it is exact (Maechler 2012,
    Accurately Computing log(1 - exp(-|a|)), equation 7).
    """
    x = likelihood.clamp(max=_CERTAIN)
    rest = torch.where(
        x < _HALF, torch.log1p(-torch.exp(x)), torch.log(-torch.expm1(x))
    )
    return x - rest


def build_trainer(run: TrainingRun) -> PairTrainer:
    """Make the trainer, ready to train and told to write nothing."""
    return pair_trainer(run, OddsTrainer, refers=False)
