"""The options of a recipe, group by group: the option table's source.

Each field is one row of the table: its default, bounds, label, help and effect on
memory are written here once, and form, command line, file and check follow.
"""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.method_options import MethodOptions
from studio.domain.options import (
    Level,
    choice,
    flag,
    integer,
    number,
    text,
    words,
)

ALL_LINEAR = "all-linear"
ATTENTION_ONLY = "attention-only"
MLP_ONLY = "mlp-only"
# Each stands alone, in place of names.
TARGET_WORDS = frozenset({ALL_LINEAR, ATTENTION_ONLY, MLP_ONLY})


class Precision(StrEnum):
    """How the base model's weights are held."""

    NF4 = "nf4"
    FP4 = "fp4"
    INT8 = "int8"
    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"

    @property
    def is_four_bit(self) -> bool:
        """Whether the weights are packed two to a byte."""
        return self in {Precision.NF4, Precision.FP4}

    @property
    def is_quantized(self) -> bool:
        """Whether bitsandbytes holds the linear layers."""
        return self.is_four_bit or self is Precision.INT8


class ComputeDtype(StrEnum):
    """The number format of activations and matrix products."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"


class Attention(StrEnum):
    """The attention kernel."""

    EAGER = "eager"
    SDPA = "sdpa"
    FLASH = "flash"
    SHIFTED = "shifted"


class AdapterDtype(StrEnum):
    """The number format of the LoRA weights, their gradients and states."""

    BF16 = "bf16"
    FP32 = "fp32"


class LoraVariant(StrEnum):
    """How the adapter's product is scaled, and what is trained beside it."""

    LORA = "lora"
    RSLORA = "rslora"
    DORA = "dora"


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


PAGED_OPTIMIZERS = frozenset({Optimizer.PAGED_ADAMW_32BIT, Optimizer.PAGED_ADAMW_8BIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which model is trained, and how its weights are held."""

    name: str = text(
        title="Model",
        help="A model that Snugtune knows, a folder, or a hub id.",
        level=Level.SIMPLE,
    )
    precision: Precision = choice(
        Precision.NF4,
        titles=("NF4 (4 bit)", "FP4 (4 bit)", "INT8", "BF16", "FP16", "FP32"),
        title="Base weights",
        help="How the frozen base model is held. The adapter is trained on top.",
        effect="4 bit needs about 0.52 bytes a weight, 16 bit needs 2.",
    )
    double_quant: bool = flag(
        default=True,
        title="Double quantisation",
        help="Quantises the 4-bit scales as well, at no measurable loss.",
        effect="Saves 0.37 bits a weight.",
    )
    compute_dtype: ComputeDtype = choice(
        ComputeDtype.BF16,
        titles=("BF16", "FP16", "FP32"),
        title="Compute format",
        help="The format of activations. FP16 is for cards without BF16.",
        effect="FP32 doubles the activations.",
    )
    attention: Attention = choice(
        Attention.SDPA,
        titles=("Eager", "SDPA", "FlashAttention", "Shifted groups"),
        title="Attention",
        help="The kernel. FlashAttention needs its own package and a recent card; "
        "shifted groups train long rows by quarters (LongLoRA).",
        effect="Eager holds a score for every pair of tokens.",
    )
    stretch: float = number(
        1.0,
        title="Longer context",
        help="Rows of so many times the length that the model was made for: its "
        "positions are drawn closer together.",
        low=1.0,
        high=64.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraOptions:
    """The adapter that is trained."""

    rank: int = integer(
        16,
        title="Rank",
        help="How much the model may change. 16 is enough for tone and format.",
        low=1,
        high=1024,
        effect="Adapter, gradients and optimizer grow in proportion.",
        level=Level.SIMPLE,
    )
    alpha: int = integer(
        32,
        title="Alpha",
        help="Scales the adapter by alpha / rank; twice the rank is customary.",
        low=1,
        high=4096,
    )
    variant: LoraVariant = choice(
        LoraVariant.LORA,
        titles=("LoRA", "rsLoRA", "DoRA"),
        title="Kind of adapter",
        help="rsLoRA scales by alpha / √rank, which suits high ranks; with the same "
        "alpha the adapter counts for more. DoRA trains each output’s length apart "
        "from its direction, and takes longer.",
        effect="DoRA unpacks each adapted layer’s weights on its way.",
    )
    dropout: float = number(
        0.0,
        title="Adapter dropout",
        help="The share of adapter inputs that are dropped at random.",
        low=0.0,
        high=0.9,
    )
    targets: tuple[str, ...] = words(
        (ALL_LINEAR,),
        title="Adapted layers",
        help="all-linear, attention-only, mlp-only, or the names of modules such as "
        "q_proj, v_proj.",
        effect="Fewer layers make a smaller adapter.",
    )
    adapter_dtype: AdapterDtype = choice(
        AdapterDtype.BF16,
        titles=("BF16", "FP32"),
        title="Adapter format",
        help="The format of the trained weights and their optimizer states.",
        effect="FP32 takes 16 bytes a trained weight, BF16 takes 8.",
    )


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
    )
    packing: bool = flag(
        default=False,
        title="Pack short rows together",
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
        help="2e-4 suits LoRA; large models take half of it.",
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
        "square; hold, then decay falls over the last fifth of the steps.",
    )
    floor: float = number(
        0.0,
        title="Floor",
        help="Where the learning rate ends, as a share of its peak: for cosine, "
        "linear and polynomial.",
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
    warmup: float = number(
        0.05,
        title="Warm-up",
        help="The share of steps over which the learning rate rises.",
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
        ),
        title="Optimizer",
        help="8 bit shrinks its states; paged moves them to main memory when short.",
        effect="8-bit states take 2 bytes a trained weight instead of 4 or 8.",
    )
    checkpointing: bool = flag(
        default=True,
        title="Recompute instead of remembering",
        help="Gradient checkpointing: layers run twice, their insides aren't kept.",
        effect="Cuts activations to one hidden state a layer.",
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
    seed: int = integer(
        42,
        title="Seed",
        help="Decides the split, the order and the adapter's first weights.",
        low=0,
        high=2**31 - 1,
    )
