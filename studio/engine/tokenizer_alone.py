"""The tokenizer of a model for a process that loads no model, in a second less."""

import sys
from typing import TYPE_CHECKING

from studio.domain.errors import refusal
from studio.engine.staging import whole_folder
from studio.storage.models import ModelPlace, ModelState, is_model_folder
from studio.system.paths import tokenizers_dir

if TYPE_CHECKING:
    from studio.engine.tokenizer_loading import Tokenizer


def tokenizer_alone(place: ModelPlace) -> "Tokenizer":
    """Load the tokenizer of a model; neither weights nor, if possible, torch.

    Args:
        place: A model that is on this machine. The tokenizer of one that is still to
            be converted is read out of its file once, and kept.

    Raises:
        StudioError: The model isn't here, or has no tokenizer or chat template.
    """
    folder = place.folder
    if folder is None or place.state is ModelState.MISSING:
        raise refusal(
            "model.missing",
            f"The model {place.name} is not on this machine.",
            fix="Fetch it into the Hugging Face cache, or choose another model.",
            where="model.name",
        )
    if place.gguf is not None and not is_model_folder(folder):
        folder = tokenizers_dir() / place.name
        if not (folder / "tokenizer.json").is_file():
            # transformers reads this kind of file through torch.
            from studio.engine.model_preparation import read_tokenizer

            tokenizer = read_tokenizer(place.gguf, place.context)
            with whole_folder(folder, replace=True) as draft:
                tokenizer.save_pretrained(draft)
    _forgo_torch()
    from studio.engine.tokenizer_loading import load_tokenizer

    return load_tokenizer(folder)


def _forgo_torch() -> None:
    """Let transformers find no torch, which it would load for its own sake alone."""
    if "torch" not in sys.modules and "transformers" not in sys.modules:
        sys.modules["torch"] = None  # type: ignore[assignment]  # so import refuses it
