"""What a journal tells for a card: losses, time and energy, nothing invented."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from studio.engine.exporting.course import Course, fold, joules_of
from studio.engine.exporting.loss_curve import loss_curve
from studio.protocol.events import (
    EvalFinished,
    Hello,
    RunFinished,
    RunResumed,
    StepFinished,
)
from studio.protocol.machine_sample import MachineSample

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
LINE = "{http://www.w3.org/2000/svg}polyline"


def at(seconds):
    return BEGAN + timedelta(seconds=seconds)


def hello(seconds, device="Some card"):
    return Hello(
        at=at(seconds), protocol=1, verb="train", pid=1, started_at=0.0, device=device
    )


def step(number, seconds, loss):
    return StepFinished(
        at=at(seconds), step=number, total=9, epoch=0.1, loss=loss, lr=1e-4
    )


def folded(*events):
    course = Course()
    fold(course, events)
    return course


def test_that_steps_done_again_count_once_and_pauses_not_at_all():
    course = folded(
        hello(0),
        EvalFinished(at=at(1), step=0, loss=3.0, rows=4),
        step(1, 2, 2.5),
        step(2, 4, 2.4),
        hello(1000),
        RunResumed(at=at(1001), step=1),
        step(2, 1003, 2.2),
        EvalFinished(at=at(1004), step=2, loss=2.0, rows=4),
        RunFinished(at=at(1005), adapter="adapter", steps=2),
    )
    assert course.losses == {1: 2.5, 2: 2.2}
    assert course.held_out == {0: 3.0, 2: 2.0}
    assert course.seconds == 4 + 5
    assert (course.device, course.saved_step) == ("Some card", 2)


def test_that_the_best_step_is_the_saved_one():
    done = RunFinished(at=at(3), adapter="adapter", steps=9, saved_step=4)
    assert folded(hello(0), done).saved_step == 4


def sample(seconds, power):
    return MachineSample(at=at(seconds), total_bytes=1, free_bytes=1, power_w=power)


@pytest.mark.parametrize(
    ("readings", "joules"),
    [
        ([(0, 100.0), (1, 200.0), (3, 200.0)], 150.0 + 400.0),
        ([(0, 100.0), (1, 100.0), (500, 100.0), (501, 300.0)], 100.0 + 200.0),
        ([(0, 100.0), (1, None), (2, 100.0)], None),
        ([(0, 100.0)], None),
        ([], None),
    ],
)
def test_that_energy_is_power_over_the_time_that_was_watched(readings, joules):
    assert joules_of([sample(*each) for each in readings]) == joules


def test_that_many_steps_are_drawn_as_means_in_order():
    course = Course(losses={n: 4.0 - n / 1000 for n in range(1, 3001)})
    drawn = ET.fromstring(loss_curve(course))
    (line,) = drawn.findall(LINE)
    points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    assert len(points) == 300
    assert points == sorted(points), "to the right, and down the page"


@pytest.mark.parametrize(
    "course",
    [
        Course(),
        Course(losses={1: 2.0}),
        Course(losses={1: float("nan"), 2: 2.0}),
    ],
)
def test_that_no_line_is_drawn_through_less_than_two_points(course):
    assert loss_curve(course) == ""


@pytest.mark.parametrize(
    "losses", [{1: 2.0, 2: 2.0}, {1: 0.0, 2: 0.0}, {1: 1e-9, 9: 5e4}]
)
def test_that_any_losses_fit_into_the_picture(losses):
    drawn = ET.fromstring(loss_curve(Course(losses=losses)))
    (line,) = drawn.findall(LINE)
    for point in line.get("points").split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 720
        assert 0 <= y <= 280
