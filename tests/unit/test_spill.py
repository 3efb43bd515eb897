"""Whether memory spills is told from fullness and slowness together."""

import pytest

from studio.domain.hardware import GIB
from studio.domain.spill import SETTING, SpillWatch

FULL, HALF, ALL = 12 * GIB - 100, 6 * GIB, 12 * GIB


def told(watch: SpillWatch, *steps: tuple[float, int]):
    found = [watch.take(seconds, used, ALL) for seconds, used in steps]
    return [finding for finding in found if finding is not None]


USUAL = [(1.0, FULL)] * 10


@pytest.mark.parametrize("platform", ["WSL", "Windows"])
def test_that_slow_steps_on_a_full_card_are_told_once_with_the_setting_s_name(platform):
    watch = SpillWatch(platform)
    (finding,) = told(watch, *USUAL, *[(4.0, FULL)] * 6)
    assert "4.0 s in place of 1.0 s" in finding.what
    assert SETTING in finding.how_to_fix
    assert platform in finding.why


@pytest.mark.parametrize(
    "steps",
    [
        [*USUAL, *[(4.0, HALF)] * 6],
        [*USUAL, *[(1.9, FULL)] * 6],
        [*USUAL, (4.0, FULL), (4.0, FULL), (1.0, FULL), (4.0, FULL)],
        [(1.0, FULL)] * 2 + [(4.0, FULL)] * 6,
    ],
    ids=["not full", "not slow", "not lasting", "not known before"],
)
def test_that_one_sign_alone_is_not_enough(steps):
    assert told(SpillWatch("WSL"), *steps) == []


def test_that_where_a_full_card_is_an_error_nothing_is_suspected():
    assert told(SpillWatch(""), *USUAL, *[(4.0, FULL)] * 6) == []
