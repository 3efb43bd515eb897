"""The options of a recipe, group by group: the option table's source.

Each field is one row of the table: its default, bounds, label, help and effect on
memory are written here once, and form, command line, file and check follow.
"""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.adaptive_rank import starting_rank
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
    """How the adapter's product is scaled, begun or pruned, and what goes with it."""

    LORA = "lora"
    RSLORA = "rslora"
    DORA = "dora"
    LOFTQ = "loftq"
    PISSA = "pissa"
    ADALORA = "adalora"


STARTING_FROM_BASE = frozenset({LoraVariant.LOFTQ, LoraVariant.PISSA})
"""Kinds that start from what their base holds, so that they change it at once."""


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
        unit="×",
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
        titles=("LoRA", "rsLoRA", "DoRA", "LoftQ", "PiSSA", "AdaLoRA"),
        title="Kind of adapter",
        help="rsLoRA scales by alpha / √rank, which suits high ranks; with the same "
        "alpha the adapter counts for more. DoRA trains each output’s length apart "
        "from its direction, and takes longer. LoftQ is LoRA that starts by making "
        "good a part of what 4 bits lost. PiSSA starts as the strongest part of each "
        "layer, and is handed over as LoRA of twice the rank. AdaLoRA begins with "
        "half as much rank again and takes it away where it matters least, until it "
        "is the rank on average; it may take a higher learning rate.",
        effect="DoRA unpacks each adapted layer’s weights on its way. AdaLoRA keeps "
        "two means of each weight of its adapter.",
    )
    dropout: float = number(
        0.0,
        title="Adapter dropout",
        help="The share of adapter inputs that are dropped at random.",
        low=0.0,
        high=0.9,
        effect="Above 0, each adapted module keeps a copy of its input, and a byte for "
        "each entry; of one layer at a time where layers are recomputed.",
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
    plus_ratio: float = number(
        1.0,
        title="Faster B (LoRA+)",
        help="How many times the learning rate the adapter’s B matrices learn at; "
        "LoRA+ advises 16 with half the usual rate, 1 is plain LoRA.",
        low=1.0,
        high=128.0,
        unit="×",
    )
    train_norms: bool = flag(
        default=False,
        title="Train the norms",
        help="Trains the model’s norms beside the adapter, in FP32. Long context is "
        "learnt better so.",
        effect="A few thousand weights a layer.",
    )
    train_embeddings: bool = flag(
        default=False,
        title="Train embeddings",
        help="Trains what every token is read as, and the head that chooses among "
        "them, in FP32: for a language, a script or a length that the model hardly "
        "knows.",
        effect="16 bytes for each token of the vocabulary and each hidden channel, "
        "twice where the head is a matrix of its own.",
    )

    @property
    def held_rank(self) -> int:
        """The rank that every layer begins with, and that its matrices have."""
        is_spread = self.variant is LoraVariant.ADALORA
        return starting_rank(self.rank) if is_spread else self.rank

    @property
    def beside(self) -> tuple[str, ...]:
        """The options that are on of those that train weights beside the adapter."""
        flags = {
            "lora.train_norms": self.train_norms,
            "lora.train_embeddings": self.train_embeddings,
        }
        return tuple(key for key, is_on in flags.items() if is_on)
