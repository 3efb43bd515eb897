"""The options that say what a run learns from its rows, and which weights learn it.

They are declared as those in `studio.domain.recipe_options` are, and are a part of
`studio.domain.train_options.TrainOptions`.
"""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.options import choice


class Trained(StrEnum):
    """Which weights are trained."""

    ADAPTER = "adapter"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOptions:
    """What is learnt, and by which weights.

    Which weights are trained is an option of its own and no method: what a row teaches
    doesn't depend on it, and every method can ask for either.
    """

    weights: Trained = choice(
        Trained.ADAPTER,
        titles=("An adapter", "All weights"),
        title="Trained weights",
        help="All weights: the model itself is trained, without an adapter, and the "
        "result is a whole model. FP32 weights take the small steps that BF16 rounds "
        "away; 2e-5 is a usual learning rate.",
        effect="Gradients and optimizer states of all weights: 16 bytes each in FP32, "
        "8 in BF16.",
    )
