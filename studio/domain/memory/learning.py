"""What a machine's own measurements teach its predictions.

Two things: the CUDA context, which depends on card, driver and libraries and which no
formula knows, and how far predictions were off on this machine. Both are said with the
estimate that they change.

How a range follows from n errors that were seen: when the errors of different recipes
are exchangeable, the next one lies between the lowest and the highest of n with
probability (n - 1) / (n + 1), whatever their distribution (David and Nagaraja, Order
Statistics, 3rd edition, section 7.2). From nine recipes on that is at least 80 %, and
the range that was seen replaces the one that the basis claims. With fewer the claimed
range stays, and grows where an error lay outside of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from studio.domain.memory.estimate import Basis, Level, MemoryEstimate
from studio.domain.memory.measurement import Measurement, Peaks, Prediction, Subject

ENOUGH_RECIPES = 9


@dataclass(frozen=True, slots=True)
class Residual:
    """How measurements stood to predictions of one basis, at one level.

    Attributes:
        low: Lowest ratio of actual to predicted memory.
        high: Highest ratio.
        recipes: How many different recipes they come from.
    """

    low: float
    high: float
    recipes: int

    @property
    def is_enough(self) -> bool:
        """Whether the range that was seen may replace the one that is claimed."""
        return self.recipes >= ENOUGH_RECIPES


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of one card from measurements.

    Attributes:
        context_bytes: The CUDA context: median of what was measured; None without.
        contexts: From how many measurements.
        residuals: By basis and level.
    """

    context_bytes: int | None = None
    contexts: int = 0
    residuals: Mapping[Basis, Mapping[Level, Residual]] = field(default_factory=dict)


def learn(rows: Iterable[Measurement], here: Subject) -> Learned:
    """Learn from a table.

    Args:
        rows: Of any machine, card and version.
        here: Card, driver and versions that the lessons shall hold for; architecture,
            recipe and data don't matter.
    """
    of_card = [
        row
        for row in rows
        if (row.subject.card, row.subject.driver) == (here.card, here.driver)
    ]
    torch = here.versions.get("torch")
    contexts = [
        row.context_bytes
        for row in of_card
        if row.context_bytes is not None and row.subject.versions.get("torch") == torch
    ]
    context = round(median(contexts)) if contexts else None
    same = [row for row in of_card if row.subject.versions == here.versions]
    residuals = {basis: _residuals(same, basis, context) for basis in Basis}
    found = {basis: levels for basis, levels in residuals.items() if levels}
    return Learned(context, len(contexts), found)


def taught(estimate: MemoryEstimate, learned: Learned) -> MemoryEstimate:
    """An estimate with what was learned of its card, each lesson named in a note."""
    if learned.context_bytes is not None:
        estimate = estimate.with_context(learned.context_bytes)
    residuals = learned.residuals.get(estimate.basis)
    if not residuals:
        return estimate
    ratios = dict(estimate.ratios or {})
    for level, residual in residuals.items():
        ratios[level] = _ratios(estimate.error(level), residual)
    note = _in_words(residuals, estimate.basis)
    return replace(estimate, ratios=ratios, notes=(*estimate.notes, note))


def _residuals(
    rows: Sequence[Measurement], basis: Basis, context: int | None
) -> dict[Level, Residual]:
    """Lowest and highest ratio over recipes, each recipe counted once."""
    seen: dict[Level, dict[tuple[str, str, str], list[float]]] = {
        level: defaultdict(list) for level in Level
    }
    for row in rows:
        prediction = row.predicted.get(basis)
        if prediction is None or row.ran_out is not None:
            continue
        said = _with_context(prediction, context)
        about = row.subject
        recipe = (about.architecture, about.recipe, about.data)
        for level in Level:
            actual, predicted = row.actual.at(level), said.at(level)
            if actual is not None and predicted:
                seen[level][recipe].append(actual / predicted)
    return {
        level: Residual(
            min(map(median, recipes.values())),
            max(map(median, recipes.values())),
            len(recipes),
        )
        for level, recipes in seen.items()
        if recipes
    }


def _with_context(prediction: Prediction, context: int | None) -> Peaks:
    """What would be predicted today: with the context that was measured since."""
    peaks = prediction.peaks
    if context is None or peaks.device is None or not prediction.context_bytes:
        return peaks
    return replace(peaks, device=peaks.device - prediction.context_bytes + context)


def _ratios(claimed: float, residual: Residual) -> tuple[float, float]:
    """The range around a prediction, as ratios; it always holds the prediction."""
    if residual.is_enough:
        return min(1.0, residual.low), max(1.0, residual.high)
    return min(1 - claimed, residual.low), max(1 + claimed, residual.high)


def _in_words(residuals: Mapping[Level, Residual], basis: Basis) -> str:
    level = max(residuals)
    seen = residuals[level]
    many = "recipe" if seen.recipes == 1 else "recipes"
    low, high = _off(seen.low), _off(seen.high)
    between = low if low == high else f"between {low} and {high}"
    use = "is the range" if seen.is_enough else "widens the range where it lies outside"
    return (
        f"{seen.recipes} {many} measured on this machine took {between} "
        f"{level.word} memory than the {basis} said, which {use}."
    )


def _off(ratio: float) -> str:
    return f"{abs(ratio - 1):.1%} {'less' if ratio < 1 else 'more'}"
