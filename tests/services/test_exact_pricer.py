"""Dry runs beside the window: rested, one at a time, ended when nobody asks."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from studio.domain.finding import Finding
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.services import dry_runs
from studio.services.dry_runs import Question
from studio.services.exact_pricer import ExactPricer
from studio.services.pricing import price
from studio.storage.estimates import KeptEstimates
from studio.storage.models import ModelPlace, ModelState
from tests.services.conftest import fake_engine
from tests.unit.test_storage_estimates import CARD, ESTIMATE

PATIENCE_MS = 20_000
CONFIG = {"model_type": "llama", "hidden_size": 64}
FIRST = Recipe().with_value("model.name", "tiny")
RANKS = tuple(FIRST.with_value("lora.rank", rank) for rank in (4, 8, 32))


class Played:
    """A pricer whose engines play a scene; notes what each was told."""

    def __init__(self, scene="prices", rest_ms=0):
        self.scene = scene
        self.started = []
        self.pricer = ExactPricer(rest_ms=rest_ms, command_for=self.command)

    def command(self, verb, *arguments):
        assert verb == "estimate-memory"
        self.started.append(arguments)
        return [*fake_engine(self.scene), *(a for a in arguments if a == "--also")]

    def ask(self, *recipes, device=CARD, config=CONFIG):
        self.pricer.ask(Question(config, device, recipes))

    def engines(self):
        """The engines alive; other tests may have left the process other children."""
        children = psutil.Process().children(recursive=True)
        return [child for child in children if plays(child)]


def plays(process):
    try:
        return any("fake_engine" in part for part in process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@pytest.fixture
def played(qtbot):
    made = []

    def make(*args, **kwargs):
        made.append(Played(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.pricer.close()


def peak(answer):
    assert isinstance(answer, MemoryEstimate), answer
    return answer.peak_bytes


def test_that_each_recipe_is_answered_by_one_engine(qtbot, played):
    play = played()
    recipes = (FIRST, *RANKS)
    play.ask(*recipes)
    assert all(play.pricer.is_at_work_on(recipe) for recipe in recipes)
    qtbot.waitUntil(
        lambda: not any(play.pricer.is_at_work_on(r) for r in recipes),
        timeout=PATIENCE_MS,
    )
    assert len(play.started) == 1
    assert peak(play.pricer.answer(FIRST)) == GIB
    assert peak(play.pricer.answer(RANKS[2])) == 4 * GIB
    refused = play.pricer.answer(RANKS[0])
    assert isinstance(refused, Finding)
    assert refused.what == "Not this one."


def test_that_the_engine_is_told_the_model_the_recipes_and_the_card(qtbot, played):
    play = played("prices-slowly")
    play.ask(FIRST, RANKS[0])
    qtbot.waitUntil(lambda: bool(play.started), timeout=PATIENCE_MS)
    recipe, folder, also, other, *target = play.started[0]
    assert (Path(folder) / "config.json").is_file()
    assert "rank = 16" in Path(recipe).read_text()
    assert also == "--also"
    assert "rank = 4" in Path(other).read_text()
    assert target == ["--card-bytes", str(24 * GIB), "--capability", "8.9"]
    play.pricer.close()
    assert not Path(folder).exists()


def test_that_asking_the_same_again_starts_nothing(qtbot, played):
    play = played("prices-slowly")
    play.ask(FIRST)
    qtbot.waitUntil(lambda: len(play.engines()) == 1, timeout=PATIENCE_MS)
    play.ask(FIRST, device=replace(CARD, free_bytes=GIB))
    qtbot.wait(200)
    assert len(play.started) == 1
    assert len(play.engines()) == 1


def test_that_a_recipe_on_its_way_is_not_rehearsed(qtbot, played):
    play = played(rest_ms=150)
    for recipe in RANKS:
        play.ask(recipe)
    qtbot.waitUntil(lambda: bool(play.pricer.answer(RANKS[-1])), timeout=PATIENCE_MS)
    assert len(play.started) == 1
    assert play.pricer.answer(RANKS[0]) is None
    assert not play.pricer.is_at_work_on(RANKS[0])


def test_that_an_engine_nobody_waits_for_is_ended_before_the_next(qtbot, played):
    play = played("prices-slowly")
    play.ask(FIRST)
    qtbot.waitUntil(lambda: len(play.engines()) == 1, timeout=PATIENCE_MS)
    (first,) = play.engines()
    play.scene = "prices"
    play.ask(RANKS[0])
    qtbot.waitUntil(lambda: bool(play.pricer.answer(RANKS[0])), timeout=PATIENCE_MS)
    assert not plays(first)
    assert play.pricer.answer(FIRST) is None


def test_that_more_recipes_let_the_engine_finish_what_it_has_begun(qtbot, played):
    play = played()
    play.ask(FIRST)
    qtbot.waitUntil(lambda: bool(play.started), timeout=PATIENCE_MS)
    play.ask(FIRST, RANKS[0], RANKS[1], RANKS[2])
    qtbot.waitUntil(
        lambda: not play.pricer.is_at_work_on(RANKS[2]), timeout=PATIENCE_MS
    )
    assert [args.count("--also") for args in play.started] == [0, 2]
    assert peak(play.pricer.answer(FIRST)) == GIB


def test_that_asking_nothing_ends_the_engine(qtbot, played):
    play = played("prices-slowly")
    play.ask(FIRST)
    qtbot.waitUntil(lambda: len(play.engines()) == 1, timeout=PATIENCE_MS)
    play.pricer.ask(None)
    qtbot.waitUntil(lambda: not play.engines(), timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        ("fails", "No rows."),
        ("crash", "ended without a word"),
        ("garbage", "before it came"),
    ],
)
def test_that_an_engine_that_fails_is_told_and_not_tried_again(
    qtbot, played, scene, words
):
    play = played(scene)
    play.ask(FIRST)
    qtbot.waitUntil(lambda: bool(play.pricer.answer(FIRST)), timeout=PATIENCE_MS)
    answer = play.pricer.answer(FIRST)
    assert isinstance(answer, Finding)
    assert words in answer.what
    qtbot.wait(200)
    assert len(play.started) == 1


def test_that_what_was_priced_before_is_answered_at_once(played):
    shelf = KeptEstimates(dry_runs._kept().folder, dry_runs._versions())
    shelf.keep(CONFIG, FIRST, CARD, ESTIMATE)
    play = played(rest_ms=60_000)
    play.ask(FIRST)
    assert peak(play.pricer.answer(FIRST)) == ESTIMATE.peak_bytes
    assert not play.pricer.is_at_work_on(FIRST)


def test_that_another_card_is_another_question(qtbot, played):
    play = played()
    play.ask(FIRST)
    qtbot.waitUntil(lambda: bool(play.pricer.answer(FIRST)), timeout=PATIENCE_MS)
    processor = TrainingDevice(
        kind="cpu", name="CPU", total_bytes=GIB, free_bytes=GIB, has_bf16=False
    )
    play.ask(FIRST, device=processor)
    assert play.pricer.answer(FIRST) is None
    qtbot.waitUntil(lambda: bool(play.pricer.answer(FIRST)), timeout=PATIENCE_MS)
    assert "--card-bytes" not in play.started[1]


def test_that_prices_rest_on_a_dry_run_where_one_was_made():
    # Nothing but the dry run can price a family that the formula doesn't know.
    odd = ModelPlace(
        name="o", title="O", state=ModelState.READY, config={"model_type": "odd"}
    )
    assert isinstance(price(FIRST, odd, CARD), Finding)
    dry_runs._kept().keep(odd.config, FIRST, CARD, ESTIMATE)
    assert price(FIRST, odd, CARD) == ESTIMATE
