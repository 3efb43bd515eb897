"""What autograd does in place, unless somebody watches.

A gradient is added into one that waits already where nobody else holds that
(torch/csrc/autograd/input_buffer.cpp, `accumulate`), and the gradient of a selection is
put into fresh zeros (FunctionsManual.cpp, `index_backward`; TensorAdvancedIndexing.cpp,
`gather_backward`, `index_select_backward`). Under a dispatch mode every tensor counts
as one of a subclass (ATen/TensorSubclassLikeUtils.h), and each of these makes a new one
instead. On a card no mode is there: a sum of whole gradients, such as that of
embeddings which are the output head too, takes no memory.
"""

import functools
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch._ops import OpOverload
from torch._prims_common import is_non_overlapping_and_dense_or_false
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

aten = torch.ops.aten
Holders = tuple[int, int, int]
_IN_PLACE: Mapping[OpOverload, OpOverload] = {
    aten.add.Tensor: aten.add_.Tensor,
    aten.index_add.default: aten.index_add_.default,
    aten.index_put.default: aten.index_put_.default,
    aten.scatter.src: aten.scatter_.src,
    aten.scatter.value: aten.scatter_.value,
    aten.scatter_add.default: aten.scatter_add_.default,
}
# Torch's function that waits while autograd computes (autograd/graph.py).
_WAITING = "_engine_run_backward"


def as_unwatched(
    operator: OpOverload,
    arguments: tuple[Any, ...],
    named: Mapping[str, Any] | None,
    unshared: Holders,
) -> OpOverload:
    """The operator that autograd would have called, had no mode been there.

    Must be called by a `__torch_dispatch__` itself: who called that is looked at, and
    how often its arguments are held.

    Args:
        operator: That a mode was told of.
        arguments: Its own, as the mode was given them.
        named: Likewise.
        unshared: From `holders_of_a_waiting_gradient`.
    """
    found = _IN_PLACE.get(operator)
    if found is None or named or torch.is_grad_enabled():
        return operator
    if sys._getframe(2).f_code.co_name != _WAITING:
        return operator  # a function written in Python asked for it
    if operator is aten.add.Tensor:
        is_sum = _can_be_added_to(*arguments[:2]) and _holders(arguments) == unshared
        return found if is_sum else operator
    return found  # a selection's gradient goes into zeros made for it


def _can_be_added_to(waiting: torch.Tensor, other: Any) -> bool:  # noqa: ANN401 - a number too
    return (
        isinstance(other, torch.Tensor)
        and waiting.shape == other.shape
        and waiting.dtype == other.dtype
        and is_non_overlapping_and_dense_or_false(waiting)
    )


def _holders(arguments: tuple[Any, ...]) -> Holders:
    """How often a tensor is held: in C++, in Python, and its storage."""
    tensor = arguments[0]
    storage = torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)
    return tensor._use_count(), sys.getrefcount(tensor), storage


@functools.cache
def holders_of_a_waiting_gradient() -> Holders:
    """How often a mode finds one held that nobody but autograd holds.

    Must be called outside of modes, which autograd doesn't reach into.
    """
    watch = _Watch()
    with watch, torch.enable_grad():
        leaf = torch.ones(2, requires_grad=True)
        twice = leaf * 1
        (twice * 2 + twice * 3).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return watch.holders


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Counts the holders of the gradient that another one is added to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.holders: Holders = (0, 0, 0)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @override
    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is aten.add.Tensor and sys._getframe(1).f_code.co_name == _WAITING:
            self.holders = _holders(args)
        return func(*args, **(kwargs or {}))
