"""Which token follows, by settings that the caller names and no model changes."""

from typing import Any

from peft import PeftModelForCausalLM
from transformers import GenerationConfig

from studio.domain.chatting import Sampling
from studio.engine.model_loading import Model
from studio.engine.tokenizer_loading import Tokenizer


def decoding(
    model: Model | PeftModelForCausalLM, tokenizer: Tokenizer, sampling: Sampling
) -> GenerationConfig:
    """How transformers is to draw tokens.

    Whatever is left unset, transformers takes from the model's own settings, which
    often penalise repetition; so all that shapes the draw is set here.

    Args:
        model: Whose end tokens count.
        tokenizer: Its end token counts as well.
        sampling: What is wanted.
    """
    drawn: dict[str, Any] = {}
    if sampling.draws:
        drawn = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "typical_p": 1.0,
            "min_p": 0.0,
            "epsilon_cutoff": 0.0,
            "eta_cutoff": 0.0,
        }
    return GenerationConfig(  # type: ignore[no-untyped-call]  # its __init__ has no types
        do_sample=sampling.draws,
        num_beams=1,
        repetition_penalty=sampling.repetition_penalty,
        no_repeat_ngram_size=0,
        max_new_tokens=sampling.max_new_tokens,
        min_length=0,
        eos_token_id=sorted(ends_of(model, tokenizer)) or None,
        pad_token_id=tokenizer.pad_token_id,
        **drawn,
    )


def ends_of(
    model: Model | PeftModelForCausalLM, tokenizer: Tokenizer
) -> frozenset[int]:
    """The tokens that end an answer, the model's own and the tokenizer's."""
    own = model.generation_config
    ends = own.eos_token_id if own is not None else None
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(
        end for end in (*listed, tokenizer.eos_token_id) if end is not None
    )
