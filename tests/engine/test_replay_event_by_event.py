"""What the formula replays is what the dry run records, block by block.

Large blocks alone: small ones have a pool of their own, where their bytes count.
"""

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.allocator import LARGEST_SMALL, Allocation, Release, rounded
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.on_paper import holding, reserving
from tests.bench.formula_grid import RECIPES, config_of, recipe_of
from tests.bench.formula_truth import device_of, recorded

pytestmark = pytest.mark.torch

# Families by what is their own: plain, fused entries, parts that aren't rotated, two
# norms, tiles of a head in another format, padding, states of a second step.
EQUAL = [
    ("llama-3.1-8b", "default-2k"),
    ("smollm2-1.7b", "embeddings"),
    ("olmo2-7b", "default-2k"),
    ("pythia-6.9b", "default-2k"),
    ("phi-4", "default-2k"),
    ("granite-3.1-8b", "lion-8bit-r64"),
    ("starcoder2-3b", "no-ckpt"),
    ("odd", "padded"),
]
_ROOM = 2  # events of the room for all weights, of which some small tensors are part


def replayed(monkeypatch, model, recipe, device):
    """Bytes of large blocks as the formula's pool takes them; negative for releases."""
    found, sizes = [], {}
    taking, giving = reserving._Pool._taking, reserving._Pool._giving

    def listening(pool):
        take = taking(pool)

        def told(size):
            block = take(size)
            sizes[id(block)] = size
            found.append(size)
            return block

        return told

    def watching(pool):
        give = giving(pool)

        def told(block):
            found.append(-sizes[id(block)])
            give(block)

        return told

    holding.loaded.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(reserving._Pool, "_taking", listening)
        patch.setattr(reserving._Pool, "_giving", watching)
        estimate_memory.__wrapped__(model, recipe, device)
    holding.loaded.cache_clear()
    return found


def rehearsed(recording):
    """The same of a dry run."""
    found, sizes = [], {}
    for event in recording.trace:
        if isinstance(event, Allocation):
            size = sizes[event.tensor] = rounded(event.size)
        elif isinstance(event, Release):
            size = -sizes.get(event.tensor, 0)
        else:
            continue
        if abs(size) > LARGEST_SMALL:
            found.append(size)
    return found


@pytest.mark.parametrize(("name", "recipe_name"), EQUAL)
def test_that_each_large_block_comes_and_goes_as_in_the_dry_run(
    monkeypatch, name, recipe_name
):
    capability, config = RECIPES[recipe_name][0], config_of(name, 2)
    recipe, device = recipe_of(name, recipe_name), device_of(capability)
    model = ModelArchitecture.from_config(config)
    ours = replayed(monkeypatch, model, recipe, device)
    truth = rehearsed(recorded(config, recipe, capability)[0])
    assert len(ours) > 1000  # loading, a measurement, answers, a step
    assert ours[_ROOM:] == truth[_ROOM : len(ours)]
