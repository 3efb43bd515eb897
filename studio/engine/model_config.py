"""A model's config.json as transformers understands it, before any weight is read."""

import json
from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PretrainedConfig

from studio.domain.architecture import config_refusal
from studio.domain.errors import StudioError, refusal
from studio.engine.tokenizer_loading import unloadable

# What transformers raises over a config that describes no model.
NONSENSE = (
    *(ValueError, KeyError, TypeError, AttributeError, ArithmeticError),
    StrictDataclassError,
)

# Without one of each there is no model to make anything of.
_COUNTS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
# The deepest ones have some hundred; each that is named is built, even without memory
# for its weights, so that a slip of the pen would take all of the machine's.
_MOST_LAYERS = 4096
# As the formula has it: torch takes seconds to hours over sizes beyond.
_MOST = (1 << 31) - 1


def read_config(folder: Path) -> PretrainedConfig:
    """The architecture that a model folder's config.json describes.

    Raises:
        StudioError: There is none, transformers doesn't know it, or a count in it
            is of no model.
    """
    _refuse_unfit(folder / "config.json")
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, *NONSENSE) as fault:
        raise unloadable(folder, fault) from fault
    _refuse_nonsense(config.get_text_config(), folder)
    return config


def _refuse_unfit(file: Path) -> None:
    """Say what transformers refuses in odd words, or not at all."""
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # transformers tells what is wrong with the file
    refused = config_refusal(described) if isinstance(described, dict) else None
    if refused is not None:
        raise StudioError(refused)


def _refuse_nonsense(config: PretrainedConfig, folder: Path) -> None:
    for name in _COUNTS:
        found = getattr(config, name, None)
        if type(found) is not int:
            continue  # a family that counts otherwise, or by layer
        most = _MOST_LAYERS if name == _COUNTS[0] else _MOST
        if not 0 < found <= most:
            raise refusal(
                "model.config",
                f"This model can't be built: its config gives {found:,} as {name}.",
                fix="Choose another model, or fetch this one again.",
                where=str(folder),
            )
