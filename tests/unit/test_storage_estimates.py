import os

import pytest

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.memory.timeline import timeline_of
from studio.domain.recipe import Recipe
from studio.storage import estimates
from studio.storage.estimates import KeptEstimates

CONFIG = {"model_type": "llama", "hidden_size": 64}
CARD = TrainingDevice(
    kind="cuda",
    name="A card",
    total_bytes=24 * GIB,
    free_bytes=20 * GIB,
    has_bf16=True,
    compute_capability=(8, 9),
)
ESTIMATE = MemoryEstimate(
    components=(Component("Adapter", Group.ADAPTER, 7, "load"),),
    phase="backward",
    basis=Basis.DRY_RUN,
    expected_error=0.02,
    reserved_error=0.06,
    phase_peaks={"backward": 7},
    seconds=1.5,
    timeline=timeline_of([1, 7], [2, 8], [(0, "forward"), (1, "backward")]),
)


@pytest.fixture
def kept(tmp_path):
    shelf = KeptEstimates(tmp_path / "estimates", {"torch": "2.13"})
    shelf.keep(CONFIG, Recipe(), CARD, ESTIMATE)
    return shelf


def changed(**fields):
    from dataclasses import replace

    return replace(CARD, **fields)


def test_that_an_estimate_comes_back_whole(kept):
    assert kept.find(CONFIG, Recipe(), CARD) == ESTIMATE


def test_that_what_decides_nothing_finds_the_same_estimate(kept):
    recipe = Recipe().with_value("data.path", "x.jsonl").with_value("train.seed", 3)
    busier = changed(free_bytes=GIB, name="Another name")
    reordered = dict(reversed(CONFIG.items()))
    assert kept.find(reordered, recipe, busier) == ESTIMATE


@pytest.mark.parametrize(
    "asked",
    [
        (CONFIG | {"hidden_size": 65}, Recipe(), CARD),
        (CONFIG, Recipe().with_value("lora.rank", 4), CARD),
        (CONFIG, Recipe(), changed(compute_capability=(7, 5))),
        (CONFIG, Recipe(), changed(total_bytes=16 * GIB)),
        (CONFIG, Recipe(), changed(kind="cpu")),
    ],
)
def test_that_what_decides_something_finds_none(kept, asked):
    assert kept.find(*asked) is None


def test_that_other_libraries_find_none(kept):
    assert KeptEstimates(kept.folder, {}).find(CONFIG, Recipe(), CARD) is None


def test_that_other_code_finds_none(kept, monkeypatch):
    monkeypatch.setattr(estimates, "program_fingerprint", lambda: "changed")
    assert kept.find(CONFIG, Recipe(), CARD) is None


def test_that_the_oldest_is_forgotten_when_there_are_many(kept, monkeypatch):
    monkeypatch.setattr(estimates, "MOST_KEPT", 2)
    (first,) = kept.folder.iterdir()
    os.utime(first, (1, 1))
    for rank in (4, 8):
        kept.keep(CONFIG, Recipe().with_value("lora.rank", rank), CARD, ESTIMATE)
    assert kept.find(CONFIG, Recipe(), CARD) is None
    assert len(list(kept.folder.iterdir())) == 2


def test_that_a_folder_which_cannot_be_made_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("")
    shelf = KeptEstimates(tmp_path / "file" / "estimates", {})
    shelf.keep(CONFIG, Recipe(), CARD, ESTIMATE)
    assert shelf.find(CONFIG, Recipe(), CARD) is None
