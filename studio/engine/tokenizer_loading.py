"""A model's tokenizer, without the model: all that counting and showing tokens needs.

No torch is loaded here, which costs a second and 200 MB that tokens don't need.
"""

import re
from pathlib import Path
from typing import TypeAlias

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from studio.domain.errors import StudioError, refusal

Tokenizer: TypeAlias = PreTrainedTokenizerBase

_CLASS = re.compile(r"^[A-Z]\w*Error: ")


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load a model's tokenizer with its chat template.

    Raises:
        StudioError: There is none, or it has no chat template.
    """
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as fault:
        raise unloadable(folder, fault) from fault
    if not tokenizer.chat_template:
        raise refusal(
            "model.no-chat-template",
            "This model has no chat template, so it can't be taught from chats.",
            fix="Choose an instruct or chat version of it.",
            where=str(folder),
        )
    return tokenizer


def unloadable(folder: Path, fault: Exception) -> StudioError:
    """The error for a folder that transformers makes no model of."""
    return refusal(
        "model.not-loadable",
        f"This model can't be loaded: {_reason(fault)}.",
        fix="Choose another model, or fetch this one again.",
        where=str(folder),
    )


def _reason(fault: Exception) -> str:
    """The first sentence that says something, without the names of validators.

    Those of huggingface_hub's strict dataclasses stand in a line ahead of it, which
    ends with a colon, and the class of what they raised before it.
    """
    if isinstance(fault, KeyError):
        return f"transformers knows no {fault}"
    said = str(fault).strip().splitlines()
    told = [line.strip() for line in said if not line.endswith(":")] or said
    if not told:
        return type(fault).__name__
    words = _CLASS.sub("", told[0]) or told[0]
    return words.partition(". ")[0].rstrip(".")
