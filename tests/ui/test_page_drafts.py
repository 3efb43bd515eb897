"""Examples from documents: the form that makes them, and their review by keys."""

import json
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from studio.services.draft_review import DraftReview, Review
from studio.services.engine_task import EngineTask
from studio.ui.pages.data.page import DataPage
from studio.ui.pages.drafts import entry
from studio.ui.pages.drafts.panel import DraftsPanel
from studio.ui.pages.drafts.view_model import ADDRESS, ALL
from tests.ui.desks import TestDesk, desk
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]
PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")
TEXT = "The lamp of the tower can be seen from far away."
ORDERS: list[list[str]] = []


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    ORDERS.append([verb, *arguments])
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def page(qtbot, desk: TestDesk, monkeypatch):
    monkeypatch.setattr(
        entry, "DraftsPanel", lambda desk: DraftsPanel(desk, played_task)
    )
    ORDERS.clear()
    desk.open_example()
    desk.desk.projects.current.set_value("data.path", "")
    page = DataPage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitExposed(page)
    return page


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "tower.txt"
    path.write_text(TEXT + "\n")
    return path


def made(qtbot, page: DataPage, document: Path) -> DraftsPanel:
    panel = page.drafts.panel
    page.view.empty.make_drafts.click()
    panel.form.add_documents([str(document)])
    panel.form.make.click()
    settled(qtbot, panel)
    return panel


def settled(qtbot, panel: DraftsPanel) -> None:
    qtbot.waitUntil(lambda: not panel.making.job.is_running, timeout=PATIENCE_MS)


def reviewing(qtbot, page: DataPage, document: Path):
    panel = made(qtbot, page, document)
    panel.form.review.click()
    return panel.review


def rows_of(panel: DraftsPanel) -> list[dict]:
    path = Path(panel.form.out.text())
    return [json.loads(line) for line in path.read_text().splitlines()]


def reviews(panel: DraftsPanel) -> list[str]:
    return [row["review"] for row in rows_of(panel)]


def test_that_drafts_are_made_of_chosen_documents(qtbot, page, document):
    panel = page.drafts.panel
    page.view.empty.make_drafts.click()
    assert page.view.drafts.isVisible()
    assert not page.view.empty.isVisible()
    form = panel.form
    assert not form.make.isEnabled()
    assert form._refused.text() == "Choose documents first."
    form.add_files.click()
    dialog = panel.findChild(QFileDialog)
    assert dialog.nameFilters() == ["Documents (*.txt *.md *.markdown)"]
    dialog.filesSelected.emit([str(document)])
    dialog.reject()
    assert form._documents.toPlainText() == str(document)
    form.questions.setValue(2)
    form.make.click()
    assert form.stop.isVisible()
    assert not form.make.isEnabled()
    settled(qtbot, panel)
    ((verb, out, *arguments),) = ORDERS
    assert (verb, out) == ("make-data", form.out.text())
    assert arguments == [
        "--document",
        str(document),
        "--model",
        "SmolLM2-135M-Instruct",
        "--questions",
        "2",
    ]
    assert form._result.text().splitlines() == [
        "2 drafts for review.",
        "1 other rejected by the test:",
        "  has no answer: 1",
    ]
    assert form.review.text() == "Review 2 drafts…"
    assert form.review.property("kind") == "primary"
    assert form.make.property("kind") == "normal"
    assert not form.stop.isVisible()


def test_that_a_small_model_is_doubted_where_it_is_chosen(page):
    page.view.empty.make_drafts.click()
    form = page.drafts.panel.form
    assert form.maker.value() == "SmolLM2-135M-Instruct"
    assert "makes poor drafts" in form._doubt.text()
    assert not form.address.isVisible()


def test_that_an_address_is_asked_for_where_it_is_chosen(qtbot, page, document):
    page.view.empty.make_drafts.click()
    panel = page.drafts.panel
    form = panel.form
    form.add_documents([str(document)])
    form.maker.set_value(ADDRESS)
    form.maker.activated.emit(form.maker.currentIndex())
    assert form.address.isVisible()
    assert not form._doubt.isVisible()
    assert form._refused.text() == "Give the address of the model."
    form.address.setText("https://example.org/v1")
    assert form._refused.text() == "Give the model’s name at that address."
    form.api_model.setText("big")
    assert form.make.isEnabled()
    form.make.click()
    settled(qtbot, panel)
    assert ORDERS[0][4:8] == [
        "--address",
        "https://example.org/v1",
        "--api-model",
        "big",
    ]


def test_that_a_file_of_another_kind_is_refused(page, document):
    page.view.empty.make_drafts.click()
    form = page.drafts.panel.form
    form.add_documents([str(document)])
    form.out.setText("drafts.txt")
    assert "has to end in .jsonl" in form._refused.text()
    assert not form.make.isEnabled()


def test_that_a_failure_is_told_and_another_try_may_follow(qtbot, page, tmp_path):
    (tmp_path / "fail.txt").write_text(TEXT)
    panel = made(qtbot, page, tmp_path / "fail.txt")
    assert panel.form._findings.itemAt(0).widget().text.what == "Nobody answers."
    assert panel.form.make.isEnabled()
    assert not panel.form.review.isVisible()


def test_that_it_can_be_stopped(qtbot, page, tmp_path):
    (tmp_path / "wait.txt").write_text(TEXT)
    panel = page.drafts.panel
    page.view.empty.make_drafts.click()
    panel.form.add_documents([str(tmp_path / "wait.txt")])
    panel.form.make.click()
    qtbot.waitUntil(lambda: "1 of 4" in panel.form._way.text(), timeout=PATIENCE_MS)
    panel.form.stop.click()
    settled(qtbot, panel)
    assert panel.form._result.text().startswith("Stopped. What was made until then")
    assert panel.form._findings.count() == 0
    assert panel.form.make.isEnabled()


def test_that_leaving_the_form_shows_the_data_again(page):
    page.view.empty.make_drafts.click()
    page.drafts.panel.form.back.click()
    assert page.view.empty.isVisible()


def test_that_a_review_shows_passage_question_and_answer(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    assert review.passage.toPlainText() == TEXT
    assert review.question.toPlainText() == "Question 0?"
    assert review.answer.toPlainText() == "Answer 0."
    assert review._card.note_label.text() == "1 of 2"
    assert review._origin.text() == "tower.txt, line 1 · made by Played"
    assert review._counts.text() == "2 open, 0 accepted, 1 rejected"
    assert not review._state.isVisible()
    assert review.use.property("kind") == "normal"


def test_that_decisions_by_keys_are_saved_one_by_one(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    panel = page.drafts.panel
    QTest.keyClick(review, Qt.Key.Key_A)
    assert reviews(panel) == ["accepted", "open", "rejected"]
    assert review.question.toPlainText() == "Question 1?"
    QTest.keyClick(review, Qt.Key.Key_R)
    assert reviews(panel) == ["accepted", "rejected", "rejected"]
    assert review._done.text() == "Every draft is reviewed."
    assert review._counts.text() == "0 open, 1 accepted, 2 rejected"
    assert not review.accept.isVisible()
    assert not review.passage.isVisible()
    assert review.use.property("kind") == "primary"


def test_that_arrows_go_through_and_decide_nothing(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    QTest.keyClick(review, Qt.Key.Key_Right)
    assert review.question.toPlainText() == "Question 1?"
    QTest.keyClick(review, Qt.Key.Key_Right)
    assert review.question.toPlainText() == "Question 1?"
    QTest.keyClick(review, Qt.Key.Key_Left)
    assert review.question.toPlainText() == "Question 0?"
    assert reviews(page.drafts.panel) == ["open", "open", "rejected"]


def test_that_keys_type_while_words_are_edited(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    QTest.keyClick(review, Qt.Key.Key_F2)
    assert review.question.hasFocus()
    review.question.selectAll()
    QTest.keyClicks(review.question, "A rare lamp")
    QTest.keyClick(review.question, Qt.Key.Key_Left)
    QTest.keyClicks(review.question, "r")
    assert review.question.toPlainText() == "A rare lamrp"
    assert reviews(page.drafts.panel) == ["open", "open", "rejected"]
    QTest.keyClick(review.question, Qt.Key.Key_F2)
    assert review.answer.hasFocus()
    QTest.keyClick(review.answer, Qt.Key.Key_Escape)
    assert review.hasFocus()
    QTest.keyClick(review, Qt.Key.Key_A)
    first = rows_of(page.drafts.panel)[0]
    assert first["messages"][0]["content"] == "A rare lamrp"
    assert first["review"] == "accepted"
    assert first["source"]["edited"] is True


def test_that_edited_words_are_kept_when_going_on(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    review.answer.setPlainText("Another answer.")
    review.later.click()
    first = rows_of(page.drafts.panel)[0]
    assert first["messages"][1]["content"] == "Another answer."
    assert first["review"] == "open"


def test_that_an_empty_answer_can_not_be_accepted(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    review.answer.setPlainText("  ")
    review.accept.click()
    told = review._trouble.itemAt(0).widget().text.what
    assert told == "A draft without an answer can't be accepted."
    assert reviews(page.drafts.panel)[0] == "open"
    review.reject.click()
    assert reviews(page.drafts.panel)[0] == "rejected"
    assert review._trouble.count() == 0


def test_that_rejected_drafts_can_be_looked_at_and_taken_back(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    review.show_only.set_value(Review.REJECTED.value)
    review.show_only.activated.emit(review.show_only.currentIndex())
    assert review._state.text() == "Rejected: it has no answer"
    assert review._state.isVisible()
    review.answer.setPlainText("From far away.")
    review.accept.click()
    assert reviews(page.drafts.panel) == ["open", "open", "accepted"]
    review.show_only.set_value(ALL)
    review.show_only.activated.emit(review.show_only.currentIndex())
    assert review._card.note_label.text() == "1 of 3"


def test_that_a_draft_that_changed_elsewhere_is_not_overwritten(qtbot, page, document):
    review = reviewing(qtbot, page, document)
    panel = page.drafts.panel
    other = DraftReview(Path(panel.form.out.text()))
    other.decide(0, "Theirs?", "Theirs.", Review.ACCEPTED)
    review.reject.click()
    told = review._trouble.itemAt(0).widget().text.what
    assert "changed by another program" in told
    assert rows_of(panel)[0]["messages"][0]["content"] == "Theirs?"


def test_that_a_passage_that_is_gone_is_told(qtbot, page, document):
    panel = made(qtbot, page, document)
    document.unlink()
    panel.form.review.click()
    assert panel.review.passage.toPlainText() == (
        "The passage is not in tower.txt any more, or tower.txt is gone."
    )


def test_that_markup_in_a_draft_is_shown_as_it_is(qtbot, page, tmp_path):
    text = "<b>Bold</b> <img src='x'> words stand in this document."
    (tmp_path / "markup.txt").write_text(text)
    review = reviewing(qtbot, page, tmp_path / "markup.txt")
    assert review.passage.toPlainText() == text


def test_that_the_drafts_become_the_project_s_data(qtbot, page, desk, document):
    review = reviewing(qtbot, page, document)
    QTest.keyClick(review, Qt.Key.Key_A)
    review.use.click()
    data = desk.desk.data
    qtbot.waitUntil(lambda: data.chat_file is not None, timeout=PATIENCE_MS)
    assert data.path == page.drafts.panel.form.out.text()
    assert [chat.question() for chat in data.chat_file.chats] == [
        "Question 0?",
        "Question 1?",
    ]
    assert page.view.filled.isVisible()


def test_that_open_drafts_of_the_data_lead_to_their_review(qtbot, page, desk, document):
    panel = made(qtbot, page, document)
    panel.form.use.click()
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None, timeout=PATIENCE_MS)
    page.view.filled.findings.fix_chosen.emit("review")
    assert panel.review.isVisible()
    QTest.keyClick(panel.review, Qt.Key.Key_R)
    QTest.keyClick(panel.review, Qt.Key.Key_Escape)
    assert page.view.drafts.isHidden()
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None, timeout=PATIENCE_MS)
    assert len(desk.desk.data.chat_file.chats) == 1


def test_that_every_control_of_form_and_review_has_a_name(qtbot, page, document):
    reviewing(qtbot, page, document)
    assert_reachable(page)


def test_that_another_project_closes_the_review(qtbot, page, desk, document):
    reviewing(qtbot, page, document)
    projects = desk.desk.projects
    projects.open(projects.create("Other").slug)
    assert page.view.drafts.isHidden()
    assert page.view.empty.isVisible()
