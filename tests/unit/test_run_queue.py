"""Runs that wait: their order, their times, sweeps, and the document they lie in."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import error
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, sweep, time_of
from studio.domain.waypoints import watch
from studio.services import run_queue
from studio.services.library import all_runs
from studio.services.project_store import create_project, open_project
from studio.services.run_queue import RunQueue
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import held

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
    queue = three().troubled(1, error("data.missing", "No such file."))
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
    missing = error("data.missing", "No such file.", fix="Choose another.")
    kept.change(lambda queue: queue.timed(2, LATER).troubled(1, missing))
    again = RunQueue(tmp_path / "queue")
    assert again.read() == kept.read()
    assert again.recipe(1).lora.rank == 8
    assert again.read().run(1).token != again.read().run(2).token
    assert again.read().run(2).start_at == LATER


def test_that_a_removed_run_leaves_no_recipe_behind(kept, tmp_path):
    kept.add("P", [("a", Recipe())])
    kept.change(lambda queue: queue.removed(1))
    assert sorted(file.name for file in (tmp_path / "queue").glob("*.toml")) == [
        "queue.toml"
    ]


class PowerCutError(Exception):
    """Ends a change as if the machine had gone."""


def cut(place, *_):
    if place == "queue.written":
        raise PowerCutError


def test_that_a_recipe_left_by_a_cut_goes_with_the_next_change(kept, tmp_path):
    first, second = kept.add("P", [("a", Recipe()), ("b", Recipe())])
    watch(cut)
    try:
        with pytest.raises(PowerCutError):
            kept.remove([first.number])
    finally:
        watch(None)
    assert numbers(kept.read()) == [second.number]
    kept.change(lambda queue: queue.moved(second.number, 1))
    left = {path.name for path in (tmp_path / "queue").glob("[0-9]*.toml")}
    assert left == {f"{second.number}.toml"}


def test_that_a_run_stays_in_the_queue_until_its_engine_has_spoken(kept, tmp_path):
    kept.add("P", [("a", Recipe()), ("b", Recipe())])

    def make(queued, recipe):
        return RunDirectory.create(tmp_path / "runs", queued.title, recipe)

    queued, directory = kept.take(NOW, make)
    assert (queued.title, directory.name) == ("a", "a-1")
    assert numbers(kept.read()) == [1, 2]
    assert numbers(kept.remove([queued.number])) == [2]


def made_for(tmp_path, monkeypatch):
    """What makes runs in a project's folder that the library looks into."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    project = create_project("P")
    return lambda queued, recipe: project.new_run(recipe, queued.token)


def test_that_a_start_cut_off_is_taken_up_in_its_own_directory(
    kept, tmp_path, monkeypatch
):
    make = made_for(tmp_path, monkeypatch)
    kept.add("P", [("a", Recipe()), ("b", Recipe())])
    _, before = kept.take(NOW, make)
    _, after = RunQueue(kept._folder.path).take(NOW, make)  # the power came back
    assert before == after
    assert len(all_runs()) == 1


@pytest.mark.parametrize("trace", ["journal", "lock"])
def test_that_a_run_that_was_started_is_not_started_again(
    kept, tmp_path, monkeypatch, trace
):
    make = made_for(tmp_path, monkeypatch)
    kept.add("P", [("a", Recipe())])
    _, directory = kept.take(NOW, make)
    if trace == "journal":
        directory.journal_path.write_text("")
    with held(directory) if trace == "lock" else nullcontext():
        assert kept.take(NOW, make) is None
    assert kept.read().runs == ()
    assert len(all_runs()) == 1


def test_that_a_run_of_the_same_name_is_not_taken_for_the_entry(
    kept, tmp_path, monkeypatch
):
    make = made_for(tmp_path, monkeypatch)
    kept.add("P", [("a", Recipe())])
    open_project("p").new_run(Recipe())
    assert kept.take(NOW, make)[1].name == "p-2"


def test_that_only_a_run_that_passes_its_check_is_ready(kept):
    low, high = Recipe().with_value("lora.rank", 8), Recipe()
    kept.add("P", [("a", low), ("b", high)], start_at=NOW)

    def check(recipe):
        if recipe == low:
            raise refusal("memory.short", "Short by 1 GiB.")

    assert kept.ready(NOW - timedelta(minutes=1), check) is None
    assert kept.ready(NOW, check).number == 2
    assert kept.read().run(1).trouble.what == "Short by 1 GiB."


def test_that_advice_and_code_of_a_trouble_are_kept_apart(kept, tmp_path):
    kept.add("P", [("a", Recipe())])
    fetch = error(
        "a.b", "It isn't here.", why="So.", fix="Fetch it.", where="data.path"
    )
    kept.mark(1, fetch)
    (left,) = RunQueue(tmp_path / "queue").read().runs
    told = error("a.b", "data.path: It isn't here. So.", fix="Fetch it.")
    assert left.trouble == told
    assert left.trouble.sentence() == fetch.sentence()


def test_that_the_trouble_of_an_older_entry_is_read(kept):
    kept.add("P", [("a", Recipe())])
    document = kept._folder._document_path
    older = document.read_text().replace('title = "a"', 'trouble = "It is. Mend it."')
    document.write_text(older)
    (left,) = kept.read().runs
    assert left.trouble.sentence() == "It is. Mend it."


def test_that_several_are_removed_even_when_one_is_gone(kept):
    kept.add("P", [("a", Recipe()), ("b", Recipe()), ("c", Recipe())])
    assert numbers(kept.remove([1, 3, 7])) == [2]


def test_that_it_can_be_told_whether_the_queue_is_driven(kept):
    assert not kept.is_driven()
    with kept.driven():
        assert RunQueue(kept._folder.path).is_driven()
    assert not kept.is_driven()


def test_that_a_run_that_cannot_start_does_not_hold_up_the_next(kept, tmp_path):
    kept.add("P", [("a", Recipe()), ("b", Recipe())])
    (tmp_path / "queue" / "1.toml").unlink()

    def make(queued, recipe):
        return RunDirectory.create(tmp_path / "runs", queued.title, recipe)

    queued, directory = kept.take(NOW, make)
    assert directory.name == "b-1"
    kept.remove([queued.number])
    assert kept.take(NOW, make) is None
    (left,) = kept.read().runs
    assert "no recipe at this place" in left.trouble.sentence()


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
