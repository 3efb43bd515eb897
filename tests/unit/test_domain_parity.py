import math
from dataclasses import replace
from itertools import pairwise

import pytest

from studio.domain.finding import Severity
from studio.domain.parity import LIMITS, AnswerPair, Distance, Parity

SAME = Distance(500, 1.0, 1e-8, 1e-7, 4.0, 4.0)
LEARNT = Distance(500, 0.5, 1.0, 9.0, 4.0, 90.0)
ANSWERS = (AnswerPair("Hello", "Hi.", "Hi."), AnswerPair("Bye", "Bye.", "Ciao."))


def parity(form="bf16", **changes):
    return replace(Parity(form, SAME, LEARNT, (), (), ANSWERS), **changes)


def codes(found):
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize("form", LIMITS)
def test_that_what_says_the_same_is_proven(form):
    assert parity(form).is_proven
    assert parity(form).same_answers == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"distance": replace(SAME, agreement=0.9)}, "parity.agreement"),
        ({"distance": replace(SAME, agreement=math.nan)}, "parity.agreement"),
        ({"distance": replace(SAME, exported_perplexity=5.0)}, "parity.perplexity"),
        ({"other_prompts": ("Hello",)}, "parity.prompt"),
        ({"lost_ends": ("</s>",)}, "parity.ends"),
    ],
)
def test_that_each_difference_is_told(changes, code):
    found = parity(**changes)
    assert codes(found) == [code]
    assert not found.is_proven


def test_that_a_date_of_the_day_is_a_warning():
    found = parity(trained_date="26 Jul 2024")
    (told,) = found.findings
    assert told.code == "parity.date"
    assert told.severity is Severity.WARNING
    assert "26 Jul 2024" in told.what
    assert found.is_proven
    assert not parity(trained_date="26 Jul 2024", lost_ends=("</s>",)).is_proven


def test_that_a_coarser_format_may_be_further_away():
    away = replace(SAME, mean_kl=1e-3)
    assert codes(parity("bf16", distance=away)) == []
    assert codes(parity("fp32", distance=away)) == ["parity.divergence", "parity.lost"]


def test_that_little_learning_makes_a_small_distance_matter():
    away = replace(SAME, mean_kl=1e-3)
    weak = replace(LEARNT, mean_kl=5e-3)
    assert codes(parity(distance=away, learnt=weak)) == ["parity.lost"]


def test_that_noise_loses_nothing_of_a_model_that_learnt_nothing():
    found = parity("fp32", learnt=replace(LEARNT, mean_kl=0.0))
    assert found.lost == 0
    assert found.is_proven


def test_that_numbers_that_are_none_are_never_proven():
    broken = Distance(500, 0.0, math.inf, math.inf, 4.0, math.nan)
    assert "parity.divergence" in codes(parity(distance=broken))


def test_that_without_held_out_rows_perplexity_says_nothing():
    found = parity(distance=Distance(500, 1.0, 1e-8, 1e-7))
    assert math.isnan(found.distance.perplexity_ratio)
    assert found.is_proven


def test_that_what_was_converted_has_its_source_s_rounding_too():
    away = replace(SAME, mean_kl=1e-3)
    assert codes(parity("f16", distance=away)) == ["parity.divergence"]
    assert codes(parity("f16", distance=away, made_from="fp32")) != []
    assert codes(parity("f16", distance=away, made_from="bf16")) == []
    assert parity("q8_0", made_from="fp32").limits == LIMITS["q8_0"]


def test_that_coarser_formats_have_wider_limits():
    order = ("fp32", "fp16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m")
    for finer, coarser in pairwise(LIMITS[form] for form in order):
        assert coarser.or_wider(finer) == coarser != finer
