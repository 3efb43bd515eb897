"""The Expert form's rows: every option, who set it, and what it costs."""

from collections.abc import Iterator
from typing import Final

from studio.domain.architecture import ModelArchitecture
from studio.domain.finding import Finding, Severity
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.options import Value
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.propose import PROPOSED
from studio.ui.forms.option_rows import OptionRow, SetBy

ON_OTHER_PAGES: Final = ("model.name", "data.path", "data.format", "data.columns")
"""Chosen on the Model and the Data page; resetting them here would lose the choice."""


def recommended(key: str, proposal: Proposal | None) -> Value:
    """What is recommended for an option on this machine; else the default."""
    if proposal is not None and key in PROPOSED:
        return proposal.recipe.value(key)
    return OPTIONS[key].default


def expert_rows(
    recipe: Recipe,
    proposal: Proposal | None,
    model: ModelArchitecture | None,
    device: TrainingDevice | None,
    findings: tuple[Finding, ...],
) -> tuple[OptionRow, ...]:
    """A row for each option that is set on this page, in the table's order."""
    effects = dict(_effects(recipe, proposal, model, device))
    refused = {
        f.where: f.what for f in reversed(findings) if f.severity is Severity.ERROR
    }
    return tuple(
        OptionRow(
            option=option,
            value=recipe.value(key),
            set_by=(
                SetBy.RECOMMENDED
                if recipe.value(key) == recommended(key, proposal)
                else SetBy.YOURS
            ),
            effect_bytes=effects.get(key),
            error=refused.get(key, ""),
        )
        for key, option in OPTIONS.items()
        if key not in ON_OTHER_PAGES
    )


def own_changes(recipe: Recipe, proposal: Proposal | None) -> dict[str, Value]:
    """What resetting all changes would set: each changed option's recommendation."""
    return {
        key: recommended(key, proposal)
        for key in OPTIONS
        if key not in ON_OTHER_PAGES and recipe.value(key) != recommended(key, proposal)
    }


def proposed_values(
    recipe: Recipe, proposal: Proposal | None, kept: frozenset[str]
) -> dict[str, Value]:
    """What taking the proposal would set.

    Args:
        recipe: As it is.
        proposal: What is recommended here; None while nothing is.
        kept: Options that the user set; they stay as they are.
    """
    return {
        key: recommended(key, proposal)
        for key in PROPOSED
        if proposal is not None
        and key not in kept
        and recipe.value(key) != recommended(key, proposal)
    }


def is_untouched(recipe: Recipe) -> bool:
    """Whether nothing that a proposal decides was set yet, by anybody."""
    return all(recipe.value(key) == OPTIONS[key].default for key in PROPOSED)


def _effects(
    recipe: Recipe,
    proposal: Proposal | None,
    model: ModelArchitecture | None,
    device: TrainingDevice | None,
) -> Iterator[tuple[str, int]]:
    """What a recommended value saves, or one's own costs against it."""
    if proposal is None or model is None or device is None:
        return
    for reason in proposal.reasons:
        yield reason.key, -reason.saves_bytes
    now = estimate_memory(model, recipe, device).peak_bytes
    for key, value in own_changes(recipe, proposal).items():
        other = estimate_memory(model, recipe.with_value(key, value), device)
        yield key, now - other.peak_bytes
