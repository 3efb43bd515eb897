"""What the combining dialog offers, made from the runs of the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.combining import LEAST, Combination, Way, even_weights
from studio.domain.errors import StudioError
from studio.services.combining import can_be_combined
from studio.ui.pages.runs.view_model import RunFacts
from studio.ui.pages.window_words import in_window

TITLES: Final = {
    Way.CAT: "Add up (cat)",
    Way.SVD: "Add up, then cut to a rank (svd)",
    Way.LINEAR: "Linear, A and B apart",
    Way.TIES: "TIES, A and B apart",
    Way.DARE_LINEAR: "DARE, A and B apart",
    Way.DARE_TIES: "DARE with TIES, A and B apart",
    Way.TIES_SVD: "TIES on whole layers (svd)",
    Way.DARE_LINEAR_SVD: "DARE on whole layers (svd)",
    Way.DARE_TIES_SVD: "DARE with TIES on whole layers (svd)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the dialog's fields say.

    Attributes:
        weights: Of the ticked runs, in their order.
        way: How.
        density: The share that is kept, where some is dropped.
        seed: Of what is dropped at random.
        rank: That is cut to; 0 for the highest of the runs.
        name: Of the result.
    """

    weights: tuple[float, ...]
    way: Way
    density: float
    seed: int
    rank: int
    name: str

    def combination(self) -> Combination:
        """It, as the engine is told.

        Raises:
            StudioError: It can't be carried out.
        """
        return Combination(
            way=self.way,
            weights=self.weights,
            density=self.density,
            seed=self.seed,
            rank=self.rank if self.way.decomposes else 0,
        ).check(len(self.weights))


def candidates(chosen: RunFacts, runs: Sequence[RunFacts]) -> tuple[RunFacts, ...]:
    """Runs that the chosen one can be combined with, itself first.

    None where it can't be combined itself.
    """
    if not can_be_combined(chosen.snapshot, chosen.recipe):
        return ()
    assert chosen.recipe is not None
    base = chosen.recipe.model.name, chosen.recipe.model.stretch
    others = [
        run
        for run in runs
        if run.snapshot.directory != chosen.snapshot.directory
        and can_be_combined(run.snapshot, run.recipe)
        and run.recipe is not None
        and (run.recipe.model.name, run.recipe.model.stretch) == base
    ]
    return (chosen, *others)


def why_not_combined(chosen: RunFacts, runs: Sequence[RunFacts]) -> str:
    """Why a run can't be combined with any other; empty where it can."""
    found = candidates(chosen, runs)
    if not found:
        return "It left no adapter that can be added to others."
    if len(found) < LEAST:
        return "No other run of its base left an adapter that can be added to it."
    return ""


def proposed_name(runs: Sequence[str]) -> str:
    """What a combination of runs is called unless the user says otherwise."""
    return " and ".join(runs) if len(runs) <= LEAST else f"{len(runs)} adapters"


def even(runs: int) -> float:
    """The weight that each of so many runs has at first."""
    return round(even_weights(runs)[0], 2) if runs else 1.0


def sentence(asked: Asked) -> str:
    """What the way means, or what is still missing."""
    try:
        return asked.combination().way.meaning
    except StudioError as refused:
        found = in_window(refused.finding)
        return f"{found.what} {found.how_to_fix}"
