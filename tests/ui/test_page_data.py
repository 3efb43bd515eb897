"""The Data page: the file, its rows, what becomes of each, and what was left out."""

import json
import re
from array import array

import pytest
from PySide6.QtCore import Qt

from studio.domain.data_report import DataFinding, DataReport
from studio.domain.finding import Severity
from studio.domain.token_lengths import TokenLengths
from studio.storage import chat_files
from studio.ui.pages.data.findings import ShownFinding
from studio.ui.pages.data.findings_card import CheckState
from studio.ui.pages.data.page import DataPage
from studio.ui.widgets.finding_card import FindingKind, FindingText
from studio.ui.widgets.table import PADDING
from tests.services.conftest import fake_engine
from tests.ui.desks import TestDesk, desk, reading_with_card
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
    card = page.view.filled.findings.rows()[0]
    assert card.text.what == "Line 7 is not valid JSON."
    assert "The other 19 rows are read and kept." in card.text.consequence


def test_that_the_selected_row_is_shown_with_what_is_trained(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 1))
    text = page.view.filled.row.turns.toPlainText()
    assert text == "Question, only read\nQuestion 1?\nAnswer, trained\nAnswer 1."


def test_that_a_row_held_back_is_never_shown_as_trained(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 30))
    rows = page.view.filled.rows.model
    held = next(row for row in range(30) if rows.is_held_out(row))
    page.view.filled.rows.table.selectRow(held)
    assert "Answer, only measured" in page.view.filled.row.turns.toPlainText()
    assert "never trained on" in page.view.filled.row.note.text()
    assert rows.index(held, 4).data() == "Held back"


def test_that_the_held_out_share_is_the_recipe_s(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    field = page.view.filled.rows.held_out
    field.set_value("0.2")
    field.activated.emit(field.currentIndex())
    assert project.recipe.data.held_out == 0.2
    assert field.toolTip().startswith("8 rows of 40")


def test_that_a_share_of_the_user_s_own_stays_among_the_choices(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    project.set_value("data.held_out", 0.125)
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    assert page.view.filled.rows.held_out.currentText() == "12.5 % of rows"


def test_that_rows_are_found_by_their_text(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    page.view.filled.rows.search.setText("answer 17")
    assert page.view.filled.rows.model.rowCount() == 1
    assert "Question 17?" in page.view.filled.row.turns.toPlainText()


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
    assert page.view.filled.rows.model.rowCount() == 3


def test_that_the_answers_survive_a_change_of_palette(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 1))
    before = page.view.filled.row.turns.toPlainText()
    desk.desk.theme.set_scheme("dark")
    assert page.view.filled.row.turns.toPlainText() == before


def test_that_every_control_has_a_name(page, project, desk: TestDesk, qtbot, tmp_path):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 9, {2: "oops"}))
    assert_reachable(page)


def write_table(path):
    rows = [f'"name[Lamp {n}], food[soup]","Lamp {n} has soup."' for n in range(1, 9)]
    path.write_text("\n".join(["mr,ref", *rows]) + "\n", encoding="utf-8")
    return path


def fix(card, key):
    card.fix_chosen.emit(key)


def test_that_guessed_columns_are_a_finding_with_the_form_behind_it(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    (row,) = page.view.filled.findings.rows()
    assert row.text.what == "Which column is which is a guess."
    assert "Guessed: " in page.view.filled.strip.form.full_text()
    fix(row, "assign")
    assert page.view.mapping.isVisible()
    assert not page.view.go_on.isVisible()


def test_that_a_guess_can_be_confirmed(page, project, desk: TestDesk, qtbot, tmp_path):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    fix(page.view.filled.findings.rows()[0], "confirm")
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)
    assert project.recipe.data.columns == ("question=mr", "answer=ref")
    assert page.view.filled.findings.rows() == []
    assert "As assigned: " in page.view.filled.strip.form.full_text()


def assign(qtbot, page):
    """Open the form and wait until it is filled."""
    page.view.filled.strip.assign.click()
    qtbot.waitUntil(lambda: bool(page.view.mapping.sources))
    return page.view.mapping


def test_that_columns_are_assigned_with_a_look_at_the_first_rows(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    form = assign(qtbot, page)
    assert form.sources["question"].currentText() == "mr"
    form.sources["question"].setEditText("Describe {mr}.")
    qtbot.waitUntil(lambda: "Describe name[Lamp 1]" in form.rows.toPlainText())
    form.use.click()
    qtbot.waitUntil(page.view.filled.isVisible)
    assert project.recipe.data.format == "question-answer"
    assert project.recipe.data.columns == ("question=Describe {mr}.", "answer=ref")
    turns = page.view.filled.row.turns.toPlainText()
    assert "Describe name[Lamp 1], food[soup]." in turns


def test_that_another_form_brings_its_own_parts(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    form = assign(qtbot, page)
    form.format.set_value("alpaca")
    form.format.activated.emit(form.format.currentIndex())
    qtbot.waitUntil(lambda: "instruction" in form.sources)
    assert not form.use.isEnabled()
    assert "no column is assigned to instruction" in form.use.accessibleDescription()


def test_that_a_place_that_holds_nothing_can_t_be_taken(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    form = assign(qtbot, page)
    form.sources["answer"].setEditText("nowhere")
    qtbot.waitUntil(lambda: "nowhere" in form.use.accessibleDescription())
    assert not form.use.isEnabled()


def test_that_leaving_the_form_changes_nothing(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    form = assign(qtbot, page)
    qtbot.keyClick(form, Qt.Key.Key_Escape)
    assert page.view.filled.isVisible()
    assert project.recipe.data.columns == ()


def test_that_rows_no_form_knows_can_be_assigned(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"x": {"deep": "Why?"}, "y": ["So."]}\n', encoding="utf-8")
    read(qtbot, desk, page, path)
    assert page.view.assign.isVisible()
    page.view.assign.click()
    form = page.view.mapping
    qtbot.waitUntil(lambda: bool(form.sources))
    form.sources["question"].setEditText("x.deep")
    form.sources["answer"].setEditText("y[0]")
    qtbot.waitUntil(form.use.isEnabled)
    form.use.click()
    qtbot.waitUntil(page.view.filled.isVisible)
    assert "Why?" in page.view.filled.row.turns.toPlainText()


def test_that_the_form_can_be_reached_by_keys(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    assign(qtbot, page)
    assert_reachable(page)


def test_that_another_file_is_recognised_anew_and_can_be_taken_back(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_table(tmp_path / "t.csv"))
    fix(page.view.filled.findings.rows()[0], "confirm")
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 5))
    assert project.recipe.data.columns == ()
    assert page.view.filled.rows.model.rowCount() == 5
    page.edits.stack.undo()
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)
    assert project.recipe.data.path.endswith("t.csv")
    assert project.recipe.data.columns == ("question=mr", "answer=ref")


def test_that_a_folder_is_read_like_a_file(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    folder = tmp_path / "many"
    folder.mkdir()
    write_chats(folder / "a.jsonl", 3)
    write_chats(folder / "b.jsonl", 4)
    read(qtbot, desk, page, folder)
    assert page.view.filled.rows.model.rowCount() == 7
    page.view.filled.rows.table.selectRow(4)
    assert page.view.filled.row.title_label.text().endswith("row 2 of b.jsonl")


def test_that_the_line_sets_the_sequence_length_and_is_taken_back(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    page.view.filled.lengths.histogram.line_set.emit(256)
    assert project.recipe.train.sequence_length == 256
    assert "train.sequence_length" in project.own_keys
    assert "256" in page.view.filled.lengths.headline()
    page.edits.stack.undo()
    assert project.recipe.train.sequence_length == 1024
    assert "1,024" in page.view.filled.lengths.headline()


def test_that_a_held_line_re_prices_without_changing_the_recipe(
    page, desk: TestDesk, qtbot
):
    desk.open_example()
    desk.hardware.tell(reading_with_card())
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)
    page.view.filled.lengths.histogram.line_moved.emit(2048)
    below = page.view.filled.lengths.below()
    assert "Peak memory: " in below
    assert ", now " in below
    assert "Padding wasted: " in below
    assert "Time to train: not known yet" not in below
    assert desk.desk.projects.current.recipe.train.sequence_length != 2048


def test_that_a_held_line_tells_what_letting_it_go_brings(
    page, desk: TestDesk, qtbot, tmp_path
):
    desk.open_example()
    model = desk.desk.projects.current.recipe.model.name
    project = desk.desk.projects.create("Untouched, so the rest follows the line")
    project.set_value("model.name", model)
    desk.hardware.tell(reading_with_card(free=2.0))
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    lengths, before = page.view.filled.lengths, project.recipe
    lengths.histogram.line_moved.emit(128)
    held = lengths.below()
    assert project.recipe == before
    lengths.histogram.line_set.emit(128)
    assert project.recipe != before.with_value("train.sequence_length", 128)
    assert re.sub(", now [0-9.]+", "", held) == lengths.below()


def test_that_a_file_changed_meanwhile_is_a_finding(
    page, project, desk: TestDesk, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setattr(chat_files, "KEPT_BYTES", 10)
    path = write_chats(tmp_path / "c.jsonl", 2000)
    read(qtbot, desk, page, path)
    path.write_text("gone\n")
    page.view.filled.rows.table.selectRow(1500)
    rows = page.view.filled.findings.rows
    qtbot.waitUntil(lambda: bool(rows()))
    assert rows()[0].text.what == "The file was changed since it was read."
    assert not page.view.filled.rows.model.chat_at(1500)
    write_chats(path, 3)
    fix(rows()[0], "read")
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)
    assert page.view.filled.rows.model.rowCount() == 3
    assert rows() == []


def test_that_another_file_s_row_is_shown_though_the_last_one_was_searched(
    page, desk: TestDesk, qtbot, tmp_path
):
    desk.open_example()  # with a model, rows are shown again only when they differ
    qtbot.waitUntil(lambda: not desk.desk.data.is_reading)
    page.view.filled.rows.search.setText("cheese")
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 5))
    assert page.view.filled.rows.search.text() == ""
    assert "Question 1?" in page.view.filled.row.turns.toPlainText()


def test_that_long_row_numbers_are_shown_in_full(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    table = page.view.filled.rows.table
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 20))
    narrow = table.columnWidth(0)
    path = tmp_path / "d.jsonl"
    row = '{"question": "Q?", "answer": "A."}\n'
    path.write_text("\n" * 123_456 + row, encoding="utf-8")
    read(qtbot, desk, page, path)
    room = table.columnWidth(0) - 2 * PADDING
    words = table.model().index(0, 0).data()
    assert words == "123,457"
    assert table.fontMetrics().horizontalAdvance(words) <= room
    assert table.columnWidth(0) > narrow


def test_that_a_long_name_among_the_findings_pushes_nothing_out_of_the_card(
    page, project, desk: TestDesk, qtbot
):
    card = page.view.filled.findings
    page.view.show_face(page.view.filled)
    path = "/home/someone/" + "a_rather_long_name_" * 8 + ".jsonl"
    text = FindingText(kind=FindingKind.MENDED, what="So.", consequence=path)
    card.show_findings([ShownFinding("mended:x", text)])
    (row,) = card.rows()
    assert row.minimumSizeHint().width() < card.width() // 2


def test_that_a_stopped_check_says_so_and_can_be_begun_again(
    page, project, desk: TestDesk, qtbot
):
    card = page.view.filled.findings
    page.view.show_face(page.view.filled)
    card.show_findings([], CheckState.CHECKING)
    assert not card.check.isVisible()
    assert "none" not in card.note_label.text()
    card.show_findings([], CheckState.STOPPED)
    assert card.check.isVisible()
    with qtbot.waitSignal(desk.desk.data.data_changed):
        card.check.click()


def test_that_what_was_searched_is_told_and_can_be_left(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 40))
    rows = page.view.filled.rows
    rows.search.setText("answer 3")
    assert rows.model.rowCount() == 11
    assert rows.show_all.isVisible()
    rows.show_all.click()
    assert rows.model.rowCount() == 40
    assert not rows.show_all.isVisible()


def test_that_f8_goes_through_the_findings(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    broken = {2: "oops", 5: '{"question": "Q?", "answer": ""}'}
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 9, broken))
    first, second = page.view.filled.findings.rows()
    card = page.view.filled.findings
    chosen = []
    card.finding_chosen.connect(lambda shown: chosen.append(shown.text.what))
    card.go(1)
    card.go(1)
    card.go(1)
    card.go(-1)
    names = [first.text.what, second.text.what]
    assert chosen == [names[0], names[1], names[0], names[1]]


def test_that_rows_show_tokens_as_soon_as_they_are_counted(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    read(qtbot, desk, page, write_chats(tmp_path / "c.jsonl", 3))
    model, title = page.view.filled.rows.model, Qt.Orientation.Horizontal
    assert model.headerData(3, title) == "Characters"
    assert "once the check" in model.headerData(3, title, Qt.ItemDataRole.ToolTipRole)
    desk.desk.data.row_tokens = array("I", [17, 0, 1234])
    desk.desk.data.data_changed.emit()
    assert model.headerData(3, title) == "Tokens"
    assert [model.index(row, 3).data() for row in range(3)] == ["17", "–", "1,234"]
    desk.desk.data.row_tokens = array("I", [17, 1234])  # of another reading
    desk.desk.data.data_changed.emit()
    assert model.headerData(3, title) == "Characters"
    assert model.index(0, 3).data() == "20"


def test_that_long_rows_are_left_out_in_a_new_file_and_that_is_taken_back(
    page, desk: TestDesk, qtbot, tmp_path, monkeypatch
):
    desk.open_example()
    file = write_chats(tmp_path / "c.jsonl", 9)
    read(qtbot, desk, page, file)
    mender, out = desk.desk.data_tools.mender, tmp_path / "c-mended.jsonl"
    command = [*fake_engine("mends"), "--out", str(out)]
    monkeypatch.setattr(mender._engine, "_command_for", lambda *_: command)
    desk.desk.data.report = report_with("data.too-long")
    desk.desk.data.data_changed.emit()
    row = page.view.filled.findings.rows()[0]
    assert [each.text for each in row.text.fixes][-1] == "Leave them out"
    with qtbot.waitSignal(mender.data_mended, timeout=20_000):
        fix(row, "mend:data.too-long")
        assert page.view.filled.findings.stop.isVisible()
    assert desk.desk.projects.current.recipe.data.path == str(out)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    mended = page.view.filled.findings.rows()[0]
    fix(mended, "undo:data.too-long")
    assert desk.desk.projects.current.recipe.data.path == str(file)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)


def report_with(code: str) -> DataReport:
    found = DataFinding(
        code=code,
        severity=Severity.WARNING,
        count=3,
        rows=(1, 2, 3),
        what="3 rows (1, 2, 3) are so.",
        mends=True,
    )
    return DataReport(
        path="/c.jsonl",
        rows=9,
        usable=9,
        format_name="question-answer",
        confidence=1.0,
        mapping={},
        lengths=TokenLengths(),
        trained_tokens=0,
        all_tokens=0,
        findings=(found,),
    )


def test_that_a_file_held_out_is_told_and_a_share_takes_its_place(
    page, project, desk: TestDesk, qtbot, tmp_path
):
    held = write_chats(tmp_path / "held.jsonl", 7)
    read(qtbot, desk, page, write_chats(tmp_path / "chats.jsonl", 40))
    desk.desk.projects.current.set_value("data.held_out_file", str(held))
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    figures = [value.text() for value, _ in page.view.filled.strip.figures]
    assert figures[:4] == ["40", "0", "40", "7"]
    assert "7 rows of held.jsonl" in page.view.filled.rows.held_out.toolTip()
    page.edits.hold_out(0.1)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    assert not desk.desk.projects.current.recipe.data.held_out_file
    assert page.view.filled.strip.figures[3][0].text() == "4"
