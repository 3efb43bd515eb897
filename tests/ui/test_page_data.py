"""The Data page: the file, its rows, what becomes of each, and what was left out."""

import json

import pytest

from studio.ui.pages.data.page import DataPage
from tests.ui.desks import TestDesk, desk
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]


def write_chats(path, rows: int, broken: dict[int, str] | None = None):
    lines = [
        json.dumps({"question": f"Question {n}?", "answer": f"Answer {n}."})
        for n in range(1, rows + 1)
    ]
    for line, text in (broken or {}).items():
        lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def page(qtbot, desk: TestDesk):
    made = DataPage(desk.desk)
    qtbot.addWidget(made)
    made.resize(1072, 768)
    made.show()
    return made


@pytest.fixture
def project(desk: TestDesk):
    return desk.desk.projects.create("Support replies")


def read(qtbot, desk: TestDesk, page: DataPage, path) -> None:
    page.use_file(str(path))
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)


def test_that_without_a_project_the_page_leads_to_one(page, desk: TestDesk):
    assert page.view.no_project.isVisible()
    page.view.to_start.click()
    assert desk.visited == ["start"]


def test_that_without_a_file_the_expected_forms_are_shown(page, project):
    assert page.view.empty.isVisible()
    assert len(page.view.empty.samples.toPlainText().splitlines()) == 3
    assert not page.view.go_on.isEnabled()
    assert page.view.go_on.toolTip() == "The recipe needs rows to train on."


def test_that_the_sample_rows_are_rows_that_are_read(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    for place, row in enumerate(page.view.empty.samples.toPlainText().splitlines()):
        path = tmp_path / f"{place}.jsonl"
        path.write_text(row + "\n", encoding="utf-8")
        read(qtbot, desk, page, path)
        assert desk.desk.data.chat_file.left_out == 0


def test_that_the_facts_of_a_file_are_told(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    broken = {7: "{not json", 9: '{"question": "Q?", "answer": ""}'}
    read(qtbot, desk, page, write_chats(tmp_path / "chats.jsonl", 42, broken))
    strip = page.view.filled.strip
    figures = {c.text(): v.text() for v, c in strip.figures}
    assert strip.name.full_text() == "chats.jsonl"
    assert figures["rows read"] == "42"
    assert figures["left out"] == "2"
    assert int(figures["to train on"]) + int(figures["held back"]) == 40


def test_that_rows_that_can_t_be_used_are_found_by_their_line(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 20, {7: "{not json"}))
    card = page.view.filled.findings.itemAt(0).widget()
    assert card.text.what == "Line 7 is not valid JSON."
    assert "The other 19 rows are read and kept." in card.text.consequence


def test_that_the_selected_row_is_shown_with_what_is_trained(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 1))
    text = page.view.filled.chat.toPlainText()
    assert text == "Question, only read\nQuestion 1?\nAnswer, trained\nAnswer 1."


def test_that_a_row_held_back_is_never_shown_as_trained(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 30))
    rows = page.view.filled.rows
    held = next(row for row in range(30) if rows.is_held_out(row))
    page.view.filled.rows_table.selectRow(held)
    assert "Answer, only measured" in page.view.filled.chat.toPlainText()
    assert "never trained on" in page.view.filled.chat_note.text()
    assert rows.index(held, 4).data() == "Held back"


def test_that_the_held_out_share_is_the_recipe_s(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    field = page.view.filled.held_out
    field.set_value("0.2")
    field.activated.emit(field.currentIndex())
    assert project.recipe.data.held_out == 0.2
    assert page.view.filled.held_out_words.full_text().startswith("8 rows of 40")


def test_that_a_share_of_the_user_s_own_stays_among_the_choices(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    project.set_value("data.held_out", 0.125)
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    assert page.view.filled.held_out.currentText() == "12.5 % of the rows"


def test_that_rows_are_found_by_their_text(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    page.view.filled.search.setText("answer 17")
    assert page.view.filled.rows.rowCount() == 1
    assert "Question 17?" in page.view.filled.chat.toPlainText()


def test_that_a_missing_file_is_told_and_can_be_replaced(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, tmp_path / "nowhere.jsonl")
    assert page.view.trouble.isVisible()
    text = page.view.trouble_findings.itemAt(0).widget().text
    assert text.what == "There is no such data file."
    assert str(tmp_path / "nowhere.jsonl") in text.consequence
    assert page.view.choose_other.isVisible()


def test_that_a_mended_file_is_read_again(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    path = tmp_path / "c.jsonl"
    read(qtbot, desk, page, path)
    write_chats(path, 3)
    page.view.try_again.click()
    qtbot.waitUntil(page.view.filled.isVisible)
    assert page.view.filled.rows.rowCount() == 3


def test_that_the_answers_survive_a_change_of_palette(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 1))
    before = page.view.filled.chat.toPlainText()
    desk.desk.theme.set_scheme("dark")
    assert page.view.filled.chat.toPlainText() == before


def test_that_every_control_has_a_name(page, project, desk: TestDesk, qtbot, tmp_path):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 9, {2: "oops"}))
    assert_reachable(page)
