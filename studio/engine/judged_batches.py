"""Batches of judged answers, in the words of trl's trainers of preferences.

Their own collators mark what is scored by where a question ends; these go by the labels
of `judged_rows`, which leave out what the assistant doesn't say behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from studio.engine.chat_rendering import IGNORED

Example = Mapping[str, Any]
Answer = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Puts pairs together: all better answers, then all worse ones.

    Attributes:
        pad: The token that pads.
    """

    pad: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Tensors of (2 x pairs, tokens of the longest answer)."""
        pairs = [list(_halves(each)) for each in examples]
        answers = [pair[half] for half in (0, 1) for pair in pairs]
        return _padded(answers, self.pad)


@dataclass(frozen=True, slots=True)
class RatedBatch:
    """Puts rated answers together, and each question with another row's answer.

    What those mismatched ones score estimates how far the model went from where it
    began (Ethayarajh et al. 2024, arXiv 2402.01306, section 4.1).

    Attributes:
        pad: The token that pads.
        length: Tokens that a mismatched row is cut at.
    """

    pad: int
    length: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Tensors of (rows, tokens of the longest), and one verdict a row."""
        answers = [_answer(each["input_ids"], each["labels"]) for each in examples]
        others = [answers[-1], *answers[:-1]]
        mixed = [
            _joined(own, other, self.length)
            for own, other in zip(answers, others, strict=True)
        ]
        mismatched = _padded(mixed, self.pad)
        return {
            **_padded(answers, self.pad),
            **{f"KL_{name}": tensor for name, tensor in mismatched.items()},
            "label": torch.tensor([bool(each["label"]) for each in examples]),
        }


def _halves(example: Example) -> Iterator[Answer]:
    for start, stop in pairwise((0, *accumulate(example["seq_lengths"]))):
        yield _answer(example["input_ids"][start:stop], example["labels"][start:stop])


def _answer(ids: Sequence[int], labels: Sequence[int]) -> Answer:
    """Tokens, and which of them are scored; (tokens,) each."""
    scored = torch.tensor(labels) != IGNORED
    return torch.tensor(ids), scored.long()


def _joined(own: Answer, other: Answer, length: int) -> Answer:
    """A question with another one's answer, and what follows that."""
    question, answer = _begin(own), _begin(other)
    ids = torch.cat([own[0][:question], other[0][answer:]])
    scored = torch.cat([own[1][:question], other[1][answer:]])
    return ids[:length], scored[:length]


def _begin(answer: Answer) -> int:
    """Where it is first scored."""
    return int(answer[1].argmax())


def _padded(answers: Sequence[Answer], pad: int) -> dict[str, torch.Tensor]:
    ids = [each[0] for each in answers]
    ones = [torch.ones_like(each) for each in ids]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad),
        "attention_mask": pad_sequence(ones, batch_first=True),
        "completion_mask": pad_sequence([a[1] for a in answers], batch_first=True),
    }
