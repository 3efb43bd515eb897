"""How an adapter's rank is spread over its layers while it trains (AdaLoRA).

Zhang et al. 2023, arXiv 2303.10512: every layer begins with more directions than it
shall keep on average, and those that matter least are taken away, wherever they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.domain.finding import Finding, error

LEAST_STEPS = 10
"""Fewer leave no time to tell which directions matter."""

_BEFORE, _BEHIND = 0.1, 0.3


def starting_rank(rank: int) -> int:
    """The rank of every layer at the start: one and a half times the final average."""
    return -(-3 * rank // 2)


@dataclass(frozen=True, slots=True)
class Course:
    """When how many directions are kept.

    Attributes:
        total: Steps of the run.
    """

    total: int

    @property
    def first(self) -> int:
        """The last step behind which nothing is taken away yet: a tenth of them."""
        return int(self.total * _BEFORE)

    @property
    def last(self) -> int:
        """The step behind which the ranks are final: three tenths are left then."""
        return self.total - int(self.total * _BEHIND)

    def kept(self, step: int, most: int, least: int) -> int:
        """Directions that are kept behind a step (the paper's equation 11).

        Args:
            step: From 1.
            most: At the start, of all layers together.
            least: At the end, likewise.
        """
        if step <= self.first:
            return most
        if step >= self.last:
            return least
        left = 1 - (step - self.first) / (self.last - self.first)
        return int((most - least) * left**3 + least)


def too_few_steps(steps: int, where: str = "train.max_steps") -> Finding | None:
    """Why a run is too short to spread a rank; None where it isn't.

    Args:
        steps: Of the run.
        where: The option to change.
    """
    if steps >= LEAST_STEPS:
        return None
    return error(
        "recipe.adalora-too-short",
        f"AdaLoRA needs {LEAST_STEPS} steps or more; this run has {steps}.",
        why="It watches which directions matter before it takes the others away.",
        fix=f"Raise {where}, or set lora.variant to lora.",
        where=where,
    )


def ranks_words(ranks: Mapping[str, int]) -> str:
    """The ranks of an adapter's layers, as a sentence; empty where there are none."""
    if not ranks:
        return ""
    low, high = min(ranks.values()), max(ranks.values())
    mean = sum(ranks.values()) / len(ranks)
    spread = f"Ranks from {low:,} to {high:,} over {len(ranks):,} layers"
    return f"{spread}, {mean:.3g} on average."
