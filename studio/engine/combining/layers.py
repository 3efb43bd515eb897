"""Layer by layer from several adapters' files into one: memory holds one layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from safetensors import safe_open

from studio.domain.combining import Combination
from studio.domain.errors import refusal
from studio.domain.waypoints import passing
from studio.engine.combining.arithmetic import (
    Combined,
    Factors,
    combine_layer,
    padded,
    rank_of,
)
from studio.engine.combining.parts import Layer, Part
from studio.engine.merging.plan import ADAPTER_WEIGHTS
from studio.engine.session import Session
from studio.engine.trained_beside import PREFIX
from studio.storage.safetensors_writing import Announced, SafetensorsWriter

_FLOAT_BYTES = 4


def sizes_of(parts: Sequence[Part], combination: Combination) -> dict[str, Layer]:
    """What comes of each layer, by its name.

    Args:
        parts: That are combined.
        combination: By which.
    """
    found = {}
    for module in sorted({name for part in parts for name in part.layers}):
        layers = [part.layers[module] for part in parts if module in part.layers]
        ranks = [layer.rank for layer in layers]
        rank = rank_of(combination.way, ranks, combination.rank)
        if combination.way.decomposes:
            rank = min(rank, layers[0].inputs, layers[0].outputs)
        found[module] = replace(layers[0], rank=rank)
    return found


def announced(sizes: Mapping[str, Layer], rank: int) -> Iterator[Announced]:
    """The tensors of the result, in the order in which they are written.

    Args:
        sizes: Of the layers.
        rank: That all of them have, with zeros for what is missing.
    """
    for module, layer in sizes.items():
        for which, shape in (
            ("A", (rank, layer.inputs)),
            ("B", (layer.outputs, rank)),
        ):
            size = shape[0] * shape[1] * _FLOAT_BYTES
            yield Announced(f"{PREFIX}{module}.lora_{which}.weight", "F32", shape, size)


def write_layers(
    session: Session,
    parts: Sequence[Part],
    combination: Combination,
    rank: int,
    writer: SafetensorsWriter,
) -> float | None:
    """Combine layer by layer.

    Args:
        session: Told how far it has come.
        parts: That are combined.
        combination: By which.
        rank: That all layers have.
        writer: Takes `announced`.

    Returns:
        How far the result is from the weighted sum, as a share of that sum; None
        where the sum is nothing.

    Raises:
        StudioError: An adapter holds what is no number.
        Interrupted: It shall end.
    """
    modules = sorted({name for part in parts for name in part.layers})
    off = size = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(combination.seed)
        for module in session.counted(modules, "Combining", "layers"):
            session.lifeline.check()
            made = combine_layer(
                module, list(_factors(parts, module, combination)), combination
            )
            off, size = off + made.off, size + made.size
            _write_layer(writer, module, made, rank)
            passing("combine.layer")
    return (off / size) ** 0.5 if size else None


def _factors(
    parts: Sequence[Part], module: str, combination: Combination
) -> Iterator[Factors]:
    """What each adapter has of a layer.

    Where a layer is cut to a rank, an adapter without it counts as zeros: peft leaves
    a single adapter as it is.
    """
    for part, weight in zip(parts, combination.weights, strict=True):
        layer = part.layers.get(module)
        if layer is not None:
            a, b = (_read(part, module, which) for which in "AB")
            yield Factors(a, b, layer.alpha, part.config.use_rslora, weight)
        elif combination.way.decomposes:
            like = next(each.layers[module] for each in parts if module in each.layers)
            zeros = torch.zeros(1, like.inputs), torch.zeros(like.outputs, 1)
            yield Factors(*zeros, weight=weight)


def _read(part: Part, module: str, which: str) -> torch.Tensor:
    with safe_open(part.folder / ADAPTER_WEIGHTS, framework="pt") as file:
        tensor: torch.Tensor = file.get_tensor(f"{PREFIX}{module}.lora_{which}.weight")
    if not torch.isfinite(tensor).all():
        raise refusal(
            "combine.not-finite",
            f"{part.name} holds values that are no numbers (NaN or infinite).",
            why="What is combined with them would answer nothing.",
            fix="Leave it out, or train it again from before its loss broke down.",
            where=module,
        )
    return tensor.float()


def _write_layer(
    writer: SafetensorsWriter, module: str, made: Combined, rank: int
) -> None:
    for which, tensor in zip("AB", padded(made, rank), strict=True):
        flat = tensor.contiguous().view(-1).view(torch.uint8)
        name = f"{PREFIX}{module}.lora_{which}.weight"
        writer.write(name, [flat.numpy().data])
