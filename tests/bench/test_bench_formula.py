"""How long the formula takes for one recipe, with nothing kept from call to call."""

import statistics
import time

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from tests.bench.formula_grid import ARCHITECTURES, RECIPES, config_of, options_of
from tests.bench.pace import slowness

DEVICE = TrainingDevice(
    kind="cuda",
    name="",
    total_bytes=24 * GIB,
    free_bytes=24 * GIB,
    has_bf16=True,
    compute_capability=(8, 9),
)


def seconds_of(model, recipe):
    """The best of a few calls: what the machine does beside it is not its cost."""
    taken = []
    for _ in range(7):
        began = time.process_time()
        estimate_memory.__wrapped__(model, recipe, DEVICE)
        taken.append(time.process_time() - began)
    return min(taken)


def round_of_the_grid():
    """Median and longest time over every architecture and recipe, in seconds.

    What the machine is slower than quiet meanwhile is taken out.
    """
    taken, pace = [], []
    for name in ARCHITECTURES:
        pace.append(slowness())
        model = ModelArchitecture.from_config(config_of(name))
        for recipe_name in RECIPES:
            recipe = Recipe()
            for key, value in options_of(name, recipe_name).items():
                recipe = recipe.with_value(key, value)
            taken.append(seconds_of(model, recipe))
    slow = statistics.median(pace)
    return statistics.median(taken) / slow, max(taken) / slow


def test_that_a_recipe_is_priced_in_a_few_milliseconds():
    """Guards against growing slower; the promise of 2 ms isn't met (BENCHMARKS.md)."""
    rounds = [round_of_the_grid() for _ in range(3)]
    said = ", ".join(f"{a * 1e3:.2f} and {b * 1e3:.2f}" for a, b in rounds)
    print(f"formula, median and longest by round, ms: {said}")
    # The best round is the program's cost; the others show the machine.
    assert min(median for median, _ in rounds) < 0.004
