"""The Playground page: two voices asked, stopped, saved, and their memory freed."""

import json

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from studio.services.conversing import ChatSource
from studio.ui.pages.playground.page import PlaygroundPage
from studio.ui.theme import ColourScheme
from tests.services.conftest import fake_engine
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import failed_run, finished_run

__all__ = ["desk"]
PATIENCE_MS = 20_000


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


@pytest.fixture
def make(qtbot, desk: TestDesk):
    made = []

    def shown() -> PlaygroundPage:
        page = PlaygroundPage(desk.desk, command_for=lambda *_: fake_engine("talks"))
        made.append(page)
        qtbot.addWidget(page)
        page.resize(1072, 768)
        page.show()
        qtbot.waitUntil(lambda: not page._read.is_running, timeout=PATIENCE_MS)
        return page

    yield shown
    for page in made:
        page.talking.engine.close()
        page._read.close()


def ask(qtbot, page: PlaygroundPage, question: str, *, waits: bool = True) -> None:
    page.view.prompt.setPlainText(question)
    page.view.ask.click()
    if waits:
        qtbot.waitUntil(lambda: page.talking.pending is None, timeout=PATIENCE_MS)


def told(panel) -> list[str]:
    return panel.text.toPlainText().splitlines()


def finding(page: PlaygroundPage) -> str:
    return page.view.findings.itemAt(0).widget().text.what


def test_that_without_a_result_there_is_nobody_to_talk_to(make, desk, example):
    failed_run(example)
    page = make()
    assert page.view.empty.headline.text() == "Nobody to talk to yet"
    assert not page.view.filled.isVisible()
    page.view.to_recipe.click()
    page.view.to_runs.click()
    assert desk.visited == ["recipe", "runs"]


def test_that_base_and_adapter_answer_side_by_side(qtbot, make, example):
    run = finished_run(example)
    page = make()
    assert page.view.header.facts_label.full_text().startswith(run.name)
    assert page.view.left.voices.currentText() == "Base"
    assert page.view.right.voices.currentText() == "Adapter"
    ask(qtbot, page, "Brie?")
    assert told(page.view.left) == ["Brie?", "base heard Brie? behind 0"]
    assert told(page.view.right) == ["Brie?", "adapter heard Brie? behind 0"]
    assert page.view.right.note_label.text() == "7 tokens, 14.0 a second"
    assert page.view.prompt.toPlainText() == ""
    ask(qtbot, page, "Sure?")
    assert told(page.view.left)[-1] == "base heard Sure? behind 2"


def test_that_a_new_conversation_forgets_the_last_one(qtbot, make, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    page.view.begin.click()
    assert told(page.view.left) == []
    assert not page.view.save.isEnabled()
    ask(qtbot, page, "Feta?")
    assert told(page.view.left) == ["Feta?", "base heard Feta? behind 0"]


def test_that_an_answer_streams_and_is_stopped(qtbot, make, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "stop", waits=False)
    left = page.view.left
    qtbot.waitUntil(lambda: len(told(left)) == 2 and "behind 0" in told(left)[1])
    assert page.view.stop.isVisible()
    assert not page.view.ask.isVisible()
    assert not page.view.begin.isEnabled()
    assert page.view.right.note_label.text() == "Waits for the other"
    QTest.keySequence(page.view.prompt, "Esc")
    qtbot.waitUntil(lambda: page.talking.pending is None, timeout=PATIENCE_MS)
    assert told(left) == ["stop", "base heard stop behind 0", "Stopped."]
    assert told(page.view.right) == ["stop", "Stopped."]
    assert page.view.ask.isVisible()


def test_that_a_refused_voice_says_why_and_the_other_answers(qtbot, make, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "refuse")
    assert told(page.view.left) == ["refuse", "Full."]
    assert page.view.left.note_label.text() == "No answer"
    assert told(page.view.right)[1] == "adapter heard refuse behind 0"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("fail", "The model is gone."),
        ("die", "The process that answers ended without a word."),
    ],
)
def test_that_an_engine_that_ends_is_told_and_can_be_asked_again(
    qtbot, make, example, question, words
):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    ask(qtbot, page, question)
    assert finding(page) == words
    assert not page.view.free.isVisible()
    ask(qtbot, page, "Again?")
    assert told(page.view.left)[-1] == "base heard Again? behind 2"
    assert page.view.findings.count() == 0


def test_that_another_voice_is_chosen_and_hears_only_itself(qtbot, make, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    page.view.right.voices.set_value("few-shot-3")
    page.view.right.voices.activated.emit(0)
    assert told(page.view.right) == []
    ask(qtbot, page, "Feta?")
    assert told(page.view.right) == ["Feta?", "few-shot-3 heard Feta? behind 0"]
    assert told(page.view.left)[-1] == "base heard Feta? behind 2"


def test_that_one_voice_can_speak_alone(qtbot, make, example):
    finished_run(example)
    page = make()
    page.view.right.voices.set_value("")
    page.view.right.voices.activated.emit(0)
    ask(qtbot, page, "Brie?")
    assert told(page.view.left)[1] == "base heard Brie? behind 0"
    assert told(page.view.right) == []


def test_that_settings_are_told_and_reach_the_engine(qtbot, make, example):
    finished_run(example)
    page = make()
    settings = page.view.settings
    assert not settings.isVisible()
    page.view.drawer.click()
    assert settings.isVisible()
    assert not settings.seed.isEnabled()
    settings.temperature.setValue(0.7)
    settings.seed.setValue(11)
    settings.system.setText("Be brief.")
    assert settings.seed.isEnabled()
    assert page.view._in_words.full_text() == (
        "Temperature 0.7, seed 11, at most 512 tokens"
    )
    ask(qtbot, page, "Brie?")
    assert told(page.view.left)[1] == "base heard Brie? behind 1"
    (kept,) = page.talking.talk.rounds
    assert (kept.sampling.temperature, kept.sampling.seed) == (0.7, 11)


def test_that_a_comparison_is_saved_for_people_and_programs(
    qtbot, make, example, tmp_path
):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    page.view.save.click()
    dialog = page.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "cheese.md"))
    dialog.reject()
    assert "### Adapter" in (tmp_path / "cheese.md").read_text(encoding="utf-8")
    saved = json.loads((tmp_path / "cheese.json").read_text(encoding="utf-8"))
    assert saved["rounds"][0]["question"] == "Brie?"
    page._on_file_named(str(tmp_path / "cheese.md" / "other.md"))
    assert page.view.findings.count() == 1


def test_that_the_memory_is_freed_and_the_talk_kept(qtbot, make, example):
    finished_run(example)
    page = make()
    assert not page.view.free.isVisible()
    ask(qtbot, page, "Brie?")
    page.view.free.click()
    assert not page.talking.engine.is_open
    assert not page.view.free.isVisible()
    assert told(page.view.left)[1] == "base heard Brie? behind 0"
    ask(qtbot, page, "Sure?")
    assert told(page.view.left)[-1] == "base heard Sure? behind 2"


def test_that_leaving_the_page_frees_the_memory_and_keeps_the_talk(
    qtbot, make, example
):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    page.hide()
    assert not page.talking.engine.is_open
    page.show()
    assert told(page.view.left)[1] == "base heard Brie? behind 0"
    ask(qtbot, page, "Sure?")
    assert told(page.view.left)[-1] == "base heard Sure? behind 2"


def test_that_an_answer_under_way_is_waited_for_when_the_page_is_left(
    qtbot, make, example
):
    finished_run(example)
    page = make()
    ask(qtbot, page, "stop", waits=False)
    qtbot.waitUntil(lambda: "heard" in page.view.left.text.toPlainText())
    page.hide()
    assert page.talking.engine.is_open
    page.talking.engine.stop_answer()
    qtbot.waitUntil(lambda: not page.talking.engine.is_open, timeout=PATIENCE_MS)
    assert page.talking.talk.rounds


def test_that_a_run_that_begins_frees_the_memory(qtbot, make, desk, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "stop", waits=False)
    qtbot.waitUntil(lambda: "heard" in page.view.left.text.toPlainText())
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    qtbot.waitUntil(lambda: not page.talking.engine.is_open, timeout=PATIENCE_MS)
    assert page.talking.pending is None
    assert told(page.view.left)[-1] == "Stopped."
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)


def test_that_the_user_decides_while_a_run_trains(qtbot, make, desk, example):
    finished_run(example)
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = make()
    page.view.prompt.setPlainText("Brie?")
    page.view.ask.click()
    assert finding(page) == "A run is training on this device."
    assert not page.talking.engine.is_open
    assert page.view.prompt.toPlainText() == "Brie?"
    page.view.findings.itemAt(0).widget().fix_chosen.emit("ask")
    qtbot.waitUntil(lambda: bool(page.talking.talk.rounds), timeout=PATIENCE_MS)
    assert page.talking.engine.is_open
    assert controller.is_running
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)


def test_that_another_run_begins_another_talk(qtbot, make, desk, example):
    older = finished_run(example, steps=3, began_s_ago=9000.0)
    newer = finished_run(example)
    page = make()
    page.view.runs.set_value(str(newer.path))
    page.view.runs.activated.emit(0)
    ask(qtbot, page, "Brie?")
    page.view.runs.set_value(str(older.path))
    page.view.runs.activated.emit(0)
    assert told(page.view.left) == []
    assert not page.talking.engine.is_open
    assert desk.desk.chosen_run.directory == older.path
    assert page.view.header.facts_label.full_text().startswith(older.name)


def test_that_voices_that_came_later_are_offered(qtbot, make, example):
    run = finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    (run.checkpoints_path / "step-12").mkdir(parents=True)
    page.read_again()
    qtbot.waitUntil(lambda: not page._read.is_running, timeout=PATIENCE_MS)
    words = [v.word for v in ChatSource.of_run(run).voices]
    assert words[-1] == "checkpoint-12"
    assert page.view.left.voices.findData("checkpoint-12") >= 0
    assert told(page.view.left)[1] == "base heard Brie? behind 0"
    assert "1 checkpoint" in page.view.header.facts_label.full_text()


def test_that_ctrl_enter_asks_and_an_empty_question_is_waited_for(qtbot, make, example):
    finished_run(example)
    page = make()
    page.view.ask.click()
    assert page.talking.pending is None
    page.view.prompt.setPlainText("Feta?")
    QTest.keySequence(page.view.prompt, "Ctrl+Return")
    assert page.talking.pending is not None
    qtbot.waitUntil(lambda: page.talking.pending is None, timeout=PATIENCE_MS)


def test_that_the_talk_is_readable_in_another_palette(qtbot, make, example, theme):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    before = page.view.left.text.toHtml()
    theme.set_scheme(ColourScheme.DARK)
    qtbot.waitUntil(lambda: page.view.left.text.toHtml() != before)
    assert told(page.view.left) == ["Brie?", "base heard Brie? behind 0"]
    theme.set_scheme(ColourScheme.LIGHT)


def test_that_another_project_has_its_own_voices(qtbot, make, desk, example):
    finished_run(example)
    page = make()
    ask(qtbot, page, "Brie?")
    desk.desk.projects.create("Another")
    qtbot.waitUntil(page.view.empty.isVisible, timeout=PATIENCE_MS)
    assert not page.talking.engine.is_open


def test_that_every_control_of_the_playground_has_a_name(make, example):
    finished_run(example)
    page = make()
    page.view.drawer.click()
    assert_reachable(page)
