"""A run that memory ran out for is led to its end, by the window as by a terminal."""

import pytest

from studio.domain.run import RunState
from studio.services.leading import (
    ACCEPT_CHANGES,
    AGAIN,
    RESUME,
    again,
    resume_arguments,
)
from studio.services.process_outcome import Ordered
from studio.services.run_journal import snapshot_of
from tests.services.test_run_controller import control, example, wait_for_end

__all__ = ["control", "example"]


@pytest.fixture
def wide(example):
    """A recipe whose micro-batch can be halved."""
    return example.recipe.with_value("train.micro_batch", 4)


def test_that_a_run_goes_on_in_less_memory_without_being_told(
    qtbot, control, example, wide
):
    controller = control("runs-out")
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, wide)
    wait_for_end(qtbot, controller)
    assert ends == ["Finished after 5 steps."]
    told = controller.snapshot
    assert told.state is RunState.FINISHED
    assert told.failure is None
    assert [point.step for point in told.steps] == [1, 2, 3, 4, 5]
    assert [each.step for each in told.adaptations] == [2]
    assert "train.micro_batch is 2" in told.findings[-1].what
    assert controller.directory.read_recipe().train.micro_batch == 4


def test_that_a_run_with_no_less_to_ask_for_stays_paused(qtbot, control, example, wide):
    controller = control("runs-out")
    least = wide.with_values({"train.micro_batch": 1, "train.checkpointing": True})
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, least)
    wait_for_end(qtbot, controller)
    assert ends == ["Full."]
    assert controller.snapshot.state is RunState.PAUSED
    assert controller.snapshot.failure.code == "out-of-memory"


def test_that_an_order_to_end_stands_when_memory_runs_out(
    qtbot, control, example, wide
):
    controller = control("runs-out")
    controller.start(example, wide)
    controller.stop()
    wait_for_end(qtbot, controller)
    assert controller.ordered is Ordered.STOP
    assert controller.snapshot.state is RunState.PAUSED
    assert not controller.snapshot.adaptations


def test_that_changes_which_were_accepted_stay_accepted_in_less_memory():
    assert again(()) == AGAIN
    assert again(("--resume",)) == AGAIN
    assert again((*RESUME, ACCEPT_CHANGES)) == (*AGAIN, ACCEPT_CHANGES)
    assert again((*AGAIN, ACCEPT_CHANGES)) == (*AGAIN, ACCEPT_CHANGES)


def test_that_the_window_keeps_them_accepted_too(qtbot, control, example, wide):
    controller = control("runs-out-when-changed")
    controller.start(example, wide)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.LOST
    controller.resume(controller.directory, accept_changes=True)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.FINISHED


def test_that_a_killed_run_goes_on_in_less_memory_only_when_told_to(
    qtbot, control, example, wide
):
    controller = control("killed-until-less")
    controller.start(example, wide)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.LOST
    controller.resume(controller.directory)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.LOST
    assert not controller.snapshot.adaptations
    begun = controller.resume(controller.directory, save_memory=True)
    assert (begun.state, begun.failure) == (RunState.STARTING, None)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.FINISHED
    assert [each.step for each in controller.snapshot.adaptations] == [2]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, RESUME),
        ({"accepts_changes": True}, (*RESUME, ACCEPT_CHANGES)),
        ({"saves_memory": True}, AGAIN),
        (
            {"accepts_changes": True, "saves_memory": True},
            (*AGAIN, ACCEPT_CHANGES),
        ),
    ],
)
def test_that_an_engine_is_told_how_to_go_on(example, given, options):
    told = snapshot_of(example.new_run(example.recipe))
    assert tuple(resume_arguments(told, **given)) == options
