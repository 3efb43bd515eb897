"""What a run or a probe really took, and under which circumstances.

A measurement holds for one card with its driver, one set of libraries, one
architecture and one recipe; all of them together are its subject. Beside the figures
stand the predictions that were made for the same batch, so that a machine's own
residual can be learned from them (`studio.domain.memory.learning`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from studio.domain.hardware import MIB, TrainingDevice, gib
from studio.domain.memory.estimate import (
    Basis,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.outside_formula import keeps_start
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import STARTING_FROM_BASE, LoraVariant
from studio.domain.train_options import GROUPED_OPTIMIZERS

# Options that change nothing about the memory of a step: names, places, and what
# decides how often and how far it is taken. The data counts by its content, for the
# longest row decides the peak.
_ASIDE = frozenset(
    {
        "model.name",
        "model.stretch",
        "data.path",
        "lora.alpha",
        "train.beta",
        "train.epochs",
        "train.max_steps",
        "train.learning_rate",
        "train.schedule",
        "train.floor",
        "train.restarts",
        "train.decay_share",
        "train.weight_decay",
        "train.clipping",
        "train.warmup",
        "train.warmup_steps",
        "train.save_steps",
        "train.save_minutes",
        "train.keep_checkpoints",
        "train.eval_steps",
        "train.patience",
        "train.keep_best",
        "train.seed",
    }
)
# Kinds of adapter that take the same memory.
_ALIKE = STARTING_FROM_BASE | {LoraVariant.LORA, LoraVariant.RSLORA}
# What a config.json says of its own history.
_HISTORY = frozenset({"_name_or_path", "transformers_version"})


class Source(StrEnum):
    """What was measured: a probe of two steps, or a run from its start to its end."""

    PROBE = "probe"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest memory at each level, bytes; None where it can't be told.

    Attributes:
        allocated: Held by live tensors.
        reserved: Taken by torch's allocator; on a processor the same.
        device: What the process holds on its card; on a processor, its resident size.
    """

    allocated: int | None = None
    reserved: int | None = None
    device: int | None = None

    def at(self, level: Level) -> int | None:
        """The figure of a level."""
        return (self.allocated, self.reserved, self.device)[level]

    def outermost(self) -> tuple[Level, int] | None:
        """The level nearest to the driver that is known, with its figure."""
        for level in reversed(Level):
            held = self.at(level)
            if held is not None:
                return level, held
        return None

    def joined(self, other: "Peaks") -> "Peaks":
        """The higher figure of two at each level."""
        return Peaks(*(_higher(self.at(level), other.at(level)) for level in Level))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted for the batch that was measured.

    Attributes:
        peaks: At each level.
        context_bytes: What of the device's figure was assumed for the CUDA context.
    """

    peaks: Peaks
    context_bytes: int = 0

    @classmethod
    def of(cls, estimate: MemoryEstimate) -> "Prediction":
        """An estimate's figures, which nothing learned may have changed yet."""
        peaks = Peaks(*(estimate.bytes_up_to(level) for level in Level))
        return cls(peaks, estimate.context_bytes)


@dataclass(frozen=True, slots=True)
class RanOut:
    """How the memory came to its end while it was measured.

    Attributes:
        phase: Of the run.
        asked_bytes: For how much was asked in vain; None where nobody says.
        held_bytes: What live tensors held then; None where it can't be told.
    """

    phase: str
    asked_bytes: int | None = None
    held_bytes: int | None = None

    def sentence(self) -> str:
        """One sentence for people."""
        asked = "more" if self.asked_bytes is None else gib(self.asked_bytes) + " more"
        held = "" if self.held_bytes is None else f" with {gib(self.held_bytes)} held"
        return f"It does not fit: in the phase {self.phase} it asked for {asked}{held}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a measurement holds for; equal subjects may stand for each other.

    Attributes:
        card: See `card_key`.
        driver: The card's driver; empty on a processor.
        versions: Of the libraries, by name.
        architecture: See `architecture_key`.
        recipe: See `recipe_key`.
        data: SHA-256 of the data file; empty for stand-in rows of full length.
    """

    card: str
    driver: str
    versions: Mapping[str, str]
    architecture: str
    recipe: str
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One row of this machine's table.

    Attributes:
        subject: What it holds for.
        source: A probe or a run.
        when: Seconds since the epoch.
        tokens: Of the longest row that was measured.
        actual: The highest of all phases.
        phases: The highest of each phase, where phases were told apart.
        phase: In which the highest allocated memory fell; empty where untold.
        predicted: What each basis said of the same batch, by `Basis` value.
        context_bytes: The CUDA context; None where it can't be told.
        ran_out: How the memory ended; None when it sufficed.
    """

    subject: Subject
    source: Source
    when: float
    tokens: int
    actual: Peaks
    phases: Mapping[str, Peaks] = field(default_factory=dict)
    phase: str = ""
    predicted: Mapping[str, Prediction] = field(default_factory=dict)
    context_bytes: int | None = None
    ran_out: RanOut | None = None


@dataclass(frozen=True, slots=True)
class MemoryComparison:
    """A run's highest memory beside what was predicted.

    Attributes:
        basis: Of the prediction.
        predicted: Without anything that was learned.
        actual: Highest of the run.
        tokens: Of the longest row, for which both hold.
    """

    basis: Basis
    predicted: Peaks
    actual: Peaks
    tokens: int

    @classmethod
    def best_of(
        cls, actual: Peaks, predicted: Mapping[str, Peaks], tokens: int
    ) -> "MemoryComparison | None":
        """Beside the prediction of the best basis; None where there is none."""
        for basis in (Basis.DRY_RUN, Basis.FORMULA):
            if basis in predicted:
                return cls(basis, predicted[basis], actual, tokens)
        return None

    def document(self) -> dict[str, object]:
        """The comparison for programs."""
        return {
            "basis": self.basis.value,
            "tokens": self.tokens,
            "predicted_bytes": {x.word: self.predicted.at(x) for x in Level},
            "actual_bytes": {x.word: self.actual.at(x) for x in Level},
        }

    def sentence(self) -> str:
        """One sentence at the outermost level that both tell; empty without one."""
        for level in reversed(Level):
            used, said = self.actual.at(level), self.predicted.at(level)
            if used is not None and said:
                off = used / said - 1
                side = "over" if off > 0 else "under"
                return (
                    f"Used {gib(used)} ({level.word}), predicted {gib(said)} "
                    f"by {self.basis} for its longest row of {self.tokens:,} tokens: "
                    f"{abs(off):.1%} {side}."
                )
        return ""


def subject_of(
    device: TrainingDevice,
    versions: Mapping[str, str],
    config: Mapping[str, object],
    recipe: Recipe,
    data_sha256: str = "",
) -> Subject:
    """What a measurement holds for.

    Args:
        device: Where it is taken.
        versions: Of the libraries, by name.
        config: The model's.
        recipe: Of the run.
        data_sha256: Of the data file; empty for stand-in rows of full length.
    """
    return Subject(
        card=card_key(device),
        driver=device.driver,
        versions=dict(versions),
        architecture=architecture_key(config),
        recipe=recipe_key(recipe),
        data=data_sha256,
    )


def card_key(device: TrainingDevice) -> str:
    """A device's kind, which equal cards share: name, memory, compute capability."""
    size = f"{round(device.total_bytes / MIB)} MiB"
    capability = device.compute_capability
    if capability is None:
        return f"{device.kind}, {device.name}, {size}"
    return f"{device.kind}, {device.name}, {size}, {capability[0]}.{capability[1]}"


def architecture_key(config: Mapping[str, object]) -> str:
    """A digest of a config.json, whatever its order and its history."""
    return _digest({k: v for k, v in config.items() if k not in _HISTORY})


def recipe_key(recipe: Recipe) -> str:
    """A digest of the options that decide memory."""
    values = {k: v for k, v in recipe.to_values().items() if k not in _ASIDE}
    if recipe.lora.variant in _ALIKE and not keeps_start(recipe):
        del values["lora.variant"]
    del values["lora.plus_ratio"]
    if recipe.lora.plus_ratio != 1 and recipe.train.optimizer in GROUPED_OPTIMIZERS:
        values["lora.plus_ratio"] = True
    return _digest(values)


def _digest(document: Mapping[str, object]) -> str:
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _higher(one: int | None, other: int | None) -> int | None:
    return max((x for x in (one, other) if x is not None), default=None)
