"""The model as it was before training, which DPO and KTO compare with.

It is the base with its adapter switched off, so mostly nothing is held twice. What that
doesn't bring back is held as it was: an adapter that starts from its base, and weights
of the base itself that are trained beside an adapter.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer

from studio.domain.memory.outside_formula import keeps_start
from studio.engine.trained_beside import beside_of
from studio.engine.training_state import trained_weights

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun

_REFERENCE = "ref"
# torch's newer recomputation: it also trains where no input asks for a gradient, and
# stops as soon as all is there that the backward pass needs.
NOT_REENTRANT: Mapping[str, bool] = {"use_reentrant": False}


def forget_copy(run: "TrainingRun", trainer: Trainer) -> None:
    """Let go of the copy that trl made of an adapter, in case it was trained before.

    Args:
        run: Whose model it is.
        trainer: That was just made of it.
    """
    _turn_on_alike(trainer.model, offload=run.recipe.train.offload)
    if not run.recipe.trains_all and _REFERENCE in run.model.peft_config:
        run.model.delete_adapter(_REFERENCE)


def _turn_on_alike(model: Any, *, offload: bool) -> None:  # noqa: ANN401 - wrapped or bare
    """Let recomputation be turned on again as it was before the reference.

    trl turns it off there, and hands torch back all that transformers was told, also
    that what is remembered leaves the card, which torch's function refuses.
    """

    def turn_on(*_: object, **__: object) -> None:
        model._activation_checkpointing_enable(dict(NOT_REENTRANT), offload=offload)

    model.gradient_checkpointing_enable = turn_on


def hold_start(run: "TrainingRun") -> None:
    """Let a model whose adapter is switched off be as it is now, whatever it learns.

    Args:
        run: Ready to be trained, by a method that compares; its model is changed.
    """
    model, keeps = run.model, keeps_start(run.recipe)
    weights = trained_weights(model) if keeps else beside_of(model)
    held = [(weight, weight.detach().clone()) for weight in weights.values()]
    if not held:
        return
    switched_off = model.disable_adapter

    @contextmanager
    def as_before() -> Iterator[None]:
        learnt = [weight.data for weight, _ in held]
        _put(held)
        try:
            with nullcontext() if keeps else switched_off():
                yield
        finally:
            _put([(w, now) for (w, _), now in zip(held, learnt, strict=True)])

    model.disable_adapter = as_before  # type: ignore[method-assign]  # of this model alone


def _put(values: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for weight, value in values:
        weight.data = value
    # Autocast knows a weight's copy in 16 bits by the weight, whatever it holds.
    torch.clear_autocast_cache()
