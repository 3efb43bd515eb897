"""The engine that answers beside the window; it is played."""

import pytest

from studio.domain.chatting import Conversation, Sampling, Voice
from studio.protocol.answer_events import AllAnswered, AnswerEnded, AnswerPiece
from studio.services.conversing import ChatSource, ask_for
from studio.services.playground import Playground
from tests.services.conftest import fake_engine
from tests.services.test_token_viewer import engines

PATIENCE_MS = 20_000
VOICES = (Voice.of("base"), Voice.of("adapter"))
SOURCE = ChatSource("/runs/one", "one", VOICES)
OTHER = ChatSource("/runs/other", "other", VOICES)


class Story:
    def __init__(self):
        self.started = []
        self.playground = Playground(command_for=self.command)
        self.events, self.failed, self.courses = [], [], []
        self.playground.event_arrived.connect(self.events.append)
        self.playground.talk_failed.connect(self.failed.append)
        self.playground.course_changed.connect(self.note)
        self.order = 0

    def note(self):
        self.courses.append((self.playground.is_open, self.playground.is_answering))

    def command(self, verb, source):
        assert verb == "chat"
        self.started.append(source)
        return fake_engine("talks")

    def ask(self, question, source=SOURCE, talk=None):
        self.order += 1
        talk = talk or Conversation(source.title)
        order = ask_for(self.order, talk, VOICES, question, Sampling())
        self.playground.ask(source, order)

    def wait(self, qtbot):
        qtbot.waitUntil(lambda: not self.playground.is_answering, timeout=PATIENCE_MS)

    def answers(self):
        return [e.text for e in self.events if isinstance(e, AnswerEnded)]


@pytest.fixture
def story(qapp):
    told = Story()
    yield told
    told.playground.close()


def test_that_one_engine_answers_question_after_question(qtbot, story):
    for question in ("One?", "Two?"):
        story.ask(question)
        story.wait(qtbot)
    assert story.answers() == [
        "base heard One? behind 0",
        "adapter heard One? behind 0",
        "base heard Two? behind 0",
        "adapter heard Two? behind 0",
    ]
    assert story.started == ["/runs/one"]
    assert len(engines()) == 1
    assert story.courses == [(True, True), (True, False)] * 2


def test_that_pieces_arrive_before_the_answer(qtbot, story):
    story.ask("One?")
    story.wait(qtbot)
    kinds = [type(event) for event in story.events]
    assert kinds.index(AnswerPiece) < kinds.index(AnswerEnded)
    assert kinds[-1] is AllAnswered


def test_that_an_answer_is_stopped_where_it_is(qtbot, story):
    story.ask("stop")
    qtbot.waitUntil(
        lambda: any(isinstance(e, AnswerPiece) for e in story.events),
        timeout=PATIENCE_MS,
    )
    story.playground.stop_answer()
    story.wait(qtbot)
    (ended,) = [e for e in story.events if isinstance(e, AnswerEnded)]
    assert ended.ended == "stopped"
    assert story.playground.is_open


def test_that_another_source_has_another_engine(qtbot, story):
    story.ask("One?")
    story.wait(qtbot)
    story.ask("Two?", OTHER)
    story.wait(qtbot)
    assert story.started == ["/runs/one", "/runs/other"]
    assert len(engines()) == 1


def test_that_closing_ends_the_engine_while_it_answers(qtbot, story):
    story.ask("stop")
    qtbot.waitUntil(lambda: len(engines()) == 1, timeout=PATIENCE_MS)
    story.playground.close()
    assert engines() == []
    assert not story.playground.is_open
    assert not story.playground.is_answering
    assert story.failed == []
    assert story.courses[-1] == (False, False)


@pytest.mark.parametrize(
    ("question", "code"), [("fail", "model.gone"), ("die", "chat.silent")]
)
def test_that_an_engine_that_ends_is_a_finding_and_another_answers(
    qtbot, story, question, code
):
    story.ask(question)
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == [code]
    assert not story.playground.is_open
    story.ask("Again?")
    story.wait(qtbot)
    assert story.answers()[-1] == "adapter heard Again? behind 0"


def test_that_a_program_that_is_none_is_a_finding(qtbot, story, monkeypatch):
    monkeypatch.setattr(story.playground, "_command_for", lambda *_: ["/no/such"])
    story.ask("One?")
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == ["chat.silent"]
