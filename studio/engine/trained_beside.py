"""What is trained beside an adapter: norms, embeddings and head of the base itself.

They are held in FP32 whatever the adapter's format is, for in 16 bits a usual step is
rounded away. The model goes on computing with them in the format that it was loaded in:
they are rounded on the way, so that it says in training what it says with the saved
weights, and no activation grows wider.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import cast

import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from studio.domain.errors import StudioError, refusal
from studio.domain.recipe_options import LoraOptions
from studio.engine.model_loading import Model

PREFIX = "base_model.model."
"""What peft puts before the names of a base's modules."""

_OF_ADAPTER = "lora_"
_ROUNDED = ("parametrizations.", ".original")


class _Rounded(nn.Module):
    """Gives a weight in a narrower format."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.to(self._dtype)


def train_beside(model: Model, options: LoraOptions) -> None:
    """Let weights of the base's own be trained, in FP32.

    Args:
        model: The base, frozen already; it is changed.
        options: Say which.

    Raises:
        StudioError: The model has none of that kind.
    """
    if options.train_norms:
        norms = norms_of(model)
        if not norms:
            raise _lacks("norms that could be trained", "lora.train_norms")
        for norm in norms:
            _widen_norm(norm)
    if options.train_embeddings:
        _widen_embeddings(model)


def norms_of(model: Model) -> list[nn.Module]:
    """The norms of a model's decoder; those of a vision part are never run."""
    decoder = model.get_decoder()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return [
        module
        for module in decoder.modules()
        if "norm" in type(module).__name__.lower()
        and any(True for _ in module.parameters(recurse=False))
    ]


def embeddings_of(model: nn.Module) -> tuple[nn.Module, nn.Module | None]:
    """What tokens are read by, and the head; where both are tied, of one weight."""
    return model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[operator]  # of transformers' models and peft's


def are_tied(model: nn.Module) -> bool:
    """Whether embeddings and head are one weight."""
    embedding, head = embeddings_of(model)
    return head is not None and head.weight is embedding.weight


def beside_of(
    model: nn.Module, *, by_all_names: bool = False
) -> dict[str, nn.Parameter]:
    """What is trained beside a model's adapter, by name in the base.

    Nothing where there is no adapter.

    Args:
        model: With the adapter on it.
        by_all_names: Give a tied weight by each of its names.
    """
    if not isinstance(model, PeftModel):
        return {}
    return {
        _plain(name): parameter
        for name, parameter in model.named_parameters(remove_duplicate=not by_all_names)
        if parameter.requires_grad and _OF_ADAPTER not in name
    }


@contextmanager
def set_aside(model: nn.Module) -> Iterator[None]:
    """Keep from others what is trained beside an adapter, such as from being cast."""
    beside = beside_of(model).values()
    for parameter in beside:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in beside:
            parameter.requires_grad_(True)


def _plain(name: str) -> str:
    """A weight's name in the base, before peft and before it was rounded."""
    before, after = _ROUNDED
    return name.removeprefix(PREFIX).replace(before, "").removesuffix(after)


def _widen_norm(norm: nn.Module) -> None:
    for name, parameter in list(norm.named_parameters(recurse=False)):
        narrow = parameter.dtype
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
        if narrow is not torch.float32:
            rounded = _Rounded(narrow)
            parametrize.register_parametrization(norm, name, rounded, unsafe=True)


def _widen_embeddings(model: Model) -> None:
    """Let embeddings and head be trained; where they are tied they stay so.

    trl's fused head narrows the head's weight tile by tile; only answers need more.
    """
    embedding, head = embeddings_of(model)
    if not isinstance(embedding, nn.Embedding) or not _looks_up(embedding):
        raise _lacks("embeddings that are looked up as usual", "lora.train_embeddings")
    if type(head) is not nn.Linear or not head.weight.is_floating_point():
        raise _lacks("head that is a plain product", "lora.train_embeddings")
    narrow = embedding.weight.dtype, head.weight.dtype
    for weight in dict.fromkeys((*embedding.parameters(), *head.parameters())):
        weight.data = weight.data.float()
        weight.requires_grad_(True)
    if narrow[0] is not torch.float32:
        _rounds(embedding, _read, narrow[0])
    if narrow[1] is not torch.float32:
        _rounds(head, _chosen, narrow[1])


def _looks_up(embedding: nn.Embedding) -> bool:
    """Whether it gives its rows, perhaps scaled as Gemma's are."""
    plain = type(embedding).forward is nn.Embedding.forward
    return plain or isinstance(getattr(embedding, "embed_scale", None), torch.Tensor)


def _rounds(
    module: nn.Module,
    forward: Callable[[nn.Module, torch.dtype, torch.Tensor], torch.Tensor],
    dtype: torch.dtype,
) -> None:
    """Let a module compute as it did when its weight had this format."""

    def rounded(self: nn.Module, given: torch.Tensor) -> torch.Tensor:
        return forward(self, dtype, given)

    module.forward = MethodType(rounded, module)


def _read(module: nn.Module, dtype: torch.dtype, ids: torch.Tensor) -> torch.Tensor:
    """Rows, rounded when they are looked up, so that nothing has the whole's size."""
    embedding = cast("nn.Embedding", module)
    rows = functional.embedding(ids, embedding.weight, embedding.padding_idx).to(dtype)
    scale = getattr(embedding, "embed_scale", None)
    return rows if scale is None else rows * scale.to(dtype)


def _chosen(
    module: nn.Module, dtype: torch.dtype, states: torch.Tensor
) -> torch.Tensor:
    head = cast("nn.Linear", module)
    bias = cast("torch.Tensor | None", head.bias)
    narrow = None if bias is None else bias.to(dtype)
    return functional.linear(states, head.weight.to(dtype), narrow)


def _lacks(what: str, key: str) -> StudioError:
    return refusal(
        "recipe.beside",
        f"This model has no {what}.",
        fix=f"Set {key} to false.",
        where=key,
    )
