"""The verb estimate-memory: a dry run, unless the same one was done before."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from studio.domain.errors import refusal
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.engine.dry_run.card import Card
from studio.engine.versions import versions
from studio.protocol.codec import (
    WireError,
    decode_event,
    encode,
    heard_estimate,
    told_estimate,
)
from studio.protocol.events import MemoryEstimated
from studio.storage.documents import write_bytes_atomically
from studio.system.machine import read_machine_once
from studio.system.paths import cache_dir

# Raised when the dry run itself comes to other figures for the same versions.
_RULES = 1
# Options that decide nothing about memory.
_ASIDE = frozenset({"model.name", "data.path", "train.seed", "train.learning_rate"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a recipe is priced for: a card, or this machine's processor."""

    card: Card | None

    @classmethod
    def of(cls, card_bytes: int | None, capability: str | None) -> "Target":
        """The card of that size; without one, this machine's device.

        Raises:
            StudioError: The capability is no pair of numbers.
        """
        device = read_machine_once().device()
        if card_bytes is None:
            return cls(Card.of(device))
        described = TrainingDevice(
            kind="cuda",
            name="",
            total_bytes=card_bytes,
            free_bytes=card_bytes,
            has_bf16=True,
            compute_capability=_pair(capability) if capability else None,
        )
        return cls(Card.of(described))


def estimate_memory(recipe: Recipe, model: Path, target: Target) -> MemoryEstimate:
    """Predict the peak memory of a recipe by a dry run.

    Args:
        recipe: Free of contradictions.
        model: A folder with a config.json, or that file.
        target: Where it shall run.

    Raises:
        StudioError: The model is unknown to transformers, or the recipe's formats
            can't be had together on the target.
    """
    began = time.monotonic()
    kept = _place_of(model, recipe, target)
    known = _read(kept)
    if known is not None:
        return replace(known, seconds=time.monotonic() - began)
    estimate = _rehearsed(recipe, model, target, began)
    write_bytes_atomically(kept, encode(told_estimate(estimate)))
    return estimate


def _rehearsed(
    recipe: Recipe, model: Path, target: Target, began: float
) -> MemoryEstimate:
    # The libraries take seconds to load, which an estimate that is kept needn't wait.
    from studio.engine.dry_run.breakdown import Traits, estimate_of
    from studio.engine.dry_run.fake_model import read_config
    from studio.engine.dry_run.rehearsal import rehearse
    from studio.engine.dry_run.subject import Subject

    config = read_config(model)
    recording = rehearse(Subject(config, recipe, target.card))
    vocabulary = config.get_text_config().vocab_size
    traits = Traits(vocabulary, recipe.train.checkpointing)
    seconds = time.monotonic() - began
    return estimate_of(recording, traits, target.card, seconds)


def _place_of(model: Path, recipe: Recipe, target: Target) -> Path:
    """Where an estimate is kept: named after all that decides it."""
    document = {
        "rules": _RULES,
        "config": _config_text(model),
        "recipe": {
            key: value for key, value in recipe.to_values().items() if key not in _ASIDE
        },
        "card": asdict(target.card) if target.card else None,
        "versions": versions(),
    }
    text = json.dumps(document, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()
    return cache_dir() / "estimates" / f"{name}.json"


def _config_text(model: Path) -> str:
    file = model / "config.json" if model.is_dir() else model
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise refusal(
            "model.config",
            "The model's config.json can't be read.",
            fix="Name a folder that holds one.",
            where=str(model),
        ) from fault


def _read(kept: Path) -> MemoryEstimate | None:
    try:
        event = decode_event(kept.read_bytes())
    except (OSError, WireError):
        return None
    return heard_estimate(event) if isinstance(event, MemoryEstimated) else None


def _pair(capability: str) -> tuple[int, int]:
    major, point, minor = capability.partition(".")
    if not (major.isdigit() and point and minor.isdigit()):
        raise refusal(
            "card.capability",
            f"“{capability}” is no compute capability.",
            fix="Give two numbers, such as 8.6.",
            where="--capability",
        )
    return int(major), int(minor)
