"""Whether an exported model says what was trained: figures, limits and a verdict.

Both models read the same texts. At each token of an answer they tell what they expect
next, as a distribution over the vocabulary: how far these are apart is the
Kullback-Leibler divergence KL(trained || exported) in nats, and whether both hold the
same token for the likeliest is the top-1 agreement. Perplexity is exp of the mean loss
over held-out answers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from studio.domain.finding import Finding, Severity, error, warning


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """What both models answered to a prompt, greedily.

    Attributes:
        prompt: What was asked.
        trained: The answer of base and adapter.
        exported: That of the exported model.
    """

    prompt: str
    trained: str
    exported: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two models' expectations are apart.

    Attributes:
        tokens: At how many places they were compared.
        agreement: The share of places at which both hold the same token for the
            likeliest.
        mean_kl: Mean divergence, in nats.
        worst_kl: The highest of all places.
        trained_perplexity: Over held-out answers; NaN without any.
        exported_perplexity: The same of the exported model.
    """

    tokens: int
    agreement: float
    mean_kl: float
    worst_kl: float
    trained_perplexity: float = math.nan
    exported_perplexity: float = math.nan

    @property
    def perplexity_ratio(self) -> float:
        """Exported to trained; NaN without held-out answers."""
        return self.exported_perplexity / self.trained_perplexity


@dataclass(frozen=True, slots=True)
class Limits:
    """What a format may cost.

    Attributes:
        agreement: At least.
        mean_kl: At most, in nats.
        lost: At most; the divergence as a share of what was learnt.
        perplexity_ratio: At most.
    """

    agreement: float
    mean_kl: float
    lost: float
    perplexity_ratio: float

    def or_wider(self, other: "Limits") -> "Limits":
        """Both limits' wider sides."""
        return Limits(
            min(self.agreement, other.agreement),
            max(self.mean_kl, other.mean_kl),
            max(self.lost, other.lost),
            max(self.perplexity_ratio, other.perplexity_ratio),
        )


LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "fp32": Limits(0.995, 1e-6, 1e-4, 1.001),
        "fp16": Limits(0.99, 5e-5, 2e-3, 1.005),
        "bf16": Limits(0.98, 2e-3, 0.02, 1.02),
        "f16": Limits(0.99, 3e-4, 2e-3, 1.005),
        "q8_0": Limits(0.95, 1e-2, 0.1, 1.05),
        "q6_k": Limits(0.9, 4e-2, 0.3, 1.1),
        "q5_k_m": Limits(0.87, 8e-2, 0.5, 1.2),
        "q4_k_m": Limits(0.8, 0.25, 0.7, 1.4),
    }
)
"""By the format of the weights.

In fp32 nothing but the order of sums differs, which turns a token only where two are
equally likely. Rounding a weight to fp16 moves it by up to 2^-11 of itself, to bf16 by
2^-8; a divergence goes by the square of that. The limits leave some fifty times what
was measured (BENCHMARKS.md), and what is wrong lies beyond them by orders: a layer
without its adapter, a matrix turned over, another template.

A GGUF file's f16 is fp16: norms stay fp32 there, but llama.cpp rounds what passes
through as well, which was measured to cost twenty times the rounding of the weights.
What follows is quantised in blocks,
and a model of 8 billion weights was measured by llama.cpp (tools/perplexity/README.md,
Llama 3 8B): q8_0 1.4e-3 nats and 97.7 % agreement, q6_K 5.5e-3 and 96.0 %, q5_K_M
1.1e-2, q4_K_M 3.1e-2 and 91.9 %. Small models have fewer weights to even the rounding
out, so the limits leave some seven times that. The rounding of the base counts as
lost learning here too, so less of a share is asked for: a file must stay nearer to
what was trained than the base is, by a margin that shrinks with its bits.
"""


# What two computations of the same in fp32 were seen to differ by, and some more.
_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class Parity:
    """All that was found about an exported model.

    Attributes:
        format: Of its weights: a key of `LIMITS`.
        distance: Beside base and adapter, both unquantised.
        learnt: How far the base alone is from base and adapter.
        other_prompts: Prompts whose tokens differ between the two tokenizers.
        lost_ends: Tokens that end an answer of the trained model alone.
        answers: Side by side.
        as_trained: Beside the quantised base that was trained on; None where it wasn't
            quantised. Where `holds_bits`, beside the base's own weights.
        holds_bits: Whether it was made on what 4 bits stand for, and `distance` is
            beside base and adapter of that kind.
        made_from: The format of what it was converted from, whose rounding it has too;
            empty when it was made from the run itself.
        kind: What it is, for people.
        reader: What ran it, for people.
        trained_date: The date that training wrote into each prompt where what runs
            the export writes today's, as the only difference; empty without.
    """

    format: str
    distance: Distance
    learnt: Distance
    other_prompts: tuple[str, ...]
    lost_ends: tuple[str, ...]
    answers: tuple[AnswerPair, ...]
    as_trained: Distance | None = None
    made_from: str = ""
    kind: str = "Merged model"
    reader: str = "transformers"
    holds_bits: bool = False
    trained_date: str = ""

    @property
    def limits(self) -> Limits:
        """What its format may cost, or that of what it was converted from."""
        own = LIMITS[self.format]
        return own.or_wider(LIMITS.get(self.made_from, own))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it, and warnings of what it does otherwise."""
        return tuple(_findings(self))

    @property
    def is_proven(self) -> bool:
        """Whether it says what was trained, as far as its format can."""
        return all(each.severity is not Severity.ERROR for each in self.findings)

    @property
    def lost(self) -> float:
        """Which share of what was learnt the export moved away again."""
        return max(0.0, self.distance.mean_kl - _NOISE) / max(
            self.learnt.mean_kl, _NOISE
        )

    @property
    def same_answers(self) -> int:
        """How many prompts both answer with the same words."""
        return sum(pair.trained == pair.exported for pair in self.answers)


def _findings(parity: Parity) -> Iterator[Finding]:
    yield from _words_apart(parity.other_prompts, parity.lost_ends)
    if parity.trained_date:
        yield _today(parity.trained_date)
    distance, limits = parity.distance, parity.limits
    form = parity.format
    if not distance.agreement >= limits.agreement:
        yield _wrong(
            "parity.agreement",
            f"Both expect the same next token at {distance.agreement:.1%} of "
            f"{distance.tokens:,} places; {form} should keep {limits.agreement:.1%}.",
        )
    if not distance.mean_kl <= limits.mean_kl:
        yield _wrong(
            "parity.divergence",
            f"What both expect is {distance.mean_kl:.2g} nats apart; {form} should "
            f"keep within {limits.mean_kl:.2g}.",
        )
    if not parity.lost <= limits.lost:
        yield _wrong(
            "parity.lost",
            f"{parity.lost:.1%} of what was learnt is lost again; {form} should lose "
            f"at most {limits.lost:.1%}.",
            why="A part of the adapter is missing, or the format is too coarse for it.",
        )
    if distance.perplexity_ratio > limits.perplexity_ratio:
        yield _wrong(
            "parity.perplexity",
            f"Its perplexity on held-out answers is {distance.exported_perplexity:.2f} "
            f"where {distance.trained_perplexity:.2f} was trained.",
        )


def _words_apart(prompts: Sequence[str], ends: Sequence[str]) -> Iterator[Finding]:
    if prompts:
        yield _wrong(
            "parity.prompt",
            f"{len(prompts)} prompts become other tokens than in training, such as "
            f"“{prompts[0]}”.",
            why="Its chat template or its tokenizer is another one.",
        )
    if ends:
        yield _wrong(
            "parity.ends",
            f"It doesn’t know that {', '.join(ends)} ends an answer.",
            why="Its answers would go on and on.",
        )


def _today(trained: str) -> Finding:
    return warning(
        "parity.date",
        "llama.cpp writes today’s date into each prompt, where training wrote "
        f"“{trained}”.",
        why="The chat template takes its date from a variable, date_string, which "
        "llama.cpp fills with the day; in training the template’s own date stood "
        "there. With that date put back, its prompts are those of training.",
        fix="Leave it, or start llama-server with --chat-template-kwargs "
        f'\'{{"date_string": "{trained}"}}\'.',
    )


def _wrong(code: str, what: str, why: str = "") -> Finding:
    return error(
        code,
        what,
        why=why or "It doesn’t say what was trained.",
        fix="Don’t hand it on; export the run again.",
    )
