"""Remembering in main memory, on a card: it learns the same and holds less."""

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.engine.random_weights import write_random_model
from studio.storage.recipes import save_recipe
from tests.gpu.runs import adapted, engine, weights
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import case, measure, write_config

pytestmark = [pytest.mark.gpu, pytest.mark.torch, pytest.mark.slow]

LONG = {"train__sequence_length": 4096, "train__micro_batch": 2}
PLAIN = {"train__checkpointing": True}
OFFLOADED = {**PLAIN, "train__offload": True}


def test_that_it_learns_the_same_bit_for_bit(card, run_of):
    plain, moved = run_of(**PLAIN), run_of(**OFFLOADED)
    for run in (plain, moved):
        done = engine(run)
        assert done.returncode == 0, done.stderr
    assert weights(moved) == weights(plain)


def test_that_going_on_equals_never_having_stopped(card, run_of):
    straight, broken = run_of(**OFFLOADED), run_of(**OFFLOADED)
    assert engine(straight).returncode == 0
    assert engine(broken, SNUGTUNE_FAULTS="step.begun:kill@7").returncode != 0
    done = engine(broken, "--resume")
    assert done.returncode == 0, done.stderr
    assert weights(broken) == weights(straight)


def test_that_a_run_that_ran_out_goes_on_with_it(card, run_of):
    straight, run = run_of(**PLAIN), run_of(**PLAIN)
    for each in (straight, run):
        one = each.read_recipe().with_values(
            {"train.micro_batch": 1, "train.accumulation": 1}
        )
        save_recipe(each.recipe_path, one)
    assert engine(straight).returncode == 0
    assert engine(run, SNUGTUNE_FAULTS="step:oom@7").returncode != 0
    done = engine(run, "--resume", "--save-memory")
    assert done.returncode == 0, done.stderr
    assert [each["after"] for each in adapted(run)] == [{"train.offload": True}]
    assert weights(run) == weights(straight)


def test_that_the_card_holds_less_by_all_states_but_one(card, tmp_path):
    shape = SHAPES["Llama-3.2-1B"]
    config = write_config(shape, tmp_path / "config")
    write_random_model(config, tmp_path / "model")
    peaks = {}
    for offload in (False, True):
        chosen = case("Llama-3.2-1B", **LONG, train__offload=offload)
        _, measured = measure(chosen, tmp_path / "model", tmp_path)
        peaks[offload] = measured.phases["forward"].allocated
    model = ModelArchitecture.from_config(shape)
    layers = sum(count for _, count in model.decoder.kinds)
    state = 2 * 4096 * model.hidden * 2
    saved = peaks[False] - peaks[True]
    assert saved == pytest.approx((layers - 1) * state, rel=0.02)
