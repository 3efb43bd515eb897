"""A run that was joined is led on when its memory runs out, by one follower alone."""

import pytest

from studio.domain.errors import StudioError
from studio.domain.finding import warning
from studio.domain.run import RunState
from studio.protocol.codec import encode, told
from studio.protocol.commands import Stop
from studio.protocol.events import Hello, RunAdapted, RunPaused, Warned
from studio.services import journal_tail, leading
from studio.services.engine_process import EngineProcess
from studio.services.leading import ACCEPT_CHANGES, AGAIN, options_to_lead_on
from studio.services.preferences import KeepRunning
from studio.services.process_outcome import Ordered
from studio.services.run_journal import snapshot_of
from studio.storage import run_lock
from studio.storage.run_lock import is_led, led
from tests.services.test_leading import wide
from tests.services.test_run_controller import (
    PATIENCE_MS,
    control,
    engine_of,
    example,
    wait_for_end,
)

__all__ = ["control", "engine_of", "example", "wide"]

SCENE = "runs-out-when-asked"


@pytest.fixture
def joined(qtbot, control, example, wide, engine_of):
    """Joins a run that nobody leads, so many times."""

    def join(count=1, scene=SCENE, recipe=wide):
        directory = example.new_run(recipe)
        engine_of(directory, scene)
        qtbot.waitUntil(
            lambda: bool(snapshot_of(directory).checkpoints), timeout=PATIENCE_MS
        )
        followers = [control(scene) for _ in range(count)]
        for follower in followers:
            follower.attach(directory)
        return directory, *followers

    return join


def count(directory, kind):
    return sum(isinstance(event, kind) for event in directory.events())


def test_that_a_joined_run_goes_on_in_less_memory(qtbot, joined):
    directory, follower = joined()
    ends = []
    follower.run_ended.connect(ends.append)
    follower.sample_now()
    wait_for_end(qtbot, follower)
    assert ends == ["Finished after 5 steps."]
    run = follower.snapshot
    assert run.state is RunState.FINISHED
    assert [point.step for point in run.steps] == [1, 2, 3, 4, 5]
    assert [(each.step, each.changes) for each in run.adaptations] == [
        (2, (("train.micro_batch", 4, 2),))
    ]
    assert count(directory, Hello) == 2
    assert not is_led(directory)


def test_that_a_second_follower_starts_nothing_and_sees_the_end(qtbot, joined):
    directory, first, second = joined(2)
    first.sample_now()
    wait_for_end(qtbot, first)
    wait_for_end(qtbot, second)
    assert first.snapshot.state is second.snapshot.state is RunState.FINISHED
    assert second.snapshot.adaptations == first.snapshot.adaptations
    assert count(directory, Hello) == 2
    assert count(directory, RunAdapted) == 1


def test_that_who_started_a_run_leads_it_and_not_its_follower(
    qtbot, control, example, wide
):
    starter, follower = control(SCENE), control(SCENE)
    starter.start(example, wide)
    qtbot.waitUntil(lambda: bool(starter.snapshot.checkpoints), timeout=PATIENCE_MS)
    follower.attach(starter.directory)
    starter.sample_now()
    wait_for_end(qtbot, starter)
    wait_for_end(qtbot, follower)
    assert starter.snapshot.state is follower.snapshot.state is RunState.FINISHED
    assert count(starter.directory, Hello) == 2


def test_that_the_next_follower_leads_when_the_first_is_gone(qtbot, joined):
    directory, first, second = joined(2)
    first.close(keep_running=True)
    qtbot.waitUntil(lambda: is_led(directory), timeout=PATIENCE_MS)
    second.sample_now()
    wait_for_end(qtbot, second)
    assert second.snapshot.state is RunState.FINISHED
    assert count(directory, RunAdapted) == 1


def test_that_a_leader_who_leaves_a_run_paused_leaves_it_so_for_all(qtbot, joined):
    directory, first, second = joined(2)
    first.sample_now()
    first._ordered = Ordered.STOP  # an order that its engine doesn't hear any more
    wait_for_end(qtbot, first)
    wait_for_end(qtbot, second)
    assert first.snapshot.state is second.snapshot.state is RunState.PAUSED
    assert count(directory, Hello) == 1


@pytest.mark.parametrize("by", ["follower", "somebody else"])
def test_that_an_order_to_end_stands_for_a_joined_run(qtbot, joined, by):
    directory, follower = joined()
    if by == "follower":
        follower.stop()
    else:
        directory.post_box.post(Stop())
    wait_for_end(qtbot, follower)
    assert follower.snapshot.state is RunState.PAUSED
    assert count(directory, Hello) == 1


def test_that_an_order_from_elsewhere_stands_for_an_own_run(
    qtbot, control, example, wide
):
    controller = control(SCENE)
    controller.start(example, wide)
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    controller.directory.post_box.post(Stop())
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.PAUSED
    assert not controller.snapshot.adaptations


def test_that_a_joined_run_with_no_less_to_ask_for_stays_paused(qtbot, joined, wide):
    least = wide.with_values({"train.micro_batch": 1, "train.checkpointing": True})
    directory, follower = joined(recipe=least)
    ends = []
    follower.run_ended.connect(ends.append)
    follower.sample_now()
    wait_for_end(qtbot, follower)
    assert ends == ["Full."]
    assert count(directory, Hello) == 1
    assert not is_led(directory)


def test_that_a_hanging_engine_is_ended_before_the_next_one_starts(
    qtbot, joined, monkeypatch
):
    monkeypatch.setattr(journal_tail, "EXIT_PATIENCE_S", 0.3)
    directory, follower = joined(scene="runs-out-and-hangs")
    follower.sample_now()
    wait_for_end(qtbot, follower)
    assert follower.snapshot.state is RunState.FINISHED
    assert count(directory, RunAdapted) == 1


def test_that_an_engine_of_a_joined_run_outlives_its_window_too(
    qtbot, joined, monkeypatch
):
    started = []
    start = EngineProcess.start
    monkeypatch.setattr(
        EngineProcess, "start", lambda self: (started.append(self), start(self))
    )
    _, follower = joined()
    assert follower._preferences.keep_running is not KeepRunning.YES
    follower.sample_now()
    wait_for_end(qtbot, follower)
    (engine,) = started
    assert engine.keep_running


def test_that_a_run_which_another_leads_is_not_gone_on_with(
    control, example, wide, monkeypatch
):
    monkeypatch.setattr(run_lock, "_PATIENCE_S", 0.0)
    directory = paused(example.new_run(wide))
    controller = control()
    with led(directory), pytest.raises(StudioError, match="being trained by another"):
        controller.resume(directory)
    assert not controller.is_running


@pytest.mark.parametrize("accepted", [True, False])
def test_that_changes_stay_accepted_as_far_as_the_journal_tells(
    example, wide, accepted
):
    found = told(warning("run.changed", "Since step 1 the data changed."))
    directory = example.new_run(wide)
    paused(directory, Warned(finding=found))
    if not accepted:
        paused(directory)  # by a later engine, which had nothing to accept
    more = (ACCEPT_CHANGES,) if accepted else ()
    assert options_to_lead_on(snapshot_of(directory)) == (*AGAIN, *more)


def test_that_a_joined_run_helps_itself_so_often_and_no_more(
    example, wide, monkeypatch
):
    directory = example.new_run(wide)
    halved = {"before": {"train.micro_batch": 4}, "after": {"train.micro_batch": 2}}
    paused(directory, RunAdapted(step=1, **halved))
    assert options_to_lead_on(snapshot_of(directory)) is not None
    monkeypatch.setattr(leading, "MOST_TIMES", 1)
    assert options_to_lead_on(snapshot_of(directory)) is None


def paused(directory, *before):
    """Let an engine write of a run that memory ran out for."""
    word = RunPaused(step=1, kind="out-of-memory", message="Full.")
    said = Hello(protocol=1, verb="train", pid=1, started_at=1.0), *before, word
    with directory.journal_path.open("ab") as journal:
        journal.writelines(map(encode, said))
    return directory
