"""Fused attention as a card allocates it: results, saved statistics, accumulators.

`torch.nn.functional.scaled_dot_product_attention` picks a kernel by device; on a
processor it is another one. Which a card would take, and what that takes, is taken
from ATen/native/transformers/cuda (sdp_utils.cpp, attention.cu, attention_backward.cu,
flash_attn/flash_api.cpp, mem_eff_attention/kernel_backward.h) of torch 2.13.
"""

from enum import Enum, auto
from typing import Any

import torch

from studio.domain.memory.part_names import ATTENTION
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.recorder import Recorder

_FLASH_HEAD = 256
_STATISTICS_ROWS = 32  # kAlignLSE of the memory-efficient kernel
_TILE = 64  # kBlockSizeI
_FLASH_ROWS, _FLASH_WIDTH = 128, 32  # roundings of FlashAttention's accumulators
_WIDE_OUTPUT = 128  # wider heads accumulate the output in memory


class Kernel(Enum):
    """The kernels that torch chooses among."""

    FLASH = auto()
    EFFICIENT = auto()
    MATH = auto()


def kernel_for(
    card: Card,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
) -> Kernel:
    """The kernel that torch picks, by sdp_utils.cpp; cuDNN's counts as FlashAttention.

    The memory-efficient kernel refuses fewer key heads than query heads, which leaves
    the plain one: every score in fp32.
    """
    is_half = query.dtype in {torch.float16, torch.bfloat16}
    width = max(query.shape[-1], value.shape[-1])
    if card.has_flash and is_half and mask is None and width <= _FLASH_HEAD:
        return Kernel.FLASH
    if query.dtype is torch.bfloat16 and not card.has_flash:
        return Kernel.MATH
    same_heads = query.shape[-3] == key.shape[-3] == value.shape[-3]
    return Kernel.EFFICIENT if same_heads else Kernel.MATH


class FusedAttention(torch.autograd.Function):
    """Allocates what the fused kernels do; computes nothing."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - the kernel's own arguments
        ctx: Any,  # noqa: ANN401 - torch's context has no type
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        kernel: Kernel,
        recorder: Recorder,
    ) -> torch.Tensor:
        """Result, and the logarithms of the sums for the backward pass."""
        batch, heads, rows, _ = query.shape
        width = value.shape[-1]
        result = query.new_empty((batch, rows, heads, width)).transpose(1, 2)
        if kernel is Kernel.EFFICIENT:
            rows = _up(rows, _STATISTICS_ROWS)
            if width > _WIDE_OUTPUT and query.element_size() < 4:  # noqa: PLR2004 - bytes of fp32
                recorder.give_back(recorder.take(4 * result.numel(), ATTENTION))
        sums = query.new_empty((batch, heads, rows), dtype=torch.float32)
        # By name, as torch's own operator keeps them and lets go of them.
        ctx.save_for_backward(bias, key, sums, result, query, value)
        ctx.kernel, ctx.recorder = kernel, recorder
        return result

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - torch's context has no type
        gradient: torch.Tensor,
    ) -> tuple[torch.Tensor | None, ...]:
        """Gradients, beside the fp32 accumulators that the kernels add up in."""
        bias, key, sums, result, query, value = ctx.saved_tensors
        gradients = tuple(torch.empty_like(each) for each in (query, key, value))
        inside = (_inside_flash if ctx.kernel is Kernel.FLASH else _inside_efficient)(
            query, key, value
        )
        # `grad_out.contiguous()`, rows before heads (attention_backward.cu).
        is_in_order = gradient.transpose(1, 2).is_contiguous()
        if ctx.kernel is Kernel.FLASH and not is_in_order:
            inside.append(gradient.nbytes)
        recorder: Recorder = ctx.recorder
        taken = [recorder.take(size, ATTENTION) for size in inside]
        for number in reversed(taken):  # as a function's locals end in C++
            recorder.give_back(number)
        del value, query, result, sums, key, bias
        return *gradients, None, None, None


def attention_on(card: Card, recorder: Recorder, *, expands_keys: bool) -> Any:  # noqa: ANN401 - torch's own signature
    """Stand-in for `scaled_dot_product_attention` that allocates as a card does.

    Args:
        card: Whose kernels.
        recorder: Is told of accumulators.
        expands_keys: Grouped keys are copied to every query head first, as programs
            do that force the memory-efficient kernel.
    """

    def attend(  # noqa: PLR0913, PLR0917 - torch's own signature
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        if expands_keys and not card.has_flash and enable_gqa:
            groups = query.shape[-3] // key.shape[-3]
            key = key.repeat_interleave(groups, dim=-3)
            value = value.repeat_interleave(groups, dim=-3)
        if torch.is_autocast_enabled("cpu"):
            cast = torch.get_autocast_dtype("cpu")
            query, key, value = (each.to(cast) for each in (query, key, value))
        kernel = kernel_for(card, query, key, value, attn_mask)
        if kernel is Kernel.MATH:
            # Its own products are none of autocast's business (autocast_mode.h).
            with torch.autocast("cpu", enabled=False):
                return _in_the_open(
                    query,
                    key,
                    value,
                    attn_mask,
                    dropout_p,
                    is_causal,
                    scale,
                    enable_gqa,
                )
        bias = None
        if attn_mask is not None:
            bias = torch.empty_like(attn_mask, dtype=query.dtype)
        attended: torch.Tensor = FusedAttention.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            query, key, value, bias, kernel, recorder
        )
        return attended

    return attend


def _in_the_open(  # noqa: PLR0913, PLR0917 - torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> torch.Tensor:
    """The kernel without secrets: every operator of it is recorded."""
    math = torch.ops.aten._scaled_dot_product_attention_math.default
    arguments = (query, key, value, mask, dropout, is_causal)
    result: torch.Tensor = math(*arguments, scale=scale, enable_gqa=enable_gqa)[0]
    return result


def _inside_flash(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> list[int]:
    batch, heads, rows, width = query.shape
    rows = _up(rows, _FLASH_ROWS)
    inside = [
        4 * batch * heads * rows,
        4 * batch * rows * heads * _up(width, _FLASH_WIDTH),
    ]
    if key.shape[1] != heads:
        # Gradients of each query head's copy of its key head, summed afterwards.
        groups = heads // key.shape[1]
        inside += [groups * key.nbytes, groups * value.nbytes]
    return inside


def _inside_efficient(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> list[int]:
    batch, heads, rows, width = query.shape
    pairs, is_half = batch * heads, query.element_size() < 4  # noqa: PLR2004 - bytes of fp32
    workspace = _up(rows, _TILE) * _up(width, _TILE)
    if is_half and width > _TILE:
        keys = _up(key.shape[-2], 2 * _TILE)
        workspace += keys * (_up(width, _TILE) + _up(value.shape[-1], _TILE))
    inside = [4 * pairs * rows, 4 * pairs * workspace]
    if not is_half:
        inside.append(4 * pairs * rows * value.shape[-1])  # grad * out
    return inside


def _up(amount: int, step: int) -> int:
    return -(-amount // step) * step
