"""Functions that take another way on a card than on a processor, taken as a card does.

Torch and the libraries look at a tensor's device to choose; in a dry run all tensors
seem to lie on a processor. Each stand-in here names what it stands for.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import bitsandbytes
import torch
from bitsandbytes.autograd import _functions as bnb_functions
from bitsandbytes.optim.optimizer import Optimizer8bit
from torch.nn import functional
from transformers import modeling_utils
from transformers.integrations import moe
from trl.kernels import chunked_logprob
from trl.trainer import utils as trl_utils

from studio.engine.dry_run.attention import attention_on
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.leaving import leaving
from studio.engine.dry_run.recorder import Recorder
from studio.engine.methods import common

_PAGED_LEAST = 1e5
# Words of the vocabulary that trl scores at a time (trl/trainer/utils.py); the engine
# takes fewer on a processor, which the tensors claim to be on.
_HEAD_TILE = 32_768


@contextmanager
def as_on(card: Card, recorder: Recorder, *, expands_keys: bool) -> Iterator[None]:
    """Let torch and the libraries do what they do on a card.

    Args:
        card: Which.
        recorder: Is told of what kernels take inside.
        expands_keys: See `attention_on`.
    """
    attend = attention_on(card, recorder, expands_keys=expands_keys)
    groups = _always if card.has_grouped_product else _never
    with ExitStack() as stack:
        for place, name, stand_in in (
            (functional, "scaled_dot_product_attention", attend),
            (functional, "softmax", _softmax),
            (functional, "layer_norm", _layer_norm),
            (chunked_logprob, "_addmm_fp32", _nothing),
            (bitsandbytes, "matmul", _int8_matmul),
            (common, "TILE_ON_PROCESSOR", _HEAD_TILE),
            (torch, "is_autocast_enabled", _is_autocast_enabled),
            (moe, "_can_use_grouped_mm", groups),
            (modeling_utils, "save_on_cpu", leaving(recorder)),
        ):
            stack.enter_context(patch.object(place, name, stand_in))
        paging = patch.object(
            Optimizer8bit, "get_state_buffer", _state_buffer(recorder)
        )
        stack.enter_context(paging)
        stack.enter_context(_dropping_as_a_card())
        if card.has_triton:
            for name in ("_forward_tile", "_backward_tile"):
                stack.enter_context(patch.object(chunked_logprob, name, _nothing))
            stack.enter_context(patch.object(trl_utils, "_use_triton", _always))
        yield


def _state_buffer(
    recorder: Recorder,
) -> Callable[[Optimizer8bit, torch.Tensor, torch.dtype], torch.Tensor]:
    """Large states of a paged optimizer lie outside torch's allocator.

    bitsandbytes/optim/optimizer.py, `get_state_buffer`: cudaMallocManaged from 1e5
    entries on. A processor has no pages.
    """

    def get_state_buffer(
        self: Optimizer8bit, p: torch.Tensor, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        if not self.is_paged or p.numel() < _PAGED_LEAST:
            return torch.zeros_like(p, dtype=dtype)
        with recorder.paged():
            return torch.zeros_like(p, dtype=dtype)

    return get_state_buffer


@contextmanager
def _dropping_as_a_card() -> Iterator[None]:
    """Let dropout take the card's kernel, whoever asks for it.

    Torch's plain attention asks from C++ (ATen/native/transformers/attention.cpp),
    where no stand-in of a Python function is seen. Meta tensors and fake ones come by
    different keys.
    """
    with torch.library._scoped_library("aten", "IMPL") as kernels:
        for key in ("AutogradCPU", "AutogradMeta"):
            kernels.impl("dropout", _dropout, key)
        yield


def _dropout(
    input: torch.Tensor,  # noqa: A002 - torch's own name
    p: float,
    train: bool,
) -> torch.Tensor:
    """One kernel that keeps a mask of bytes (ATen/native/Dropout.cpp).

    A processor keeps a mask in the input's own format.
    """
    if not train or p == 0:
        return input
    dropped: torch.Tensor = torch.native_dropout(input, p, True)[0]
    return dropped


_plain_softmax = functional.softmax


def _softmax(
    input: torch.Tensor,  # noqa: A002 - torch's own name
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """fp16 scores become fp32 probabilities without an fp32 copy of the scores.

    ATen/native/SoftMax.cpp: for Half to Float, and on CUDA alone. There autocast asks
    for fp32 where the caller asks for nothing (ATen/autocast_mode.h).
    """
    is_half = input.dtype in {torch.float16, torch.bfloat16}
    if dtype is None and is_half and torch.is_autocast_enabled("cpu"):
        dtype = torch.float32
    if input.dtype is torch.float16 and dtype is torch.float32 and dim is not None:
        return torch._softmax(input, dim, half_to_float=True)
    return _plain_softmax(input, dim, _stacklevel, dtype)


_plain_layer_norm = functional.layer_norm


def _layer_norm(
    input: torch.Tensor,  # noqa: A002 - torch's own name
    normalized_shape: list[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """CUDA's autocast normalises in fp32 (ATen/autocast_mode.h); a processor's not."""
    if torch.is_autocast_enabled("cpu"):
        input = input.float()  # noqa: A001 - torch's own name
        weight = None if weight is None else weight.float()
        bias = None if bias is None else bias.float()
    return _plain_layer_norm(input, normalized_shape, weight, bias, eps)


def _int8_matmul(
    A: torch.Tensor,  # noqa: N803 - as above
    B: torch.Tensor,  # noqa: N803 - as above
    out: torch.Tensor | None = None,
    state: Any = None,  # noqa: ANN401 - bitsandbytes has no types
    threshold: float = 0.0,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """The 8-bit product; a processor unpacks the weights (autograd/_functions.py)."""
    if threshold > 0.0:
        state.threshold = threshold
    product: torch.Tensor = bnb_functions.MatMul8bitLt.apply(A, B, out, bias, state)  # type: ignore[no-untyped-call]  # bitsandbytes has no types
    return product


_is_autocast_enabled_on = torch.is_autocast_enabled


def _is_autocast_enabled(device: str = "cpu") -> bool:
    """Without a name it asks for a card; the tensors claim to be on a processor.

    peft's quantised layers ask so (tuners/lora/bnb.py) and cast their input to the
    adapter's format only without autocast.
    """
    return _is_autocast_enabled_on(device)


def _nothing(*_: object, **__: object) -> None:
    """A kernel that works in place: trl/kernels/chunked_logprob.py in Triton."""


def _always(*_: object) -> bool:
    return True


def _never(*_: object) -> bool:
    return False
