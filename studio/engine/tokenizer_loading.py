"""A model's tokenizer, without the model: all that counting and showing tokens needs.

No torch is loaded here, which costs a second and 200 MB that tokens don't need.
"""

from pathlib import Path
from typing import TypeAlias

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from studio.domain.errors import StudioError, refusal

Tokenizer: TypeAlias = PreTrainedTokenizerBase


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
    said = str(fault).strip().splitlines()
    reason = said[0].partition(". ")[0].rstrip(".") if said else type(fault).__name__
    return refusal(
        "model.not-loadable",
        f"This model can't be loaded: {reason}.",
        fix="Choose another model, or fetch this one again.",
        where=str(folder),
    )
