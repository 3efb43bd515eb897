import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.learning_rates import best_rate, steady_rate
from studio.domain.recipe import Recipe
from tests.bench.formula_grid import ARCHITECTURES

# QLoRA, arXiv 2305.14314, table 9: what LLaMA of each width was trained at.
QLORA = {4096: 2e-4, 5120: 2e-4, 6656: 1e-4, 8192: 1e-4}


def wide(width):
    config = dict(ARCHITECTURES["llama-3.1-8b"], hidden_size=width)
    return ModelArchitecture.from_config(config)


@pytest.mark.parametrize("width", QLORA)
def test_that_the_rates_of_qlora_are_proposed(width):
    assert steady_rate(wide(width), Recipe()) == QLORA[width]


def test_that_narrow_models_learn_faster_than_wide_ones():
    rates = [steady_rate(wide(width), Recipe()) for width in (576, 2048, 4096, 8192)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 9e-4


def test_that_a_proposed_rate_keeps_below_the_best():
    for width in (128, 576, 960, 2048, 3072, 4096, 12288):
        assert steady_rate(wide(width), Recipe()) < best_rate(wide(width), Recipe())


def test_that_all_weights_take_a_tenth():
    whole = Recipe().with_value("train.weights", "all")
    model = wide(4096)
    assert best_rate(model, whole) == pytest.approx(best_rate(model, Recipe()) / 10)


def test_that_a_faster_b_takes_half_the_rate_at_the_ratio_that_is_advised():
    plus = Recipe().with_value("lora.plus_ratio", 16.0)
    assert best_rate(wide(4096), plus) == pytest.approx(
        best_rate(wide(4096), Recipe()) / 2
    )


def test_that_lion_takes_a_third_to_a_tenth():
    lion = Recipe().with_value("train.optimizer", "lion_8bit")
    share = best_rate(wide(4096), lion) / best_rate(wide(4096), Recipe())
    assert 1 / 10 < share < 1 / 3


@pytest.mark.parametrize(("method", "share"), [("dpo", 0.05), ("orpo", 0.4)])
def test_that_judgements_are_learnt_in_smaller_steps(method, share):
    judged = Recipe().with_value("train.method", method)
    usual = best_rate(wide(4096), Recipe())
    assert best_rate(wide(4096), judged) == pytest.approx(usual * share)
