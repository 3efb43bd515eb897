"""Where a model's weights lie in its files, whole or in parts.

Experts of a mixture are published one by one, and transformers stacks them while it
loads: [gate of all; up of all], side by side. So each tensor of the files is a stretch
of rows of one expert of a stack, and can be worked out and written alone. Files may
also hold the stack itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from transformers import PreTrainedModel
from transformers.core_model_loading import (
    Concatenate,
    ConversionOps,
    MergeModulelist,
    WeightConverter,
)

from studio.engine.base_files import Source, sources_of
from studio.storage.safetensors_headers import TensorPlace

Shape: TypeAlias = tuple[int, ...]
# How transformers stacks experts, and lays gate and up side by side before.
_STACKING: tuple[tuple[tuple[type[ConversionOps], int], ...], ...] = (
    ((MergeModulelist, 0),),
    ((MergeModulelist, 0), (Concatenate, 1)),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some outputs of one expert.

    Attributes:
        expert: Its place in the stack.
        begin: The first row.
        end: The one behind the last.
    """

    expert: int
    begin: int
    end: int


Places: TypeAlias = Mapping[str, Mapping[str, tuple[Rows, ...]]]
"""By name in the model: what each tensor of the files holds of a weight, by its name
there; no rows for the weight as it is."""


def places_in_files(
    model: PreTrainedModel, tensors: Mapping[str, TensorPlace]
) -> Places:
    """Find each weight that lies in the files as it is, or as rows of experts.

    Args:
        model: Its outline.
        tensors: Of all files, by name.
    """
    found: dict[str, dict[str, tuple[Rows, ...]]] = {}
    shapes = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    stacks: dict[str, list[Source]] = defaultdict(list)
    for source in sources_of(model, tensors):
        if source.converter is None:
            found[source.target] = {source.name: ()}
        elif _stacks(source.converter):
            stacks[source.target].append(source)
    for target, sources in stacks.items():
        rows = _rows(sources, tensors)
        if target in shapes and _fill(rows.values(), shapes[target]):
            found[target] = {name: (each,) for name, each in rows.items()}
    return found


def _stacks(converter: WeightConverter) -> bool:
    done = tuple((type(op), getattr(op, "dim", None)) for op in converter.operations)
    return done in _STACKING


def _rows(
    sources: Iterable[Source], tensors: Mapping[str, TensorPlace]
) -> dict[str, Rows]:
    """Of one stack, whose sources are in transformers' order."""
    by_pattern: dict[str, list[str]] = defaultdict(list)
    patterns: list[str] = []
    for source in sources:
        assert source.converter is not None
        assert source.pattern is not None
        patterns = source.converter.source_patterns
        by_pattern[source.pattern].append(source.name)
    found: dict[str, Rows] = {}
    ends: dict[int, int] = defaultdict(int)
    for pattern in patterns:
        for expert, name in enumerate(by_pattern[pattern]):
            begin = ends[expert]
            ends[expert] = begin + tensors[name].shape[0]
            found[name] = Rows(expert, begin, ends[expert])
    return found


def _fill(rows: Iterable[Rows], shape: Shape) -> bool:
    """Whether rows make up a whole stack."""
    count, height, *_ = shape
    last: dict[int, int] = defaultdict(int)
    for each in rows:
        last[each.expert] = max(last[each.expert], each.end)
    return dict(last) == dict.fromkeys(range(count), height)
