"""A wait counts only the time in which memory was free without a break."""

import pytest

from studio.domain.free_wait import LONGEST_GAP_S, FreeWait
from studio.domain.hardware import GIB, TrainingDevice

NEED = FreeWait(need_bytes=8 * GIB, hold_s=60.0, kind="cuda")


def card(free: float) -> TrainingDevice:
    return TrainingDevice(
        kind="cuda",
        name="A card",
        total_bytes=12 * GIB,
        free_bytes=round(free * GIB),
        has_bf16=True,
    )


PROCESSOR = TrainingDevice(
    kind="cpu",
    name="A processor",
    total_bytes=64 * GIB,
    free_bytes=60 * GIB,
    has_bf16=True,
)


def looked(*looks: tuple[float, TrainingDevice]) -> FreeWait:
    wait = NEED
    for now, device in looks:
        wait = wait.seen(device, now)
    return wait


def steady(until: int) -> list[tuple[float, TrainingDevice]]:
    return [(float(now), card(9)) for now in range(0, until + 1, 10)]


def test_that_memory_free_without_a_break_ends_the_wait():
    assert not looked(*steady(50)).is_over
    assert looked(*steady(50)).seconds_left == 10.0
    assert looked(*steady(60)).is_over


def test_that_the_need_itself_is_enough():
    assert looked((0.0, card(8.0))).seconds_left == 60.0
    assert looked((0.0, card(7.99))).seconds_left is None


@pytest.mark.parametrize(
    "broken_by",
    [(55.0, card(7.9)), (55.0, PROCESSOR)],
    ids=["another program", "a driver that does not answer"],
)
def test_that_a_break_begins_the_wait_anew(broken_by):
    wait = looked(*steady(50), broken_by)
    assert wait.seconds_left is None
    assert wait.seen(card(9), 60.0).seconds_left == 60.0


def test_that_time_in_which_nobody_looked_does_not_count():
    slept = 50.0 + LONGEST_GAP_S + 1
    assert looked(*steady(50), (slept, card(9))).seconds_left == 60.0
    assert looked(*steady(50), (50.0 + LONGEST_GAP_S, card(9))).is_over


def test_that_a_run_which_trains_meanwhile_is_a_break():
    wait = looked(*steady(50)).seen(card(9), 60.0, busy_with="sql-2")
    assert not wait.is_over
    assert wait.sentence() == "Waits for sql-2 to end."
    assert wait.seen(card(9), 61.0).seconds_left == 60.0


def test_that_no_time_at_all_may_be_asked_for():
    at_once = FreeWait(need_bytes=8 * GIB, hold_s=0.0, kind="cuda")
    assert not at_once.is_over
    assert at_once.seen(card(9), 0.0).is_over


@pytest.mark.parametrize(
    ("looks", "sentence"),
    [
        ((), ""),
        ([(0.0, card(3))], "Waits for 8.00 GiB on A card. Free now: 3.00 GiB."),
        ([(0.0, PROCESSOR)], "Waits for the card, which does not answer."),
        (
            steady(20),
            "8.00 GiB are free on A card. Goes on in 40 s if they stay free.",
        ),
    ],
)
def test_that_it_says_what_it_waits_for(looks, sentence):
    assert looked(*looks).sentence() == sentence
