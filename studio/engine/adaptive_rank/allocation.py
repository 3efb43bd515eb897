"""Judges the directions of an adapter, and takes away those that matter least.

An entry's sensitivity is |w dL/dw|. What counts is its running mean times the running
mean of how far it strays from that (the paper's equations 7, 9 and 10), and a
direction's score is that of its weight plus the means over its row and its column
(equation 8). Until the ranks are final a direction may come back.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from peft import PeftModelForCausalLM

from studio.domain.adaptive_rank import LEAST_STEPS, Course
from studio.engine.adaptive_rank.directions import Directions, directions_of

Means = dict[str, torch.Tensor]

_INERTIA = 0.85


class RankAllocator:
    """Spreads an adapter's rank over its layers, step by step.

    Attributes:
        layers: Of the adapter.
    """

    def __init__(
        self, model: PeftModelForCausalLM, rank: int, total_steps: int
    ) -> None:
        """Begin with every direction.

        Args:
            model: Whose directions have weights.
            rank: That layers keep on average.
            total_steps: Of the run.
        """
        self.layers = directions_of(model)
        self._rank = rank
        # A trial or a rehearsal is cut short, and shall find what a run finds.
        self._course = Course(max(total_steps, LEAST_STEPS))
        self._sensitivity: Means = {}
        self._straying: Means = {}
        self._final: Means = {}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Judge, and take away what is to go, when the optimizer has done a step.

        Gradients must still be there. Layers without any, which nothing is taught, are
        neither judged nor counted.

        Args:
            step: From 1.
        """
        if self._final:
            self._take_away(self._final)
            return
        if step < self._course.last or not self._straying:
            # As in the authors' code, the last choice goes by the steps before.
            self._observe()
        judged = [each for each in self.layers if _key(each, "E") in self._straying]
        if not judged or step <= self._course.first:
            return
        kept = self._chosen(judged, step)
        self._take_away(kept)
        if step >= self._course.last:
            self._final = kept
            self._sensitivity, self._straying = {}, {}

    def tensors(self) -> list[torch.Tensor]:
        """What it holds from one step to the next."""
        held = (self._sensitivity, self._straying, self._final)
        return [tensor for means in held for tensor in means.values()]

    def size_bytes(self) -> int:
        """What `state` takes at most: two means of every entry."""
        parts = (p for each in self.layers for _, p in _parts(each))
        return 2 * sum(part.nbytes for part in parts)

    def state(self) -> dict[str, Means]:
        """All that the next step depends on, beside the weights themselves."""
        return {
            "sensitivity": self._sensitivity,
            "straying": self._straying,
            "final": self._final,
        }

    def put(self, state: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        """Go on from what `state` gave, bit for bit.

        Raises:
            ValueError: It is of another adapter.
        """
        own = {_key(each, x): p for each in self.layers for x, p in _parts(each)}
        known = {**own, **{each.name: each.weights for each in self.layers}}
        if any(name not in known for means in state.values() for name in means):
            raise ValueError("the checkpoint holds ranks of another adapter")
        self._sensitivity, self._straying, self._final = (
            {name: x.to(known[name].device) for name, x in state[means].items()}
            for means in ("sensitivity", "straying", "final")
        )

    def _observe(self) -> None:
        for each in self.layers:
            for letter, part in _parts(each):
                if part.grad is not None:
                    self._note(_key(each, letter), part, part.grad)

    def _note(self, key: str, part: torch.Tensor, grad: torch.Tensor) -> None:
        """Means are kept in the format of the weights, and worked out in FP32."""
        seen = (part.float() * grad.float()).abs_()
        mean = _moved(self._sensitivity, key, part, seen)
        _moved(self._straying, key, part, seen.sub_(mean).abs_())

    def _chosen(self, judged: list[Directions], step: int) -> Means:
        """Which directions of each layer are kept; the first of equals are."""
        scores = torch.cat([self._score(each) for each in judged])
        least = min(len(scores), self._rank * len(judged))
        number = self._course.kept(step, len(scores), least)
        order = torch.argsort(scores, descending=True, stable=True)
        kept = torch.zeros_like(scores, dtype=torch.bool)
        kept.scatter_(0, order[:number], value=True)
        sizes = [len(each.weights) for each in judged]
        return {
            each.name: part.clone()
            for each, part in zip(judged, torch.split(kept, sizes), strict=True)
        }

    def _score(self, each: Directions) -> torch.Tensor:
        """Of each direction, FP32 (directions,)."""
        return (
            self._product(each, "E")
            + self._product(each, "A").mean(1)
            + self._product(each, "B").mean(0)
        )

    def _product(self, each: Directions, letter: str) -> torch.Tensor:
        key = _key(each, letter)
        return self._sensitivity[key].float() * self._straying[key].float()

    def _take_away(self, kept: Means) -> None:
        for each in self.layers:
            if each.name in kept:
                each.weights.masked_fill_(~kept[each.name], 0)


def allocator_for(
    model: Any,  # noqa: ANN401 - bare where all weights are trained
    rank: int,
    total_steps: int,
) -> RankAllocator | None:
    """What spreads the rank of an adapter; None where none is to be."""
    found = RankAllocator(model, rank, total_steps)
    return found if found.layers else None


def _moved(
    means: Means, key: str, part: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    """A running mean that has taken in what was seen."""
    if key not in means:
        means[key] = torch.zeros_like(part)
    mean = means[key]
    mean.copy_(torch.lerp(seen, mean.float(), _INERTIA))
    return mean


def _parts(each: Directions) -> Iterator[tuple[str, torch.nn.Parameter]]:
    yield "A", each.first
    yield "E", each.weights
    yield "B", each.second


def _key(each: Directions, letter: str) -> str:
    return f"{each.name}.{letter}"
