"""Tokens of rows, told by an engine that is played here."""

import psutil
import pytest

from studio.domain.recipe import Recipe
from studio.services.inspections import InspectionOrder
from studio.services.token_viewer import RowQuestion, TokenViewer
from studio.storage.chat_files import read_chats
from tests.services.conftest import fake_engine
from tests.services.test_data_inspector import write

PATIENCE_MS = 20_000


def question(line=1, path="/a.jsonl", length=64, loss_on="answers"):
    recipe = Recipe().with_values({"data.path": path, "data.loss_on": loss_on})
    subject = InspectionOrder(recipe, "a model")
    return RowQuestion(subject, line, "", None, length)


class Story:
    def __init__(self):
        self.scenes = ["shows-rows"]
        self.started = []
        self.viewer = TokenViewer(command_for=self.command)
        self.views, self.failed = [], []
        self.viewer.view_ready.connect(self.views.append)
        self.viewer.view_failed.connect(self.failed.append)

    def command(self, verb, *arguments):
        assert verb == "show-rows"
        self.started.append(arguments)
        scene = self.scenes[min(len(self.started), len(self.scenes)) - 1]
        return fake_engine(scene)

    def wait(self, qtbot):
        qtbot.waitUntil(lambda: not self.viewer.is_waiting, timeout=PATIENCE_MS)


@pytest.fixture
def story(qapp):
    told = Story()
    yield told
    told.viewer.close()


def engines():
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
        and any("fake_engine" in part for part in child.cmdline())
    ]


def test_that_one_engine_answers_row_after_row(qtbot, story):
    for line in (3, 5):
        story.viewer.ask(question(line))
        story.wait(qtbot)
    assert [view.line for view in story.views] == [3, 5]
    assert [token.text for token in story.views[0].tokens] == ["line 3"]
    assert len(story.started) == 1


def test_that_only_the_newest_question_is_answered(qtbot, story):
    for line in range(1, 30):
        story.viewer.ask(question(line))
    story.wait(qtbot)
    qtbot.wait(200)
    assert [view.line for view in story.views] == [29]


def test_that_other_data_has_another_engine(qtbot, story):
    story.viewer.ask(question(1))
    story.wait(qtbot)
    story.viewer.ask(question(2, path="/b.jsonl"))
    story.wait(qtbot)
    story.viewer.ask(question(2, path="/b.jsonl", length=128))
    story.wait(qtbot)
    assert len(story.started) == 2
    story.viewer.ask(question(2, path="/b.jsonl", loss_on="everything"))
    story.wait(qtbot)
    assert len(story.started) == 3
    assert len(engines()) == 1


def test_that_an_engine_that_died_is_started_again(qtbot, story):
    story.scenes = ["dies-of-a-row", "shows-rows"]
    story.viewer.ask(question(7))
    story.wait(qtbot)
    assert [view.line for view in story.views] == [7]
    assert len(story.started) == 2


def test_that_a_row_that_kills_every_engine_is_a_finding(qtbot, story):
    story.scenes = ["dies-of-a-row"]
    story.viewer.ask(question(7))
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == ["tokens.silent"]
    assert len(story.started) == 2


def test_that_an_engine_that_fails_in_words_is_not_started_again(qtbot, story):
    story.scenes = ["fails"]
    story.viewer.ask(question(7))
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == ["data.empty"]
    assert len(story.started) == 1


def test_that_a_question_without_patience_ends_the_engine(qtbot, story):
    story.scenes = ["deaf"]
    story.viewer._timer.setInterval(300)
    story.viewer.ask(question(7))
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == ["tokens.slow"]
    assert engines() == []


def test_that_a_viewer_closes_while_it_waits(qtbot, story):
    story.scenes = ["deaf"]
    story.viewer.ask(question(7))
    qtbot.waitUntil(lambda: len(engines()) == 1, timeout=PATIENCE_MS)
    story.viewer.close()
    assert engines() == []
    assert (story.views, story.failed) == ([], [])


def test_that_a_program_that_is_none_is_a_finding(qtbot, story, monkeypatch):
    monkeypatch.setattr(story.viewer, "_command_for", lambda *_: ["/no/such/program"])
    story.viewer.ask(question(7))
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == ["tokens.silent"]


def test_that_a_question_names_the_row_of_a_file(tmp_path):
    file = write(tmp_path / "chats.jsonl", 3)
    recipe = Recipe().with_value("data.path", str(file))
    asked = RowQuestion.about(read_chats(file), 2, recipe)
    assert (asked.line, asked.place, asked.length) == (3, None, 1024)
