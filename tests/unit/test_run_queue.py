"""Runs that wait: their order, their times, sweeps, and the document they lie in."""

from datetime import UTC, datetime, timedelta

import pytest

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, sweep, time_of
from studio.services import run_queue
from studio.services.run_queue import RunQueue
from studio.storage.run_directory import RunDirectory

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


def numbers(queue):
    return [run.number for run in queue.runs]


def three():
    return Queue().added("P", "a").added("P", "b").added("P", "c")


@pytest.fixture
def kept(tmp_path):
    return RunQueue(tmp_path / "queue")


def test_that_runs_start_in_order_and_a_time_holds_up_only_its_own():
    queue = three().timed(1, LATER)
    assert queue.due(NOW).number == 2
    assert queue.due(LATER).number == 1
    assert queue.next_time() == LATER


@pytest.mark.parametrize(
    ("place", "order"), [(1, [3, 1, 2]), (2, [1, 3, 2]), (99, [1, 2, 3])]
)
def test_that_a_run_is_put_at_another_place(place, order):
    assert numbers(three().moved(3, place)) == order


def test_that_numbers_are_not_given_again():
    queue = three().removed(3).added("P", "d")
    assert numbers(queue) == [1, 2, 4]


def test_that_a_run_in_trouble_waits_until_it_is_moved():
    queue = three().troubled(1, "No such file.")
    assert queue.due(NOW).number == 2
    assert queue.moved(1, 1).due(NOW).number == 1


def test_that_an_unknown_number_is_refused_with_those_that_wait():
    with pytest.raises(StudioError) as refused:
        three().removed(7)
    assert "1, 2, 3" in refused.value.finding.how_to_fix


def test_that_a_sweep_is_every_combination():
    swept = list(sweep(Recipe(), ["train.learning_rate=1e-4,2e-4", "lora.rank=8,16"]))
    values = [(r.train.learning_rate, r.lora.rank) for _, r in swept]
    assert values == [(1e-4, 8), (1e-4, 16), (2e-4, 8), (2e-4, 16)]
    assert swept[1][0] == "train.learning_rate=1e-4 lora.rank=16"
    assert [r for _, r in sweep(Recipe(), [])] == [Recipe()]


@pytest.mark.parametrize(
    "options",
    [
        ["lora.rank="],
        ["lora.rank"],
        ["lora.rank=8,many"],
        ["no.such=1,2"],
        ["lora.rank=1,2", "lora.alpha=1,2", "train.seed=1,2", "train.epochs=1,2"],
        [f"train.seed={','.join(map(str, range(65)))}"],
    ],
)
def test_that_a_sweep_that_is_none_is_refused(options):
    with pytest.raises(StudioError):
        list(sweep(Recipe(), options))


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("21:30", NOW.replace(hour=21, minute=30)),
        ("9:15", NOW.replace(day=27, hour=9, minute=15)),
        ("20:00", NOW + timedelta(days=1)),
        ("2026-11-28 06:00", datetime(2026, 11, 28, 6, tzinfo=UTC)),
        ("now", None),
    ],
)
def test_that_a_time_is_read_as_a_person_means_it(typed, moment):
    assert time_of(typed, NOW) == moment


@pytest.mark.parametrize("typed", ["", "soon", "25:00", "2026-13-01 06:00"])
def test_that_what_is_no_time_is_refused(typed):
    with pytest.raises(StudioError) as refused:
        time_of(typed, NOW)
    assert refused.value.finding.code == "queue.time"


def test_that_the_queue_survives_a_restart(kept, tmp_path):
    recipe = Recipe().with_value("lora.rank", 8)
    kept.add("Words", [("a", recipe), ("b", Recipe())])
    kept.change(lambda queue: queue.timed(2, LATER).troubled(1, "No."))
    again = RunQueue(tmp_path / "queue")
    assert again.read() == kept.read()
    assert again.recipe(1).lora.rank == 8
    assert again.read().run(2).start_at == LATER


def test_that_a_removed_run_leaves_no_recipe_behind(kept, tmp_path):
    kept.add("P", [("a", Recipe())])
    kept.change(lambda queue: queue.removed(1))
    assert sorted(file.name for file in (tmp_path / "queue").glob("*.toml")) == [
        "queue.toml"
    ]


def test_that_a_run_leaves_the_queue_when_it_has_started(kept, tmp_path):
    kept.add("P", [("a", Recipe()), ("b", Recipe())])

    def start(queued, recipe):
        assert kept.read().runs[0] == queued  # a power cut here loses nothing
        return RunDirectory.create(tmp_path / "runs", queued.title, recipe)

    assert kept.take(NOW, start).name == "a-1"
    assert numbers(kept.read()) == [2]


def test_that_a_run_that_cannot_start_does_not_hold_up_the_next(kept, tmp_path):
    kept.add("P", [("a", Recipe()), ("b", Recipe())])
    (tmp_path / "queue" / "1.toml").unlink()

    def start(queued, recipe):
        return RunDirectory.create(tmp_path / "runs", queued.title, recipe)

    assert kept.take(NOW, start).name == "b-1"
    assert kept.take(NOW, start) is None
    (left,) = kept.read().runs
    assert "no recipe at this place" in left.trouble


def test_that_a_run_removed_while_it_starts_is_no_error(kept, tmp_path):
    kept.add("P", [("a", Recipe())])

    def start(queued, recipe):
        kept.change(lambda queue: queue.removed(1))
        return RunDirectory.create(tmp_path / "runs", queued.title, recipe)

    assert kept.take(NOW, start).name == "a-1"
    assert kept.read().runs == ()


def test_that_one_program_at_a_time_starts_runs(kept, tmp_path):
    with kept.driven():
        with pytest.raises(StudioError) as refused, kept.driven():
            pass
        assert refused.value.finding.code == "queue.driven"
    with kept.driven():
        pass


def test_that_a_queue_that_is_busy_is_told(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(run_queue, "_LOCK_PATIENCE_S", 0.0)
    with kept._locked(), pytest.raises(StudioError) as refused:
        kept.add("P", [("a", Recipe())])
    assert refused.value.finding.code == "queue.busy"
    assert kept.read().runs == ()
