"""What a model answers to rows that it never learnt, beside what its base answers.

A *voice* is a model that is asked: the base, the tuned model, a checkpoint, a merged
model. Each voice's figures are set beside the base's, with the interval that holds the
difference with 95 % confidence: paired bootstrap over the inputs (Koehn 2004, ACL
W04-3250), percentiles of seeded resamples. Only where it doesn't hold 0 is one called
better or worse.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from studio.domain.dataset import Kind
from studio.domain.finding import Finding

BASE: Final = "base"
TUNED: Final = "tuned"
FEWEST: Final = 20
"""Inputs below which no difference is judged: percentiles of fewer claim too much.

Simulated (normal, exponential and yes-or-no differences, 1,500 samples each), intervals
of 95 % held the truth in 78 to 85 % of them with 5 inputs, in 84 to 89 % with 8, in 90
to 95 % with 20, and in 92 to 95 % with 50.
"""


class Measure(StrEnum):
    """What is measured of a voice."""

    LOSS = "loss"
    PERPLEXITY = "perplexity"
    EXACT = "exact_match"
    BLEU = "bleu"
    ROUGE_L = "rouge_l"
    LIKELIER = "likelier"
    JUDGED = "judged"

    @property
    def words(self) -> str:
        """What it is called."""
        return _WORDS[self]

    @property
    def help(self) -> str:
        """What it says, in a sentence."""
        return _HELP[self]

    @property
    def is_better_low(self) -> bool:
        """Whether less is better."""
        return self in {Measure.LOSS, Measure.PERPLEXITY}

    def shown(self, value: float | None, *, signed: bool = False) -> str:
        """A figure as people read it; a dash where there is none."""
        if value is None:
            return "–"
        words = self._figure(value, signed=signed)
        unit = (" points" if signed else " %") if self in _SHARES else ""
        return f"{words}{unit}"

    def shown_between(self, difference: float, low: float, high: float) -> str:
        """A difference with the ends of its interval; the unit stands once."""
        what, first, last = (
            self._figure(each, signed=True) for each in (difference, low, high)
        )
        unit = " points" if self in _SHARES else ""
        return f"{what} ({first} to {last}){unit}"

    def _figure(self, value: float, *, signed: bool) -> str:
        digits = self._digits(value)
        rounded = round(100 * value if self in _SHARES else value, digits)
        sign = "+" if signed and rounded else ""
        return f"{rounded or 0.0:{sign}.{digits}f}".replace("-", "−")

    def _digits(self, value: float) -> int:
        if self in _SHARES or self is Measure.BLEU:
            return 1
        # A high perplexity's decimals say nothing, and widen a table.
        return 1 if self is Measure.PERPLEXITY and abs(value) >= _HIGH else 3


_HIGH: Final = 10
_WORDS: Final[Mapping[Measure, str]] = {
    Measure.LOSS: "Loss",
    Measure.PERPLEXITY: "Perplexity",
    Measure.EXACT: "Exact match",
    Measure.BLEU: "BLEU",
    Measure.ROUGE_L: "ROUGE-L",
    Measure.LIKELIER: "Better answer likelier",
    Measure.JUDGED: "Judged rightly",
}
_HELP: Final[Mapping[Measure, str]] = {
    Measure.LOSS: "Nats a token of the answers.",
    Measure.PERPLEXITY: "exp of the loss.",
    Measure.EXACT: "Answers that are one of the references, but for capitals, spaces "
    "and punctuation around them.",
    Measure.BLEU: "Of the corpus, over all references, by sacrebleu.",
    Measure.ROUGE_L: "F-measure of the longest common subsequence of words, with the "
    "reference that is closest, by rouge-score.",
    Measure.LIKELIER: "Pairs whose better answer has the higher mean log-probability "
    "a token.",
    Measure.JUDGED: "Judgements that the method’s reward agrees with: whether an "
    "answer became likelier against the base, which itself stands at half.",
}
_SHARES: Final = frozenset({Measure.EXACT, Measure.LIKELIER, Measure.JUDGED})


class Verdict(StrEnum):
    """What a difference says."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW = "too few rows to tell"


@dataclass(frozen=True, slots=True)
class Change:
    """A figure against the base's.

    Attributes:
        difference: The voice's less the base's.
        low: Of the interval that holds it with 95 % confidence; None where there are
            fewer than `FEWEST` inputs.
        high: The same.
    """

    difference: float
    low: float | None = None
    high: float | None = None

    def verdict(self, measure: Measure) -> Verdict:
        """What may be said of it."""
        if self.low is None or self.high is None:
            return Verdict.TOO_FEW
        if self.low <= 0 <= self.high:
            return Verdict.NO_DIFFERENCE
        is_better = (self.low > 0) is not measure.is_better_low
        return Verdict.BETTER if is_better else Verdict.WORSE

    def interval(self, measure: Measure) -> str:
        """The difference with its interval, as people read it."""
        if self.low is None or self.high is None:
            return measure.shown(self.difference, signed=True)
        return measure.shown_between(self.difference, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Figure:
    """A voice's measure; None where it could not be taken, or against itself."""

    value: float | None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """A model that was asked.

    Attributes:
        name: `BASE`, `TUNED`, a checkpoint's or a folder's.
        title: What it is, in words.
        figures: By measure.
    """

    name: str
    title: str
    figures: Mapping[Measure, Figure] = field(default_factory=dict)


class Seen(StrEnum):
    """Whether an input was trained on."""

    NEVER = ""
    QUESTION = "question"
    ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a voice made of an input.

    Attributes:
        text: Its answer; None where it wasn't asked.
        rouge_l: Of the answer, 0 to 1.
        is_exact: Whether it is one of the references.
        loss: Nats a token over the input's references; None without a token.
        margin: Of a judgement: how far it speaks for what was judged better, in nats;
            None of other inputs.
    """

    text: str | None = None
    rouge_l: float = 0.0
    is_exact: bool = False
    loss: float | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An input with what every voice made of it.

    Attributes:
        prompt: What was asked, turn by turn; empty of a plain text.
        references: Answers that the data holds; of a pair the better one first.
        lines: Of its rows in the file.
        seen: Whether it was trained on.
        said: By the voice's name.
    """

    prompt: str
    references: tuple[str, ...]
    lines: tuple[int, ...]
    seen: Seen = Seen.NEVER
    said: Mapping[str, Said] = field(default_factory=dict)

    def gain(self, voice: str = TUNED) -> float:
        """How much better a voice did than the base, by what tells inputs apart.

        That is ROUGE-L where both answered, else the margin, else the loss.
        """
        ours, base = self.said[voice], self.said[BASE]
        if ours.text is not None and base.text is not None:
            return ours.rouge_l - base.rouge_l
        if ours.margin is not None and base.margin is not None:
            return ours.margin - base.margin
        if ours.loss is not None and base.loss is not None:
            return base.loss - ours.loss
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By which terms it was measured.

    Attributes:
        max_new_tokens: An answer was cut off there.
        lowercase: Whether BLEU looks at no capitals.
        bleu: sacrebleu's signature; empty where no answers were compared.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        length: Rows were cut at so many tokens, as in training.
    """

    max_new_tokens: int
    lowercase: bool
    bleu: str = ""
    resamples: int = 0
    seed: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All that was measured.

    Attributes:
        name: Of the report.
        run: The run's name.
        data: The file; empty for the run's own held-out rows.
        kind: Of its rows.
        inputs: How many were measured.
        of_inputs: How many the file holds.
        rows: Of the inputs measured.
        voices: The base first.
        compared: Input by input, in file order.
        findings: What to bear in mind, as sentences.
        terms: How it was measured.
        when: Seconds since the epoch.
        versions: Of the libraries that computed.
        form: Of this document.
    """

    name: str
    run: str
    data: str
    kind: Kind
    inputs: int
    of_inputs: int
    rows: int
    voices: tuple[Voice, ...]
    compared: tuple[Compared, ...]
    findings: tuple[str, ...]
    terms: Terms
    when: float
    versions: Mapping[str, str] = field(default_factory=dict)
    form: int = 1

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What was measured of any voice, in the order of `Measure`."""
        taken = {measure for voice in self.voices for measure in voice.figures}
        return tuple(measure for measure in Measure if measure in taken)

    def voice(self, name: str) -> Voice | None:
        """The voice of a name; None when it wasn't asked."""
        return next((voice for voice in self.voices if voice.name == name), None)

    @property
    def source(self) -> str:
        """What it was measured on, in words."""
        return self.data or "the run’s own held-out rows"

    @property
    def is_few(self) -> bool:
        """Whether no difference could be judged."""
        return self.inputs < FEWEST


def normalised(text: str) -> str:
    """An answer as exact match compares it.

    Unicode's compatible form (NFKC), small letters, one space for each run of white
    space, and no punctuation around it.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    start, stop = 0, len(plain)
    while start < stop and _is_around(plain[start]):
        start += 1
    while stop > start and _is_around(plain[stop - 1]):
        stop -= 1
    return plain[start:stop]


def spread(count: int, wanted: int) -> Sequence[int]:
    """As many places as wanted, evenly over so many; all where 0 are wanted."""
    if not wanted or wanted >= count:
        return range(count)
    return [place * count // wanted for place in range(wanted)]


def sentences(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Findings as a report keeps them."""
    return tuple(finding.sentence() for finding in findings)


def _is_around(character: str) -> bool:
    return character.isspace() or unicodedata.category(character).startswith("P")
