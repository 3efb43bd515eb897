"""A model's config.json as transformers understands it, before any weight is read."""

from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PretrainedConfig

from studio.engine.tokenizer_loading import unloadable

# What transformers raises over a config that describes no model.
NONSENSE = (
    *(ValueError, KeyError, TypeError, AttributeError, ArithmeticError),
    StrictDataclassError,
)


def read_config(folder: Path) -> PretrainedConfig:
    """The architecture that a model folder's config.json describes.

    Raises:
        StudioError: There is none, or transformers doesn't know it.
    """
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, *NONSENSE) as fault:
        raise unloadable(folder, fault) from fault
    return config
