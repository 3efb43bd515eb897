"""Which layers of a model an adapter goes on: by name, or by a word for a kind."""

import torch
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from transformers.pytorch_utils import Conv1D

from studio.domain.errors import StudioError, refusal
from studio.domain.expert_findings import EXPERTS_AMONG_OTHERS
from studio.domain.recipe_options import (
    ALL_LINEAR,
    ATTENTION_ONLY,
    MLP_ONLY,
    TARGET_WORDS,
)
from studio.engine.model_loading import Model

_LINEAR = (torch.nn.Linear, Linear4bit, Linear8bitLt, Conv1D)
# How transformers' families call the module around a layer, and layers without one.
_ATTENTION = ("attn", "attention")
_FEED_FORWARD = ("mlp", "ffn", "feed_forward", "feedforward", "fc1", "fc2")


def targets_for(model: Model, targets: tuple[str, ...]) -> str | list[str]:
    """The adapted layers as peft takes them.

    A layer of a kind is named together with the module around it, for the same name
    may stand in attention and behind it: GPT-2 has a c_proj in both.

    Raises:
        StudioError: This model lacks a layer, or has none of a kind.
    """
    check_targets(model, targets)
    if targets == (ALL_LINEAR,):
        return ALL_LINEAR
    if not TARGET_WORDS & set(targets):
        return list(targets)
    (word,) = targets
    if word == MLP_ONLY and _has_experts(model):
        raise StudioError(EXPERTS_AMONG_OTHERS)
    found = {
        ".".join(part for part in path.split(".")[-2:] if not part.isdigit())
        for path in linear_paths(model)
        if kind_of(path) == word
    }
    if not found:
        raise _unknown(f"This model has no layers known for {word}.", model)
    return sorted(found)


def check_targets(model: Model, targets: tuple[str, ...]) -> None:
    """Refuse targets that this model lacks.

    Raises:
        StudioError: One is unknown, or there is none; the possible ones are named.
    """
    words = TARGET_WORDS & set(targets)
    unknown = [x for x in targets if x not in {*linear_names(model), *TARGET_WORDS}]
    if unknown:
        what = f"This model has no linear layer called “{unknown[0]}”."
        raise _unknown(what, model)
    if not targets or (words and len(targets) > 1):
        raise _unknown("The adapted layers are one word for all, or names.", model)


def kind_of(path: str) -> str | None:
    """Whether a layer belongs to attention or behind it, by its path."""
    near = path.split(".")[-2:]
    if any(word in part for part in near for word in _ATTENTION):
        return ATTENTION_ONLY
    if any(word in part for part in near for word in _FEED_FORWARD):
        return MLP_ONLY
    return None


def linear_paths(model: Model) -> list[str]:
    """Paths of the linear layers that can be adapted: all but the output head.

    The head is left out because the loss is computed from its weight directly, so
    that an adapter on it would never be trained.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return [
        path
        for path, module in model.named_modules()
        if isinstance(module, _LINEAR) and module is not head
    ]


def linear_names(model: Model) -> list[str]:
    """Their names, each once."""
    return sorted({path.rpartition(".")[2] for path in linear_paths(model)})


def _has_experts(model: Model) -> bool:
    return "num_experts_per_tok" in model.config.get_text_config().to_dict()


def _unknown(what: str, model: Model) -> StudioError:
    possible = ", ".join(linear_names(model))
    return refusal(
        "recipe.targets",
        what,
        fix=f"Choose all-linear, attention-only, mlp-only, or among {possible}.",
        where="lora.targets",
    )
