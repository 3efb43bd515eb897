"""The options of a recipe that say how it is trained."""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.method_options import PAIRED_METHODS, MethodOptions
from studio.domain.options import (
    Level,
    choice,
    flag,
    integer,
    number,
)


class Schedule(StrEnum):
    """The course of the learning rate after warm-up."""

    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"
    POLYNOMIAL = "polynomial"
    INVERSE_SQRT = "inverse_sqrt"
    HOLD_AND_DECAY = "hold_and_decay"


class Optimizer(StrEnum):
    """The optimizer; variants that differ in memory are told apart."""

    ADAMW_FUSED = "adamw_fused"
    ADAMW_FOREACH = "adamw_foreach"
    ADAMW_8BIT = "adamw_8bit"
    PAGED_ADAMW_32BIT = "paged_adamw_32bit"
    PAGED_ADAMW_8BIT = "paged_adamw_8bit"
    LION = "lion"
    LION_8BIT = "lion_8bit"
    PAGED_LION = "paged_lion"
    PAGED_LION_8BIT = "paged_lion_8bit"
    ADAFACTOR = "adafactor"


PAGED_OPTIMIZERS = frozenset(each for each in Optimizer if "paged" in each)
"""Those whose states the driver moves to main memory when the card is short."""

EIGHT_BIT_OPTIMIZERS = frozenset(each for each in Optimizer if "8bit" in each)
"""Those that keep states of large tensors in a byte an entry."""

IN_EIGHT_BITS = {
    Optimizer.ADAMW_FUSED: Optimizer.ADAMW_8BIT,
    Optimizer.ADAMW_FOREACH: Optimizer.ADAMW_8BIT,
    Optimizer.PAGED_ADAMW_32BIT: Optimizer.PAGED_ADAMW_8BIT,
    Optimizer.LION: Optimizer.LION_8BIT,
    Optimizer.PAGED_LION: Optimizer.PAGED_LION_8BIT,
}
"""The same optimizer with states of a byte an entry."""

ADAMWS = frozenset(each for each in Optimizer if "adamw" in each)
"""Those that keep two states, of gradients and of their squares."""

LIONS = frozenset(each for each in Optimizer if "lion" in each)
"""Those that go by the sign of one state (Chen et al. 2023, arXiv 2302.06675)."""

FACTORED_OPTIMIZERS = frozenset({Optimizer.ADAFACTOR})
"""Those that keep one number a row and one a column of each matrix."""

GROUPED_OPTIMIZERS = FACTORED_OPTIMIZERS | {Optimizer.ADAMW_FOREACH}
"""Those whose steps hold more or less with what stands together in a group."""

DECAY_SHARE = 0.2
"""Does as well as a longer fall (Hägele et al. 2024, arXiv 2405.18392, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions(MethodOptions):
    """How the weights are trained."""

    sequence_length: int = integer(
        1024,
        title="Longest row kept whole",
        help="Rows with more tokens are cut at this length.",
        low=16,
        high=1_048_576,
        unit="tokens",
        effect="Activations grow in proportion.",
        level=Level.SIMPLE,
    )
    micro_batch: int = integer(
        1,
        title="Rows at a time",
        help="Rows that go through the model together (micro-batch).",
        low=1,
        high=4096,
        unit="rows",
        effect="Activations grow in proportion.",
    )
    accumulation: int = integer(
        16,
        title="Times per step",
        help="Micro-batches whose gradients are summed before a step.",
        low=1,
        high=65_536,
        effect="Above 1, gradients are held while rows go through: 2 bytes a trained "
        "weight in BF16, 4 in FP32.",
    )
    packing: bool = flag(
        default=False,
        title="Pack short rows",
        help="Fills each row with several chats, which don't see each other.",
        effect="Every row is as long as the longest, with a mask of its own.",
    )
    epochs: float = number(
        3.0,
        title="Passes over the data",
        help="How often each row is seen (epochs).",
        low=0.01,
        high=1000.0,
        level=Level.SIMPLE,
    )
    max_steps: int = integer(
        0,
        title="Most steps",
        help="Ends the run after this many steps; 0 leaves it to the passes.",
        low=0,
        high=10_000_000,
    )
    learning_rate: float = number(
        2e-4,
        title="Learning rate",
        help="2e-4 suits LoRA on some billion weights; wide models take half of it, "
        "small ones several times as much.",
        low=1e-8,
        high=1.0,
    )
    schedule: Schedule = choice(
        Schedule.COSINE,
        titles=(
            "Cosine",
            "Linear",
            "Constant",
            "Polynomial",
            "Inverse square root",
            "Hold, then decay",
        ),
        title="Schedule",
        help="How the learning rate falls after warm-up. Polynomial falls by the "
        "square; hold, then decay falls over the last steps alone.",
    )
    floor: float = number(
        0.0,
        title="Floor",
        help="Where the learning rate ends, as a share of its peak: for cosine, "
        "linear, polynomial, and hold, then decay, which also rises from there.",
        low=0.0,
        high=0.9,
    )
    restarts: int = integer(
        0,
        title="Restarts",
        help="How often a cosine schedule jumps back to its peak.",
        low=0,
        high=100,
    )
    decay_share: float = number(
        DECAY_SHARE,
        title="Decay",
        help="The share of all steps over which hold, then decay falls; at most what "
        "warm-up leaves.",
        low=0.01,
        high=1.0,
    )
    warmup: float = number(
        0.05,
        title="Warm-up",
        help="The share of steps over which the learning rate rises.",
        low=0.0,
        high=0.5,
    )
    warmup_steps: int = integer(
        0,
        title="Warm-up, in steps",
        help="Steps over which the learning rate rises, in place of the share; 0 goes "
        "by the share.",
        low=0,
        high=10_000_000,
        unit="steps",
    )
    neftune: float = number(
        0.0,
        title="Noise (NEFTune)",
        help="Random noise on what the model reads, against learning by heart; 5 is "
        "customary, 0 adds none.",
        effect="One hidden state more, of what the first layer reads.",
        low=0.0,
        high=100.0,
    )
    label_smoothing: float = number(
        0.0,
        title="Label smoothing",
        help="The share of each token's weight that all words of the vocabulary share, "
        "against overconfidence.",
        low=0.0,
        high=0.5,
    )
    weight_decay: float = number(
        0.0,
        title="Weight decay",
        help="How strongly a step pulls the adapter's weights towards zero.",
        low=0.0,
        high=1.0,
    )
    clipping: float = number(
        1.0,
        title="Longest gradient",
        help="Gradients are scaled down to this length (clipping by norm).",
        low=0.001,
        high=1000.0,
    )
    optimizer: Optimizer = choice(
        Optimizer.ADAMW_FUSED,
        titles=(
            "AdamW, fused",
            "AdamW, foreach",
            "AdamW, 8 bit",
            "AdamW, paged",
            "AdamW, 8 bit, paged",
            "Lion",
            "Lion, 8 bit",
            "Lion, paged",
            "Lion, 8 bit, paged",
            "Adafactor",
        ),
        title="Optimizer",
        help="8 bit shrinks its states; paged moves them to main memory when short. "
        "Lion has one state instead of two and wants a third to a tenth of AdamW’s "
        "learning rate. Adafactor keeps next to none.",
        effect="8-bit states take 2 bytes a trained weight instead of 4 or 8; Lion’s "
        "half of that. Adafactor’s step passes through several FP32 copies of the "
        "largest tensor.",
    )
    checkpointing: bool = flag(
        default=True,
        title="Recompute instead of remembering",
        help="Gradient checkpointing: layers run twice, their insides aren't kept.",
        effect="Cuts activations to one hidden state a layer.",
    )
    offload: bool = flag(
        default=False,
        title="Remember in main memory",
        help="What recomputed layers remember lies in main memory until the backward "
        "pass; copying it there and back takes time.",
        effect="Takes that one hidden state a layer off the card.",
    )
    save_steps: int = integer(
        0,
        title="Save every",
        help="Steps between checkpoints; 0 saves at the end only.",
        low=0,
        high=10_000_000,
        unit="steps",
    )
    save_minutes: int = integer(
        15,
        title="Save at least every",
        help="Minutes between checkpoints, whatever the steps; 0 goes by steps alone.",
        low=0,
        high=100_000,
        unit="minutes",
    )
    keep_checkpoints: int = integer(
        3,
        title="Checkpoints kept",
        help="The newest so many stay, and the one that measured best.",
        low=2,
        high=10_000,
    )
    eval_steps: int = integer(
        0,
        title="Measure every",
        help="Steps between held-out losses, with answers to the prompts each time; 0 "
        "measures before and after only.",
        low=0,
        high=10_000_000,
        unit="steps",
    )
    patience: int = integer(
        0,
        title="Patience",
        help="Ends the run after so many measurements in a row without a better "
        "held-out loss, and leaves the best; 0 goes on to the last step.",
        low=0,
        high=10_000,
        unit="measurements",
    )
    keep_best: bool = flag(
        default=False,
        title="Leave the best",
        help="What is saved at the end is the step that measured best, not the last; "
        "patience does so by itself.",
    )
    seed: int = integer(
        42,
        title="Seed",
        help="Decides the split, the order and the adapter's first weights.",
        low=0,
        high=2**31 - 1,
    )

    @property
    def answers_at_a_time(self) -> int:
        """Texts that go through the model together: two of each pair."""
        pairs = self.method in PAIRED_METHODS
        return self.micro_batch * (2 if pairs else 1)

    @property
    def keeps_best(self) -> bool:
        """Whether the run leaves the step that measured best."""
        return self.keep_best or self.patience > 0

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether the run writes any checkpoint before its end."""
        measured = self.keeps_best and self.eval_steps > 0
        return measured or self.save_steps > 0 or self.save_minutes > 0

    @property
    def warming_up(self) -> float:
        """How long the learning rate rises: steps, or below 1 a share of them all."""
        return self.warmup_steps or self.warmup
