"""Peak memory of a recipe by arithmetic: no torch, microseconds, for sliders.

The terms follow the code path that the engine trains by: trl's SFTTrainer with a
fused output head (logits are never held whole), base weights in their load format,
adapters in `lora.adapter_dtype`. Sources are named at each term; figures are of
torch 2.13, transformers 5.23, peft 0.21, trl 1.16 and bitsandbytes 0.50.
"""

from studio.domain.architecture import LinearShape, ModelArchitecture
from studio.domain.hardware import MIB, TrainingDevice
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
    MemoryPhase,
)
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    ALL_LINEAR,
    AdapterDtype,
    Attention,
    ComputeDtype,
    Optimizer,
    Precision,
)

# The formula has been compared with published measurements by hand only; the
# range that is shown says so until a dry run replaces it.
EXPECTED_ERROR = 0.15

QUANTIZATION_BLOCK = 64  # bitsandbytes nn/modules.py:230
NESTED_BLOCK = 256  # bitsandbytes functional.py:938
EIGHT_BIT_BLOCK = 256  # bitsandbytes optim/optimizer.py:414
EIGHT_BIT_LEAST = 4096  # tensors below keep 32-bit states, same file
HEAD_TILE_ROWS = 4096  # trl kernels/chunked_logprob.py:31
HEAD_TILE_COLUMNS = 32_768  # trl trainer/utils.py:1506
PAGED_LEAST = 100_000  # bitsandbytes optim/optimizer.py:374
CUBLAS_WORKSPACES = 2 * 8_519_680  # ATen CublasHandlePool.cpp, forward and backward
CUDA_CONTEXT = 300 * MIB  # 141 MiB (T4) to about 400 MiB; measured per machine later
# Resident size of an engine on a CPU that trains a model of no weight: interpreter,
# torch, transformers, trl, datasets and their pools. Measured on Linux x86-64 by
# tests/bench/test_bench_engine_footprint.py.
CPU_RUNTIME = 540 * MIB

_BYTES = {
    ComputeDtype.BF16: 2,
    ComputeDtype.FP16: 2,
    ComputeDtype.FP32: 4,
    Precision.BF16: 2,
    Precision.FP16: 2,
    Precision.FP32: 4,
}


def estimate_memory(
    model: ModelArchitecture, recipe: Recipe, device: TrainingDevice
) -> MemoryEstimate:
    """Predict the peak of training `model` by `recipe` on `device`.

    The peak is taken in the backward pass, where checkpoints, one recomputed layer
    and the gradients stand together; a foreach optimizer's temporaries are priced
    instead where they are larger.

    Returns:
        The components in bytes; they sum to the peak.
    """
    resident = _resident(model, recipe)
    backward = _backward(model, recipe)
    step = _optimizer_step(model, recipe)
    in_step = sum(c.bytes for c in step) > sum(c.bytes for c in backward)
    passing = step if in_step else backward
    estimate = MemoryEstimate(
        components=(*resident, *passing, *_overhead(device)),
        phase=MemoryPhase.OPTIMIZER_STEP if in_step else MemoryPhase.BACKWARD,
        basis=Basis.FORMULA,
        expected_error=EXPECTED_ERROR,
    )
    known = device.context_bytes
    return estimate if known is None else estimate.with_context(known)


def adapter_weights(model: ModelArchitecture, recipe: Recipe) -> int:
    """Trained weights: rank x (inputs + outputs) of every adapted linear layer."""
    return model.layers * sum(sum(_pair(x, recipe)) for x in _adapted(model, recipe))


def _resident(model: ModelArchitecture, recipe: Recipe) -> tuple[Component, ...]:
    adapter = adapter_weights(model, recipe)
    width = 4 if recipe.lora.adapter_dtype is AdapterDtype.FP32 else 2
    other = model.other_weights * _load_bytes(recipe)
    return (
        Component("Base weights, quantised", Group.WEIGHTS, _linear(model, recipe)),
        Component("Embeddings and norms", Group.WEIGHTS, other),
        Component("Adapter", Group.ADAPTER, adapter * width),
        Component("Gradients", Group.ADAPTER, adapter * width),
        Component("Optimizer states", Group.ADAPTER, _states(model, recipe, width)),
    )


def _linear(model: ModelArchitecture, recipe: Recipe) -> int:
    weights, precision = model.linear_weights, recipe.model.precision
    if precision.is_four_bit:
        scales = weights / QUANTIZATION_BLOCK
        # fp32 scales, or 8-bit scales with an fp32 scale for each block of them.
        scale_bytes = 1 + 4 / NESTED_BLOCK if recipe.model.double_quant else 4
        return round(weights / 2 + scales * scale_bytes)
    if precision is Precision.INT8:
        rows = model.layers * sum(x.outputs for x in model.linears())
        return weights + 4 * rows
    return weights * _BYTES[precision]


def _load_bytes(recipe: Recipe) -> int:
    precision = recipe.model.precision
    if precision.is_quantized:
        return _BYTES[recipe.model.compute_dtype]
    return _BYTES[precision]


def _states(model: ModelArchitecture, recipe: Recipe, width: int) -> int:
    """Two states a weight, in its format, or 8 bit with a scale a block."""
    total = 0.0
    optimizer = recipe.train.optimizer
    eight_bit = {Optimizer.ADAMW_8BIT, Optimizer.PAGED_ADAMW_8BIT}
    paged = {Optimizer.PAGED_ADAMW_32BIT, Optimizer.PAGED_ADAMW_8BIT}
    for linear in _adapted(model, recipe):
        for weights in _pair(linear, recipe):
            if optimizer in paged and weights >= PAGED_LEAST:
                continue
            if optimizer in eight_bit and weights >= EIGHT_BIT_LEAST:
                total += weights * 2 * (1 + 4 / EIGHT_BIT_BLOCK)
            elif optimizer in eight_bit | paged:
                total += weights * 8
            else:
                total += weights * 2 * width
    return round(model.layers * total)


def _backward(model: ModelArchitecture, recipe: Recipe) -> tuple[Component, ...]:
    tokens = recipe.train.micro_batch * recipe.train.sequence_length
    width = _BYTES[recipe.model.compute_dtype]
    layer = tokens * _saved_per_token(model, recipe, width) + _scores(model, recipe)
    if recipe.train.checkpointing:
        kept = model.layers * tokens * model.hidden * width
    else:
        kept = (model.layers - 1) * layer
    # Gradients of the feed-forward block's two inner streams stand beside it.
    streams = 2 * tokens * model.feed_forward * width
    largest = max(linear.weights for linear in model.linears())
    dequantized = largest * width if recipe.model.precision.is_quantized else 0
    return (
        Component("Remembered activations", Group.ACTIVATIONS, kept),
        Component("One layer, in work", Group.ACTIVATIONS, layer + streams),
        Component("Dequantised weight", Group.ACTIVATIONS, dequantized),
        Component("Loss in tiles", Group.LOSS, _loss(model, tokens, width)),
    )


def _saved_per_token(model: ModelArchitecture, recipe: Recipe, width: int) -> int:
    """Bytes that one layer keeps of one token for its backward pass.

    Two norms keep their input in fp32; attention its four streams; LoRA the input
    of each group of layers; the gated block its four inner streams. For a Llama
    block with inner width 2.75 H and H/2 key heads this gives 40 H with bf16
    adapters; 40.5 H was measured.
    """
    hidden, inner = model.hidden, model.feed_forward
    query, keys = model.query_width, model.kv_width
    kept = 8 * hidden + width * (2 * hidden + 2 * query + 2 * keys + 4 * inner)
    if recipe.lora.adapter_dtype is AdapterDtype.FP32 and width < 4:  # noqa: PLR2004 - bytes of fp32
        # Each adapted layer casts its own input to fp32 and keeps it.
        casts = sum(x.inputs for x in _adapted(model, recipe))
        kept += 4 * casts - width * (2 * hidden + inner)
    if recipe.lora.dropout:
        # A dropped copy and a byte of mask for each adapted layer.
        kept += (width + 1) * sum(x.inputs for x in _adapted(model, recipe))
    return kept


def _scores(model: ModelArchitecture, recipe: Recipe) -> int:
    """Eager attention: scores, their fp32 softmax and its backward temporary."""
    if recipe.model.attention is not Attention.EAGER:
        return 0
    length = recipe.train.sequence_length
    pairs = recipe.train.micro_batch * model.heads * length * length
    return pairs * (2 * _BYTES[recipe.model.compute_dtype] + 4)


def _loss(model: ModelArchitecture, tokens: int, width: int) -> int:
    """A tile of logits and the fp32 gradient of the last hidden state."""
    rows = min(tokens, HEAD_TILE_ROWS)
    tile = rows * min(model.vocabulary, HEAD_TILE_COLUMNS) * width
    return tile + 4 * tokens * model.hidden


def _optimizer_step(model: ModelArchitecture, recipe: Recipe) -> tuple[Component, ...]:
    if recipe.train.optimizer is not Optimizer.ADAMW_FOREACH:
        return ()
    width = 4 if recipe.lora.adapter_dtype is AdapterDtype.FP32 else 2
    # torch optim/adam.py:762: a square root of all second moments at once.
    copy = adapter_weights(model, recipe) * width
    return (Component("Optimizer’s temporaries", Group.ADAPTER, copy),)


def _overhead(device: TrainingDevice) -> tuple[Component, ...]:
    if device.kind == "cpu":
        return (_outside("Python and its libraries", CPU_RUNTIME),)
    return (
        Component("cuBLAS workspaces", Group.OVERHEAD, CUBLAS_WORKSPACES),
        _outside(CUDA_CONTEXT_NAME, CUDA_CONTEXT),
    )


def _outside(name: str, amount: int) -> Component:
    """What the process holds beside torch's allocator."""
    return Component(name, Group.OVERHEAD, amount, level=Level.DEVICE)


def _adapted(model: ModelArchitecture, recipe: Recipe) -> tuple[LinearShape, ...]:
    targets = recipe.lora.targets
    if ALL_LINEAR in targets:
        return model.linears()
    return tuple(x for x in model.linears() if x.name in targets)


def _pair(linear: LinearShape, recipe: Recipe) -> tuple[int, int]:
    return recipe.lora.rank * linear.inputs, recipe.lora.rank * linear.outputs
