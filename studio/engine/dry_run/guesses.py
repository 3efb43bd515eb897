"""Answers to what a tensor without memory can't be asked: its values.

Metrics, masks and stopping rules look at numbers. Here they are given the ones that
cost the most memory: every row is valid, every token is trained, no answer ends early.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bitsandbytes  # noqa: F401 - defines the operators that are named below
import torch
from torch._ops import OpOverload

from studio.engine.dry_run.recorder import Arguments, Temporary

aten = torch.ops.aten
bnb = torch.ops.bitsandbytes
Answer = Callable[[Arguments], Any]


class Guesses:
    """The guesses alone, for a processor."""

    def answer(self, operator: OpOverload, arguments: Arguments) -> Any:  # noqa: ANN401 - an operator's result, or NotImplemented
        """Guess what an operator would return, if it depends on values."""
        guess = _GUESSES.get(operator)
        return NotImplemented if guess is None else guess(arguments)

    def temporaries(self, *_: object) -> Sequence[Temporary]:
        """None: a processor's kernels work in registers and stack."""
        return ()


def _scalar(arguments: Arguments) -> bool | int | float:
    kind: torch.dtype = arguments[0].dtype
    if kind is torch.bool:
        return True
    return 1.0 if kind.is_floating_point else 1


def _index(arguments: Arguments) -> Any:  # noqa: ANN401 - as above
    source, indices = arguments[0], arguments[1]
    if not _is_masked(indices):
        return NotImplemented
    mask: torch.Tensor = indices[0]
    return source.new_empty((mask.numel(), *source.shape[mask.ndim :]))


def _index_put(arguments: Arguments) -> Any:  # noqa: ANN401 - as above
    return arguments[0] if _is_masked(arguments[1]) else NotImplemented


def _is_masked(indices: Sequence[torch.Tensor | None]) -> bool:
    first = indices[0]
    return first is not None and first.dtype is torch.bool


def _masked_select(arguments: Arguments) -> torch.Tensor:
    source, mask = arguments[0], arguments[1]
    shape = torch.broadcast_shapes(source.shape, mask.shape)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    selected: torch.Tensor = source.new_empty((math.prod(shape),))
    return selected


def _nonzero(arguments: Arguments) -> torch.Tensor:
    source: torch.Tensor = arguments[0]
    return source.new_empty((source.numel(), source.ndim), dtype=torch.long)


def _int8_rows(arguments: Arguments) -> Any:  # noqa: ANN401 - as above
    """8-bit rows without outliers, which random numbers don't have."""
    if len(arguments) == 1 or not arguments[1]:
        return NotImplemented
    rows: torch.Tensor = arguments[0]
    count = rows.numel() // rows.shape[-1]
    return (
        rows.new_empty(rows.shape, dtype=torch.int8),
        rows.new_empty((count,), dtype=torch.float32),
        rows.new_empty((0,), dtype=torch.long),
    )


def _int8_product(arguments: Arguments) -> Any:  # noqa: ANN401 - as above
    rows, weight = arguments[0], arguments[2]
    product = rows.new_empty((*rows.shape[:-1], weight.shape[0]))
    return product, rows.new_empty((0,))


def _grouped_product(arguments: Arguments) -> Any:  # noqa: ANN401 - as above
    """The product of a mixture's experts in fp16 or fp32.

    Torch's rule for its shape takes bf16 alone (torch/_meta_registrations.py,
    `_meta_grouped_mm_common`), while its kernels take fp16 and fp32 as well
    (ATen/native/GroupedMMUtils.h, `_grouped_mm_validate_inputs`). The operands are two
    matrices whose groups lie one behind the other (the weights' gradient), or a matrix
    and a stack of weights.
    """
    left, right, ends = arguments[:3]
    if left.dtype is torch.bfloat16:
        return NotImplemented
    if right.ndim == 3:  # noqa: PLR2004 - a stack of matrices
        return left.new_empty((left.shape[0], right.shape[-1]))
    return left.new_empty((ends.numel(), left.shape[0], right.shape[-1]))


_GUESSES: Mapping[OpOverload, Answer] = {
    aten._grouped_mm.default: _grouped_product,
    aten._local_scalar_dense.default: _scalar,
    aten.index.Tensor: _index,
    aten._index_put_impl_.default: _index_put,
    aten.masked_select.default: _masked_select,
    aten.nonzero.default: _nonzero,
    bnb.int8_vectorwise_quant.default: _int8_rows,
    bnb.int8_mixed_scaled_mm.default: _int8_product,
}
