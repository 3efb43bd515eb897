"""Adapters that become one: which runs can, by which words, and where it lies."""

from collections.abc import Sequence
from pathlib import Path

from studio.domain.combining import Combination
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.domain.run import RunSnapshot
from studio.storage.names import slug
from studio.storage.run_directory import RUNS

VERB = "combine"
_REFUSED = frozenset({LoraVariant.DORA, LoraVariant.LOFTQ})


def combine_arguments(
    places: Sequence[Path], combination: Combination, out: Path
) -> list[str]:
    """What the engine is told.

    Args:
        places: Folders of runs or adapters.
        combination: By which they become one.
        out: The folder to make, absolute.
    """
    # Behind “=”, since a weight may begin with a minus.
    weights = ",".join(repr(weight) for weight in combination.weights)
    return [
        *map(str, places),
        *("--out", str(out)),
        f"--weights={weights}",
        *("--how", combination.way.value),
        *("--density", repr(combination.density)),
        *("--seed", str(combination.seed)),
        *("--rank", str(combination.rank)),
    ]


def can_be_combined(snapshot: RunSnapshot, recipe: Recipe | None) -> bool:
    """Whether a run left an adapter that can be combined, as far as its recipe tells.

    The engine looks at what is really there.
    """
    if recipe is None or snapshot.result is None or not snapshot.state.is_over:
        return False
    return not recipe.trains_all and recipe.lora.variant not in _REFUSED


def combined_folder(run: Path, name: str) -> Path:
    """Where a combination of a project's runs lies: beside what was exported.

    Args:
        run: The folder of one of them.
        name: That the user gives it.
    """
    project = run.parent.parent if run.parent.name == RUNS else run.parent
    return project / "exports" / slug(name, "combined")
