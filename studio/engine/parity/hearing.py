"""What a model expects at each token, and how far two models are apart."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import torch
from peft import PeftModelForCausalLM

from studio.domain.parity import Distance
from studio.engine.model_loading import Model
from studio.engine.parity.texts import Text

Heard: TypeAlias = Model | PeftModelForCausalLM
Item = TypeVar("Item")

# Of the trained model's expectations, which are kept while the exported one is heard.
_MOST_BYTES = 512 << 20
_FP32 = 4


class Counting(Protocol):
    """Reports how far a walk through a collection has come, as a session does."""

    def counted(self, items: Sequence[Item], stage: str, unit: str) -> Iterator[Item]:
        """Walk through it.

        Args:
            items: What is walked through.
            stage: What is done, in words.
            unit: Of the items.
        """


def places_for(vocabulary: int) -> int:
    """At how many places a model can be heard in bounded memory."""
    return max(64, _MOST_BYTES // (vocabulary * _FP32))


def heard(
    session: Counting,
    model: Heard,
    texts: Sequence[Text],
    stage: str,
) -> Iterator[torch.Tensor]:
    """Log-probabilities at the places of each text, one text after the other.

    Args:
        session: Told of progress.
        model: On the processor or a card.
        texts: What it reads.
        stage: For progress, in words.

    Yields:
        Places x vocabulary, in fp32, on the processor.
    """
    device = next(model.parameters()).device
    model.eval()
    for text in session.counted(texts, stage, "texts"):
        ids = torch.tensor([text.ids], device=device)
        before = torch.tensor(text.places) - 1
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits[0]
        kept = logits[before.to(logits.device)].float()
        yield torch.log_softmax(kept, dim=-1).cpu()


def _as_wide(told: torch.Tensor, words: int) -> torch.Tensor:
    """Words that one vocabulary lacks are never expected."""
    missing = words - told.shape[1]
    return torch.nn.functional.pad(told, (0, missing), value=-math.inf)


@dataclass(slots=True)
class _Sums:
    tokens: int = 0
    same: int = 0
    kl: float = 0.0
    worst: float = 0.0
    held_out: int = 0
    trained: float = 0.0
    exported: float = 0.0

    def perplexity(self, loss: float) -> float:
        return math.exp(loss / self.held_out) if self.held_out else math.nan


def distance_between(
    texts: Sequence[Text],
    trained: Sequence[torch.Tensor],
    exported: Iterator[torch.Tensor],
) -> Distance:
    """How far what two models expect is apart.

    Args:
        texts: What both read.
        trained: Log-probabilities of the trained model by text, places x vocabulary.
        exported: The same of the other, with at least as many words; words that the
            trained model doesn't have count as differences by what they are given.
    """
    sums = _Sums()
    for text, ours, theirs in zip(texts, trained, exported, strict=True):
        other = _as_wide(theirs, ours.shape[1])
        kl = torch.sum(ours.exp() * (ours - other), dim=-1).clamp(min=0).double()
        # A model whose numbers broke down is as far away as can be.
        kl = torch.nan_to_num(kl, nan=math.inf)
        sums.tokens += len(text.places)
        sums.same += int((ours.argmax(-1) == other.argmax(-1)).sum())
        sums.kl += float(kl.sum())
        sums.worst = max(sums.worst, float(kl.max()) if len(kl) else 0.0)
        if text.is_held_out:
            said = torch.tensor([text.ids[place] for place in text.places])[:, None]
            sums.held_out += len(text.places)
            sums.trained -= float(ours.gather(1, said).double().sum())
            sums.exported -= float(other.gather(1, said).double().sum())
    return Distance(
        tokens=sums.tokens,
        agreement=sums.same / sums.tokens,
        mean_kl=sums.kl / sums.tokens,
        worst_kl=sums.worst,
        trained_perplexity=sums.perplexity(sums.trained),
        exported_perplexity=sums.perplexity(sums.exported),
    )
