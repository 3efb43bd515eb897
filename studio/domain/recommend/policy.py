"""What the free memory shall buy, and what is given up for it in which order.

This file is all that decides between recipes. Rows are cut last: a length is taken as
soon as anything fits it. For that length as few `eases` as possible are taken, then the
first of `ways` that fits, then as many rows at a time as fit, packed where that holds
more of them. Ways and rows cost time alone.

What costs how much is taken from publications:

- Four-bit NF4 with double quantisation learns as well as 16 bits when every linear
  layer is adapted, and then the rank matters little (Dettmers et al. 2023, QLoRA,
  arXiv 2305.14314, section 4 and appendix A, ranks 8 to 256).
- 8-bit optimizer states learn as well as 32-bit ones (Dettmers et al. 2022,
  arXiv 2110.02861, section 3).
- Recomputing a layer costs one more forward pass, about a third of a step (Chen et al.
  2016, arXiv 1604.06174, section 4).
- Paged states are on the card as long as it has room, so they lower no peak and are
  not among the eases.
- The learning rate follows the model's width (`domain/learning_rates.py`). Three passes
  and a cosine after a short warm-up are Alpaca's (Taori et al. 2023).
- Drop-out in adapters helped up to 13 billion weights a little and larger models not at
  all (QLoRA, appendix A); it takes memory, so it is left to the user.
- Rows that are cut lose their ends, which in a chat are the answers; nothing else here
  takes anything from the data. So it comes last; for speed the longest go at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from studio.domain.recipe_options import ALL_LINEAR, LoraVariant
from studio.domain.train_options import Optimizer, Schedule

EFFECTIVE_BATCH = 16
"""Rows per optimizer step, as QLoRA trained models of 7 to 13 billion (table 9)."""

ROWS_AT_A_TIME = (8, 4, 2, 1)


class Goal(StrEnum):
    """What the free memory shall buy."""

    QUALITY = "quality"
    CONTEXT = "context"
    SPEED = "speed"
    FOOTPRINT = "footprint"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the same result: only time and memory differ.

    Attributes:
        four_bit: Base weights in NF4 with double quantisation, else in 16 bits.
        checkpointing: Layers are recomputed, not remembered.
    """

    four_bit: bool
    checkpointing: bool


@dataclass(frozen=True, slots=True)
class Ease:
    """Give options other values that hardly cost quality.

    Attributes:
        values: By the options' keys.
        what: In words.
        why: One sentence: what that costs.
    """

    values: Mapping[str, object]
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """How one goal is pursued.

    Attributes:
        title: For people.
        help: One sentence: what is bought first.
        whole: The shares of rows that stay whole, one after the other; then rows are
            cut shorter and shorter.
        ways: In order of preference.
        rows: At a time, in order of preference.
        packs: Whether short rows are packed together where that saves time.
        eases: One on top of the other.
        eased: How many of them are taken from the start.
    """

    title: str
    help: str
    whole: tuple[float, ...]
    ways: tuple[Way, ...]
    rows: tuple[int, ...] = ROWS_AT_A_TIME
    packs: bool = True
    eases: tuple[Ease, ...] = ()
    eased: int = 0


PLAIN = Way(four_bit=False, checkpointing=False)
PLAIN_RECOMPUTED = Way(four_bit=False, checkpointing=True)
QUANTIZED = Way(four_bit=True, checkpointing=False)
QUANTIZED_RECOMPUTED = Way(four_bit=True, checkpointing=True)

START: Mapping[str, object] = MappingProxyType(
    {
        "lora.rank": 16,
        "lora.alpha": 32,
        "lora.variant": LoraVariant.LORA,
        "lora.dropout": 0.0,
        "lora.targets": (ALL_LINEAR,),
        "train.epochs": 3.0,
        "train.schedule": Schedule.COSINE,
        "train.floor": 0.0,
        "train.restarts": 0,
        "train.warmup": 0.05,
        "train.optimizer": Optimizer.ADAMW_FUSED,
        "train.offload": False,
    }
)
"""What every search begins with, beside what the device and the data decide."""

EIGHT_BIT_STATES = Ease(
    {"train.optimizer": Optimizer.ADAMW_8BIT},
    "Optimizer states in 8 bits",
    "They learn as well as 32-bit ones, by their makers’ measurements.",
)
SMALL_ADAPTER = Ease(
    {"lora.rank": 8, "lora.alpha": 16},
    "Rank 8",
    "With every linear layer adapted the rank matters little.",
)

_EASES = (EIGHT_BIT_STATES, SMALL_ADAPTER)

POLICIES: Mapping[Goal, Policy] = MappingProxyType(
    {
        Goal.QUALITY: Policy(
            "Quality",
            "Whole rows and exact weights first, then rows at a time.",
            whole=(1.0, 0.99, 0.98, 0.95, 0.9),
            ways=(PLAIN, PLAIN_RECOMPUTED, QUANTIZED, QUANTIZED_RECOMPUTED),
            eases=_EASES,
        ),
        Goal.CONTEXT: Policy(
            "Longer text",
            "The longest rows that fit; everything else yields first.",
            whole=(1.0,),
            ways=(QUANTIZED, QUANTIZED_RECOMPUTED),
            rows=(1,),
            eases=_EASES,
        ),
        Goal.SPEED: Policy(
            "Speed",
            "No layer runs twice while that can be had; the longest 1 % of rows is "
            "cut.",
            whole=(0.99, 0.98, 0.95, 0.9),
            ways=(PLAIN, QUANTIZED, PLAIN_RECOMPUTED, QUANTIZED_RECOMPUTED),
            eases=_EASES,
        ),
        Goal.FOOTPRINT: Policy(
            "Least memory",
            "Whole rows in as little memory as possible, at the cost of time.",
            whole=(1.0, 0.99, 0.98, 0.95, 0.9),
            ways=(QUANTIZED_RECOMPUTED,),
            rows=(1,),
            packs=False,
            eases=_EASES,
            eased=1,
        ),
    }
)
