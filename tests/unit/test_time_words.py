"""How spans of time are said."""

import pytest

from studio.domain.time_words import duration, duration_range


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.4, "4 s"), (1471, "24 min 31 s"), (3720, "1 h 2 min"), (-3, "0 s")],
)
def test_that_a_measured_span_is_said_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.44, 0.9, "0.4 to 0.9 s"),
        (5, 5.2, "5 s"),
        (90, 40, "40 to 90 s"),
        (700, 900, "12 to 15 min"),
        (1800, 7199, "30 to 120 min"),
        (3000, 12_000, "50 min to 3 h 20 min"),
        (12_000, 14_700, "3 h 20 min to 4 h 5 min"),
    ],
)
def test_that_an_estimated_span_has_the_unit_that_suits_its_end(low, high, words):
    assert duration_range(low, high) == words
