"""The base model's own tensors, found in its files by the names that the model has.

transformers renames while it loads. What it only renames can be read one by one, in
the format that it was published in, however the loaded model holds it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)

from studio.engine.random_weights import outline_of
from studio.storage.safetensors_headers import read_header

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"


def weight_files(base: Path) -> list[Path]:
    """The files that hold a model's weights; none where it has no safetensors."""
    index = base / INDEX
    if not index.is_file():
        return [base / WEIGHTS] if (base / WEIGHTS).is_file() else []
    told = json.loads(index.read_text(encoding="utf-8"))
    # A name from a stranger's index never leads out of the folder.
    return sorted({base / Path(str(name)).name for name in told["weight_map"].values()})


@dataclass(frozen=True, slots=True)
class Source:
    """What becomes of one tensor of the files while a model is loaded.

    Attributes:
        name: In the file.
        target: In the model.
        converter: What it goes into together with others, or is taken apart by; None
            for what is only renamed.
        pattern: Which of the converter's patterns names it.
    """

    name: str
    target: str
    converter: WeightConverter | None = None
    pattern: str | None = None


def sources_of(model: PreTrainedModel, names: Iterable[str]) -> list[Source]:
    """What transformers makes of the tensors of a model's files.

    Args:
        model: As it is once it is loaded; its outline will do.
        names: In the files.

    Returns:
        In transformers' order, in which experts are numbered.
    """
    transforms = get_model_conversion_mapping(model)
    renamings = [each for each in transforms if isinstance(each, WeightRenaming)]
    converters = [each for each in transforms if isinstance(each, WeightConverter)]
    by_pattern = {key: each for each in converters for key in each.source_patterns}
    known, prefix = model.state_dict(), model.base_model_prefix
    found = []
    for name in sorted(names, key=dot_natural_key):
        target, pattern = rename_source_key(name, renamings, converters, prefix, known)
        converter = None if pattern is None else by_pattern[pattern]
        found.append(Source(name, target, converter, pattern))
    return found


def names_in_files(model: PreTrainedModel, names: Iterable[str]) -> dict[str, str]:
    """Names of the files by those of the model, for what is only renamed on loading."""
    sources = sources_of(model, names)
    return {each.target: each.name for each in sources if each.converter is None}


class BaseTensors:
    """Reads a base model's tensors one at a time."""

    def __init__(self, base: Path) -> None:
        """Look where each lies.

        Args:
            base: The model's folder.

        Raises:
            StudioError: Its configuration or a file can't be read.
        """
        held = {
            name: path
            for path in weight_files(base)
            for name in read_header(path).tensors
        }
        names = names_in_files(outline_of(base), held)
        self._places = {ours: (held[name], name) for ours, name in names.items()}

    def read(self, name: str) -> torch.Tensor | None:
        """A tensor in the format of its file.

        Args:
            name: In the model.

        Returns:
            None where no file holds it as the model does.
        """
        if name not in self._places:
            return None
        path, ours = self._places[name]
        with safe_open(path, framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(ours)
        return tensor
