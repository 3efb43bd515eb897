"""The options that say what a run learns from its rows, and which weights learn it.

They are declared as those in `studio.domain.recipe_options` are, and are a part of
`studio.domain.train_options.TrainOptions`.
"""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.options import choice, number


class Method(StrEnum):
    """What a row teaches."""

    SFT = "sft"
    DPO = "dpo"
    ORPO = "orpo"
    KTO = "kto"


PAIRED_METHODS = frozenset({Method.DPO, Method.ORPO})
"""Those that learn from two answers to a question, of which one is better."""

REFERRING_METHODS = frozenset({Method.DPO, Method.KTO})
"""Those that compare with the model as it was before training."""

CUSTOMARY_BETA = 0.1


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

    method: Method = choice(
        Method.SFT,
        titles=(
            "Examples (SFT)",
            "Pairs (DPO)",
            "Pairs, without a reference (ORPO)",
            "Rated answers (KTO)",
        ),
        title="Method",
        help="SFT repeats good answers. DPO and ORPO learn which of two answers is "
        "better, KTO from answers that were liked or not; DPO and KTO start from a "
        "model that answers well already.",
        effect="A pair takes the room of two rows; DPO and KTO also run the base "
        "without its adapter.",
    )
    beta: float = number(
        CUSTOMARY_BETA,
        title="Beta",
        help="DPO, KTO: how strongly the model is held near what it was before "
        "training. ORPO: the weight of the judgement beside the good answer.",
        low=0.001,
        high=10.0,
    )
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
