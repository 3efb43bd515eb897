"""A question for the engine's dry run: recipes for one model, on one device.

What was asked before is answered from the disk, without an engine; of the rest one
engine is asked, so that its libraries are loaded once. No Qt: the window's worker and
the command line both ask so.
"""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter

from studio.domain.finding import Finding
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.protocol.codec import heard, heard_estimate
from studio.protocol.events import EngineEvent, MemoryEstimated, MemoryNotEstimated
from studio.storage.estimates import KeptEstimates
from studio.storage.recipes import save_recipe
from studio.system.paths import estimates_dir
from studio.system.versions import deciding_an_estimate

VERB = "estimate-memory"


@dataclass(frozen=True, slots=True)
class Answer:
    """One recipe's estimate, or why there is none."""

    recipe: Recipe
    estimate: MemoryEstimate | Finding


def kept_estimate(
    config: Mapping[str, object], recipe: Recipe, device: TrainingDevice
) -> MemoryEstimate | None:
    """A dry run of this recipe that was made before, here or in another program."""
    return _kept().find(config, recipe, device)


@dataclass(frozen=True, slots=True)
class Question:
    """Recipes to price by dry run.

    Attributes:
        config: Of their model.
        device: Where they shall run.
        recipes: Free of contradictions; the first matters most.
    """

    config: Mapping[str, object]
    device: TrainingDevice
    recipes: tuple[Recipe, ...]

    def known(self) -> dict[Recipe, MemoryEstimate]:
        """The estimates that were made before."""
        began = perf_counter()
        found = {}
        for recipe in self.recipes:
            estimate = kept_estimate(self.config, recipe, self.device)
            if estimate is not None:
                found[recipe] = replace(estimate, seconds=perf_counter() - began)
        return found

    def is_about(self, other: "Question") -> bool:
        """Whether another question is about the same model on the same device."""
        here, there = _deciding(self.device), _deciding(other.device)
        return here == there and self.config == other.config

    def without(self, known: Container[Recipe]) -> "Question":
        """What is left to ask."""
        left = tuple(recipe for recipe in self.recipes if recipe not in known)
        return replace(self, recipes=left)

    def arguments(self, folder: Path) -> Sequence[str]:
        """Write what the engine reads, and say what its verb is told.

        Args:
            folder: An empty one that lives as long as the engine.

        Raises:
            StudioError: The disk refuses.
        """
        described = json.dumps(self.config)
        (folder / "config.json").write_text(described, encoding="utf-8")
        files = []
        for number, recipe in enumerate(self.recipes):
            files.append(str(folder / f"{number}.toml"))
            save_recipe(Path(files[-1]), recipe)
        also = [part for file in files[1:] for part in ("--also", file)]
        return [files[0], str(folder), *also, *self._target()]

    def answer(self, event: EngineEvent) -> Answer | None:
        """What an engine's word says about the recipes; None for another word."""
        match event:
            case MemoryEstimated(recipe=place):
                return Answer(self.recipes[place], heard_estimate(event))
            case MemoryNotEstimated(recipe=place, finding=finding):
                return Answer(self.recipes[place], heard(finding))
            case _:
                return None

    def _target(self) -> list[str]:
        if self.device.kind != "cuda":
            return []
        options = ["--card-bytes", str(self.device.total_bytes)]
        if self.device.compute_capability:
            major, minor = self.device.compute_capability
            options += ["--capability", f"{major}.{minor}"]
        return options


def about_model(finding: Finding, folder: Path, recipe: Recipe) -> Finding:
    """A refusal of the engine that names the model, not the folder made for it."""

    def named(words: str) -> str:
        return words.replace(str(folder), recipe.model.name or "the model")

    return replace(finding, what=named(finding.what), why=named(finding.why))


def _deciding(device: TrainingDevice) -> TrainingDevice:
    """The device without what changes from second to second."""
    return replace(device, free_bytes=device.total_bytes)


def _kept() -> KeptEstimates:
    return KeptEstimates(estimates_dir(), _versions())


@cache
def _versions() -> Mapping[str, str]:
    return deciding_an_estimate()
