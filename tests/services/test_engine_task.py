import pytest

from studio.domain.finding import Severity
from studio.protocol.events import Hello, PhaseChanged
from studio.protocol.export_events import Merged
from studio.services.engine_task import EngineTask
from studio.services.model_shelf import ModelShelf, ModelState
from tests.services.conftest import fake_engine

PATIENCE_MS = 20_000


class Story:
    def __init__(self, task):
        self.task = task
        self.events = []
        self.done = []
        self.failed = []
        task.event_arrived.connect(self.events.append)
        task.task_done.connect(self.done.append)
        task.task_failed.connect(self.failed.append)


@pytest.fixture
def play(qtbot):
    tasks = []

    def begin(scene):
        task = EngineTask("merge", command=fake_engine(scene))
        tasks.append(task)
        story = Story(task)
        task.start()
        return story

    yield begin
    for task in tasks:
        task.close()


def wait(qtbot, story):
    qtbot.waitUntil(lambda: not story.task.is_running, timeout=PATIENCE_MS)


def test_that_a_deeds_result_is_its_last_word(qtbot, play):
    story = play("merges")
    assert story.task.is_running
    wait(qtbot, story)
    (result,) = story.done
    assert isinstance(result, Merged)
    assert [type(event) for event in story.events] == [Hello, PhaseChanged, Merged]
    assert story.failed == []


@pytest.mark.parametrize(
    ("scene", "code"), [("fails", "data.empty"), ("killed", "engine.ended")]
)
def test_that_a_failed_deed_is_told_as_a_finding(qtbot, play, scene, code):
    story = play(scene)
    wait(qtbot, story)
    assert [finding.code for finding in story.failed] == [code]
    assert story.done == []


def test_that_a_cancelled_deed_is_remarked_on_only(qtbot, play):
    story = play("deaf")
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    story.task.cancel()
    wait(qtbot, story)
    (finding,) = story.failed
    assert (finding.code, finding.severity) == ("task.cancelled", Severity.INFO)


def test_that_a_deed_is_started_once(qtbot, play):
    story = play("merges")
    story.task.start()
    wait(qtbot, story)
    assert len(story.done) == 1


def test_that_a_task_that_was_never_started_closes_at_once():
    task = EngineTask("merge", command=fake_engine("merges"))
    task.close()
    assert not task.is_running


def test_that_the_shelf_shows_the_known_model_and_its_shape(home):
    shelf = ModelShelf()
    (place,) = [p for p in shelf.entries() if p.name == "SmolLM2-135M-Instruct"]
    assert place.state is ModelState.CONVERTIBLE
    assert shelf.look_up(place.name) == place
    shape = shelf.architecture_of(place)
    assert shape is not None
    assert shape.layers == 30
    assert shelf.prepare(place.name).verb == "prepare-model"
