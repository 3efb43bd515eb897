"""The verb estimate-memory: a dry run, unless the same one was done before."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from studio.domain.errors import refusal
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.memory.formula import runtime_bytes
from studio.domain.recipe import Recipe
from studio.storage.estimates import KeptEstimates
from studio.system.machine import read_machine_once
from studio.system.paths import estimates_dir
from studio.system.versions import deciding_an_estimate


@dataclass(frozen=True, slots=True)
class Target:
    """What a recipe is priced for: a card, or this machine's processor."""

    device: TrainingDevice

    @classmethod
    def of(cls, card_bytes: int | None, capability: str | None) -> "Target":
        """The card of that size; without one, this machine's device.

        Raises:
            StudioError: The capability is no pair of numbers.
        """
        if card_bytes is None:
            return cls(read_machine_once().device())
        described = TrainingDevice(
            kind="cuda",
            name="",
            total_bytes=card_bytes,
            free_bytes=card_bytes,
            has_bf16=True,
            compute_capability=_pair(capability) if capability else None,
        )
        return cls(described)


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
    kept = KeptEstimates(estimates_dir(), deciding_an_estimate())
    config = _config_of(model)
    known = kept.find(config, recipe, target.device)
    if known is not None:
        return replace(known, seconds=time.monotonic() - began)
    estimate = _rehearsed(recipe, model, target, began)
    kept.keep(config, recipe, target.device, estimate)
    return estimate


def _rehearsed(
    recipe: Recipe, model: Path, target: Target, began: float
) -> MemoryEstimate:
    # The libraries take seconds to load, which an estimate that is kept needn't wait.
    from studio.engine.uncompiled import load_uncompiled

    load_uncompiled()
    from studio.engine.dry_run.breakdown import Traits, estimate_of
    from studio.engine.dry_run.card import Card
    from studio.engine.dry_run.rehearsal import rehearse
    from studio.engine.dry_run.subject import Subject
    from studio.engine.model_config import read_config

    config, card = read_config(model), Card.of(target.device)
    recording = rehearse(Subject(config, recipe, card))
    vocabulary = config.get_text_config().vocab_size
    runtime = runtime_bytes(recipe)
    traits = Traits(vocabulary, recipe.train.checkpointing, runtime)
    seconds = time.monotonic() - began
    return estimate_of(recording, traits, card, seconds)


def _config_of(model: Path) -> Mapping[str, object]:
    file = model / "config.json" if model.is_dir() else model
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        read = None
    if isinstance(read, dict):
        return read
    raise refusal(
        "model.config",
        "The model's config.json can't be read.",
        fix="Name a folder that holds one.",
        where=str(model),
    )


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
