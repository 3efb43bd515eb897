"""Greedy answers: the same model gives the same words every time."""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from peft import PeftModelForCausalLM

from studio.domain.chatting import Sampling
from studio.domain.dataset import RowError, Turn
from studio.domain.errors import refusal
from studio.engine.chat_rendering import render
from studio.engine.decoding import decoding
from studio.engine.devices import Formats
from studio.engine.model_loading import Model
from studio.engine.tokenizer_loading import Tokenizer

SAMPLE_TOKENS = 96
# Answering several prompts together takes hardly longer than answering one.
_TOGETHER = 8


def answers(
    model: Model | PeftModelForCausalLM,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    formats: Formats,
    most_tokens: int = SAMPLE_TOKENS,
) -> Iterator[tuple[str, str]]:
    """Answer prompts, each on its own, through the chat template.

    Args:
        model: Whatever shall answer; an adapter that is on it takes part.
        tokenizer: Holds the template.
        prompts: What the user says.
        formats: Of the run, so that answers are computed as in training.
        most_tokens: An answer is cut off there.

    Yields:
        (prompt, answer), in order.

    Raises:
        StudioError: The template refuses a prompt.
    """
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(prompts), _TOGETHER):
            group = prompts[start : start + _TOGETHER]
            asked = [_asked(tokenizer, prompt) for prompt in group]
            texts = answered(model, tokenizer, asked, formats, most_tokens)
            yield from zip(group, texts, strict=True)
    finally:
        model.train(was_training)


def answered(
    model: Model | PeftModelForCausalLM,
    tokenizer: Tokenizer,
    asked: Sequence[str],
    formats: Formats,
    most_tokens: int,
) -> list[str]:
    """Answer several chats together, each as it would be answered alone.

    Args:
        model: Whatever shall answer, in evaluation mode.
        tokenizer: Makes tokens of the chats, padded in front.
        asked: Chats as the template renders them, ready to be answered.
        formats: That are computed in.
        most_tokens: An answer is cut off there.
    """
    device = next(model.parameters()).device
    encoded = tokenizer(
        list(asked),
        add_special_tokens=False,
        padding=True,
        padding_side="left",
        return_tensors="pt",
    ).to(device)
    with torch.no_grad(), formats.casting(device):
        generate = cast("Callable[..., torch.Tensor]", model.generate)
        greedy = decoding(model, tokenizer, Sampling(max_new_tokens=most_tokens))
        produced = generate(**encoded, generation_config=greedy)
    new = produced[:, encoded["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(new, skip_special_tokens=True)
    return [str(text).strip() for text in texts]


def _asked(tokenizer: Tokenizer, prompt: str) -> str:
    try:
        return render(tokenizer, [Turn("user", prompt)], asks=True)
    except RowError as fault:
        raise refusal(
            "prompt.refused",
            f"The prompt “{prompt}” {fault}.",
            fix="Change the prompt.",
            where="data.prompts",
        ) from fault
