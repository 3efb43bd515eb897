"""What `snugtune estimate` is asked: options that can't be had together are refused.

An option without an effect would answer another question than the one that was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.cli import pricing
from studio.domain.errors import StudioError, refusal
from studio.domain.memory.estimate import Basis
from studio.domain.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that say how the answer is come by.

    Attributes:
        gpu: A card by its name or memory; empty for the device of a run.
        basis: What the numbers shall rest on.
        measure: By a run of two steps on this machine.
        random_weights: Of that run.
        timeline: Where a step is drawn; None for nowhere.
    """

    gpu: str = ""
    basis: Basis = Basis.DRY_RUN
    measure: bool = False
    random_weights: bool = False
    timeline: Path | None = None


def refuse_clashes(asked: Asked) -> None:
    """Refuse options that would be without an effect, before anything is computed.

    Raises:
        StudioError: Two of them can't hold together.
    """
    if asked.random_weights and not asked.measure:
        raise _clash(
            "--random-weights", "Only a measurement loads weights", "--measure"
        )
    if asked.measure and asked.gpu.strip():
        what = "--measure runs on this machine's device, not on a card that is named"
        raise _clash("--gpu", what, leave="--gpu or --measure")
    if asked.measure and asked.basis is Basis.FORMULA:
        what = "--measure measures, and --basis formula asks for no measurement"
        raise _clash("--basis", what, leave="one of them")
    if asked.timeline and (asked.measure or asked.basis is not Basis.DRY_RUN):
        what = "Only a dry run goes through a step that can be drawn"
        basis = f"--basis {Basis.DRY_RUN} without --measure"
        raise _clash("--timeline", what, basis)


def with_model(
    recipe: Recipe, model: str, assignments: Sequence[str], *, is_chosen: bool
) -> Recipe:
    """The recipe for the model that --model names; the same without one.

    Args:
        recipe: With all that --set sets.
        model: Of --model.
        assignments: Of --set.
        is_chosen: Whether the recipe is a file's, so that its kernel was chosen.

    Raises:
        StudioError: --set names another model, or nothing tells the model's shape.
    """
    if not model:
        return recipe
    keys = [each.partition("=")[0].strip() for each in assignments]
    if "model.name" in keys and recipe.model.name != model:
        what = f"--model names {model}, and --set model.name {recipe.model.name}"
        raise _clash("--model", what, leave="one of them")
    named = recipe.with_value("model.name", model)
    if is_chosen or "model.attention" in keys:
        return named
    return pricing.with_possible_attention(named)


def _clash(where: str, what: str, take: str = "", leave: str = "") -> StudioError:
    fix = f"Take {take}, or leave {where} out." if take else f"Leave {leave} out."
    return refusal("estimate.clash", f"{what}.", fix=fix, where=where)
