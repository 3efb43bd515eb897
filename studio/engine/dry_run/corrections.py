"""What kernels of a card take inside themselves, where no recorder sees it.

One small function for each difference between a processor's kernel and CUDA's, with
its source. Versions: torch 2.13, bitsandbytes 0.50.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import bitsandbytes  # noqa: F401 - defines the operators that are named below
import torch
from torch._ops import OpOverload
from transformers.integrations import moe  # noqa: F401 - defines one as well

from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.part_names import ATTENTION, DEQUANTIZED, WORKSPACES
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.guesses import Guesses
from studio.engine.dry_run.recorder import Arguments, Recorder, Temporary

aten = torch.ops.aten
bnb = torch.ops.bitsandbytes


# Rows up to which every card family multiplies 4-bit weights without unpacking them
# (backends/cuda/ops.py, _gemm_4bit_use_custom_cuda). Up to 1,536 rows it depends on
# family and shape; the larger need is counted, which the backward pass has anyway.
_FUSED_ROWS = 32

_PRODUCTS = frozenset(
    {
        aten.mm.default,
        aten.mm.out,
        aten.addmm.default,
        aten.addmm.out,
        aten.bmm.default,
        aten.baddbmm.default,
        aten._grouped_mm.default,
        torch.ops.transformers.grouped_mm_fallback.default,
        bnb.gemm_4bit.default,
    }
)


class CardKernels:
    """A card's kernels: guesses for values, and what kernels take inside.

    Attributes:
        card: Whose.
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self._guesses = Guesses()
        self._threads: set[bool] = set()

    def answer(self, operator: OpOverload, arguments: Arguments) -> Any:  # noqa: ANN401 - an operator's result, or NotImplemented
        """Stand in for an operator whose result depends on values."""
        return self._guesses.answer(operator, arguments)

    def temporaries(
        self, recorder: Recorder, operator: OpOverload, arguments: Arguments
    ) -> Sequence[Temporary]:
        """What the kernel takes beside its result."""
        found: list[Temporary] = []
        if operator in _PRODUCTS:
            found += self._workspace(recorder)
        inside = _INSIDE.get(operator)
        return [*found, *inside(arguments)] if inside else found

    def _workspace(self, recorder: Recorder) -> Iterator[Temporary]:
        """cuBLAS: one workspace for each thread that multiplies, and there are two.

        ATen/cuda/CublasHandlePool.cpp; the backward pass has a thread of its own, in
        which layers are recomputed as well.
        """
        is_backward = recorder.phase is MemoryPhase.BACKWARD
        if is_backward not in self._threads:
            self._threads.add(is_backward)
            yield Temporary(self.card.workspace_bytes, WORKSPACES, stays=True)


def _softmax_backward(arguments: Arguments) -> Iterator[Temporary]:
    """`Tensor tmp = grad * output;` (ATen/native/cuda/SoftMax.cu).

    The kernel is a structured one: its result stands ready before it begins.
    """
    yield Temporary(arguments[0].nbytes, ATTENTION, follows=True)


def _safe_softmax(arguments: Arguments) -> Iterator[Temporary]:
    """Shares, and which scores are masked; the result is a third tensor.

    ATen/native/transformers/attention.cpp, `_safe_softmax`, of the plain attention.
    """
    yield Temporary(arguments[0].nbytes, ATTENTION)
    yield Temporary(arguments[0].numel(), ATTENTION)


def _unpacking_product(arguments: Arguments) -> Iterator[Temporary]:
    """Weight and scales unpacked, then an ordinary product.

    bitsandbytes/backends/cuda/ops.py, `_dequant_linear_fallback`: with doubly
    quantised scales these are unpacked to fp32 and shifted into a second tensor.
    """
    activations, shape, scales = arguments[0], arguments[2], arguments[3]
    rows = activations.numel() // activations.shape[-1]
    if rows <= _FUSED_ROWS and activations.shape[-1] % arguments[4] == 0:
        return
    blocks = -(-math.prod(shape) // arguments[4])
    if scales.numel() < blocks:  # the scales' own scales: doubly quantised
        yield Temporary(4 * blocks, DEQUANTIZED)
        yield Temporary(4 * blocks, DEQUANTIZED)
    yield Temporary(math.prod(shape) * activations.element_size(), DEQUANTIZED)


def _int8_product(arguments: Arguments) -> Iterator[Temporary]:
    """The int32 product, and its fp16 form on the way to another format.

    bitsandbytes/backends/default/ops.py and cuda/ops.py, `int8_mm_dequant`.
    """
    rows = arguments[0].numel() // arguments[0].shape[-1]
    entries = rows * arguments[2].shape[0]
    yield Temporary(4 * entries, DEQUANTIZED)
    if arguments[0].dtype is not torch.float16:
        yield Temporary(2 * entries, DEQUANTIZED)


def _int8_rows(arguments: Arguments) -> Iterator[Temporary]:
    """`A.abs() >= threshold` (bitsandbytes/backends/cuda/ops.py)."""
    if len(arguments) > 1 and arguments[1]:
        yield Temporary(arguments[0].nbytes, DEQUANTIZED)
        yield Temporary(arguments[0].numel(), DEQUANTIZED)


_INSIDE: Mapping[OpOverload, Callable[[Arguments], Iterator[Temporary]]] = {
    aten._softmax_backward_data.default: _softmax_backward,
    aten._safe_softmax.default: _safe_softmax,
    bnb.gemm_4bit.default: _unpacking_product,
    bnb.int8_mixed_scaled_mm.default: _int8_product,
    bnb.int8_vectorwise_quant.default: _int8_rows,
}
