"""What methods that learn from judgements can't go with: rows and other options."""

from typing import TYPE_CHECKING

from studio.domain.data_options import LossOn
from studio.domain.dataset import Kind
from studio.domain.finding import Finding, Severity, error
from studio.domain.method_options import CUSTOMARY_BETA, REFERRING_METHODS, Method
from studio.domain.options import Value

if TYPE_CHECKING:
    from studio.domain.recipe import Recipe

LEAST_RATED = 2
"""Rows that KTO needs at a time (Ethayarajh et al. 2024, arXiv 2402.01306, 4.1)."""

_LEARNT_FROM = {
    Method.DPO: Kind.PREFERENCE,
    Method.ORPO: Kind.PREFERENCE,
    Method.KTO: Kind.RATED,
}
_IN_WORDS = {
    Kind.CHAT: "chats",
    Kind.TEXT: "plain texts",
    Kind.PREFERENCE: "pairs of a better and a worse answer",
    Kind.RATED: "answers that were liked or not",
}
_METHOD = "train.method"
_CHANCES = ("train.neftune", "lora.dropout")
_CHANCE = "It compares the model with itself, and chance would tell the two apart."


def unsuited(method: Method, kind: Kind, where: str) -> Finding | None:
    """Why a method can't learn from a file's rows; None where it can.

    Args:
        method: Of the recipe.
        kind: What the file's rows are.
        where: The file's name.
    """
    wanted = _LEARNT_FROM.get(method, kind)
    if kind is wanted:
        return None
    others = [each.value for each, fit in _LEARNT_FROM.items() if fit is kind]
    learners = " or ".join(others) or Method.SFT.value
    return error(
        "data.other-method",
        f"{method.name} learns from {_IN_WORDS[wanted]}; this file holds "
        f"{_IN_WORDS[kind]}.",
        fix=f"Set {_METHOD} to {learners}, or choose a file of {_IN_WORDS[wanted]}.",
        where=where,
    )


def turned_to(recipe: "Recipe", method: Method) -> dict[str, Value]:
    """What to set, by key, so that a recipe's method is another and nothing clashes."""
    values: dict[str, Value] = {_METHOD: method.value}
    if method is Method.SFT:
        return values
    chances = _CHANCES if method in REFERRING_METHODS else ()
    values |= {key: 0.0 for key in chances if recipe.value(key)}
    train = recipe.train
    if train.packing:
        values["train.packing"] = False
    if train.label_smoothing:
        values["train.label_smoothing"] = 0.0
    if recipe.data.loss_on is LossOn.EVERYTHING:
        values["data.loss_on"] = LossOn.ANSWERS.value
    if method is Method.KTO and train.micro_batch < LEAST_RATED:
        values["train.micro_batch"] = LEAST_RATED
        values["train.accumulation"] = max(1, train.accumulation // LEAST_RATED)
    return values


def judgement_remarks(recipe: "Recipe") -> list[Finding]:
    """What is set for another method than the recipe's."""
    train = recipe.train
    if train.method is not Method.SFT or train.beta == CUSTOMARY_BETA:
        return []
    return [
        Finding(
            code="recipe.beta",
            severity=Severity.INFO,
            what="train.beta is without effect: examples hold no judgement to weigh.",
            how_to_fix=f"Set {_METHOD} to dpo, orpo or kto, or leave train.beta out.",
            where="train.beta",
        )
    ]


def judgement_clashes(recipe: "Recipe") -> list[Finding]:
    """Every option that the recipe's method can't hold together with."""
    train = recipe.train
    if train.method is Method.SFT:
        return []
    found = [] if train.method not in REFERRING_METHODS else _of_references(recipe)
    if train.packing:
        why = "Judged answers are compared whole and aren't packed."
        found.append(_clash("train.packing", why, "false"))
    if train.label_smoothing:
        why = "A judgement has no words to spread the weight over."
        found.append(_clash("train.label_smoothing", why, "0"))
    if recipe.data.loss_on is LossOn.EVERYTHING:
        why = "Answers are judged, not questions."
        found.append(_clash("data.loss_on", why, "answers"))
    if train.method is Method.KTO and train.micro_batch < LEAST_RATED:
        why = "KTO compares each answer with that of another row at the same time."
        found.append(_clash("train.micro_batch", why, f"{LEAST_RATED} or more"))
    return found


def _of_references(recipe: "Recipe") -> list[Finding]:
    """What a comparison with the model before training doesn't take."""
    found: list[Finding] = []
    if recipe.trains_all:
        why = (
            "It needs the model as it was before training, which is at hand only while "
            "an adapter can be switched off."
        )
        found.append(_clash("train.weights", why, "adapter"))
    return [*found, *(_clash(k, _CHANCE, "0") for k in _CHANCES if recipe.value(k))]


def _clash(key: str, why: str, wanted: str) -> Finding:
    what = f"{_METHOD} and {key} can't hold together."
    fix = f"Set {key} to {wanted}, or {_METHOD} to {Method.SFT.value}."
    return error("recipe.contradiction", what, why=why, fix=fix, where=key)
