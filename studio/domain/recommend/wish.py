"""What a recipe is sought for: the model, the device, the data, the goal, the locks."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.domain.recommend.policy import POLICIES, Goal, Policy
from studio.domain.recommend.proposal import headroom_bytes
from studio.domain.token_lengths import TokenLengths

SHORTEST = 128
WITHOUT_DATA = 1024
_FORMATS = frozenset({"model.precision", "model.compute_dtype", "lora.adapter_dtype"})
_STEP = 64  # tokens; lengths are rounded up to it

STOPS = tuple(
    length
    for power in range(7, 17)
    for length in (1 << power, (1 << power) + (1 << power - 1))
)
"""Usual lengths: powers of two from 128 tokens on and their halfway marks."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        model: The base model's shape.
        device: Where it shall be trained, as measured now.
        base: Carries what is not proposed: model, data, seed.
        lengths: Of the data's rows; without rows while no data is chosen.
        goal: What the free memory shall buy.
        kept: Options that stay as `base` has them.
        headroom: Bytes that are left free; None for the usual.
    """

    model: ModelArchitecture
    device: TrainingDevice
    base: Recipe
    lengths: TokenLengths = field(default_factory=TokenLengths)
    goal: Goal = Goal.QUALITY
    kept: AbstractSet[str] = frozenset()
    headroom: int | None = None

    @property
    def policy(self) -> Policy:
        """How its goal is pursued."""
        return POLICIES[self.goal]

    @property
    def budget(self) -> int:
        """Bytes that a run may take."""
        kept = headroom_bytes(self.device) if self.headroom is None else self.headroom
        return self.device.free_bytes - kept

    def with_values(self, recipe: Recipe, values: Mapping[str, object]) -> Recipe:
        """A recipe with those of the values that may be set."""
        free = {key: value for key, value in values.items() if key not in self.kept}
        return recipe.with_values(free)

    def priced(self, recipe: Recipe) -> MemoryEstimate:
        """What a recipe takes; a millisecond, and nothing the second time."""
        return estimate_memory(self.model, recipe, self.device)

    def affords(self, recipe: Recipe) -> bool:
        """Whether it is predicted to fit and its number formats hold together."""
        return is_sound(recipe) and self.priced(recipe).peak_bytes <= self.budget

    @property
    def keeps_dora(self) -> bool:
        """Whether the adapter is to be DoRA, because the user set it so."""
        is_dora = self.base.lora.variant is LoraVariant.DORA
        return is_dora and "lora.variant" in self.kept

    def whole_length(self, share: float) -> int:
        """The length that keeps a share of the rows whole, as far as the model reads.

        Without data, a usual one; the model's own for the longest text.
        """
        context = self.model.context
        if self.lengths.rows:
            asked = self.lengths.whole_at(share)
        else:
            asked = context if self.goal is Goal.CONTEXT else WITHOUT_DATA
        return min(context, max(SHORTEST, rounded_up(asked)))


def is_sound(recipe: Recipe) -> bool:
    """Whether nothing that a search decides contradicts the rest of a recipe."""
    return all(each.where not in _FORMATS for each in recipe.contradictions())


def rounded_up(length: int) -> int:
    """A multiple of 64 tokens, which kernels like."""
    return -(-length // _STEP) * _STEP
