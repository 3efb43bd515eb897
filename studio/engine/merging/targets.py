"""Which weights of a model an adapter changes, by the names of its file.

peft adapts a layer, or a parameter of any module: the router of a mixture and the
stacks of its experts. Of several parameters of one module each wraps the one before, so
only peft can say which of its names stands for which of them.
"""

import copy
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from peft import PeftConfig, inject_adapter_in_model
from peft.tuners.lora.layer import ParamWrapper
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from studio.domain.errors import refusal
from studio.engine.random_weights import outline_of
from studio.engine.trained_beside import PREFIX

ADAPTED = re.compile(
    rf"{re.escape(PREFIX)}(.+)\.(?:lora_[AB]|lora_magnitude_vector)(?:\.weight)?"
)
_WEIGHT = "weight"
_WRAPPED = ".base_layer"
_STACKED = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A weight that an adapter changes, or that isn't as its file has it.

    Attributes:
        module: Its name in the model.
        parameter: Of the module.
        parts: What the adapter's file calls it.
        layer: Whether peft adapts the module, not just a parameter.
        transposed: Whether it is held as inputs x outputs (GPT-2's Conv1D).
        experts: How many lie in it one behind the other; 0 where it is no stack.
    """

    module: str
    parameter: str = _WEIGHT
    parts: str = ""
    layer: bool = True
    transposed: bool = False
    experts: int = 0

    @property
    def name(self) -> str:
        """Of the weight in the model."""
        return f"{self.module}.{self.parameter}"


def targets_of(
    base: Path,
    model: PreTrainedModel,
    adapter: Path,
    parts: Iterable[str],
    held: Collection[str],
) -> list[Target]:
    """What a merge has to work out.

    Args:
        base: The base model's folder.
        model: Its outline.
        adapter: The adapter's folder.
        parts: Names of the adapter's tensors.
        held: Further layers whose weights don't stay as they are.

    Raises:
        StudioError: A part belongs to nothing that can be merged.
    """
    wrapped = {target.parts: target for target in _parameters(base, adapter)}
    matches = filter(None, map(ADAPTED.fullmatch, parts))
    found = []
    for name in sorted({match[1] for match in matches} | set(held)):
        target = wrapped.get(name) or _layer(model, name)
        if target is None:
            raise refusal(
                "merge.unknown-part",
                f"The adapter’s {name} belongs to no layer that can be merged.",
                fix="Use the adapter with the base that it was trained on.",
                where=name,
            )
        found.append(target)
    return found


def _layer(model: PreTrainedModel, name: str) -> Target | None:
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        return None
    if not isinstance(layer, nn.Linear | Conv1D):
        return None
    return Target(name, parts=name, transposed=isinstance(layer, Conv1D))


def _parameters(base: Path, adapter: Path) -> list[Target]:
    """Parameters that peft adapts, found by having it adapt them."""
    config = copy.copy(PeftConfig.from_pretrained(str(adapter)))
    if not getattr(config, "target_parameters", None):
        return []
    config.target_modules = []
    config.modules_to_save = None
    config.ensure_weight_tying = False
    config.rank_pattern, config.alpha_pattern = {}, {}
    model = outline_of(base)
    inject_adapter_in_model(config, model, low_cpu_mem_usage=True)
    return [
        _wrapped(name, module)
        for name, module in model.named_modules()
        if isinstance(module, ParamWrapper)
    ]


def _wrapped(name: str, wrapper: ParamWrapper) -> Target:
    shape = wrapper.get_param().shape  # type: ignore[no-untyped-call]  # ships no types
    stacked = len(shape) == _STACKED
    return Target(
        module=name.replace(_WRAPPED, ""),
        parameter=wrapper.parameter_name,
        parts=name,
        layer=False,
        transposed=stacked and not wrapper._did_swap_in_out_features,
        experts=shape[0] if stacked else 0,
    )
