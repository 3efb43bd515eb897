"""Forms made from the option table: editors by kind, refusals as sentences."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication

from studio.domain.options import Kind
from studio.domain.recipe import OPTIONS, Recipe
from studio.ui.forms.option_delegate import make_editor
from studio.ui.forms.option_form import OptionForm
from studio.ui.forms.option_model import Column
from studio.ui.forms.option_rows import (
    OptionRow,
    SetBy,
    choices_of,
    read_entry,
    value_words,
)
from studio.ui.forms.option_table import OptionTable
from studio.ui.text import GIB
from studio.ui.widgets.inputs import ChoiceBox, TextField
from tests.ui.helpers import assert_reachable


def rows(**set_by: SetBy) -> list[OptionRow]:
    recipe = Recipe()
    return [
        OptionRow(
            option=option,
            value=recipe.value(key),
            set_by=set_by.get(key.replace(".", "_"), SetBy.RECOMMENDED),
        )
        for key, option in OPTIONS.items()
    ]


@pytest.fixture
def table(qtbot) -> OptionTable:
    made = OptionTable()
    made.set_rows(rows(lora_rank=SetBy.YOURS, model_name=SetBy.ONLY_ONE))
    made.resize(700, 500)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def settle() -> None:
    """Let an editor that was committed close and go."""
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def edit_current(table: OptionTable, qtbot, key: Qt.Key = Qt.Key.Key_F2) -> TextField:
    settle()
    qtbot.keyClick(table.table, key)
    editor = table.table.viewport().findChild(TextField)
    assert editor is not None
    return editor


def test_that_every_option_has_an_editor_of_its_kind(qtbot):
    for option in OPTIONS.values():
        editor = make_editor(option)
        qtbot.addWidget(editor)
        listed = option.kind in {Kind.CHOICE, Kind.BOOLEAN}
        assert isinstance(editor, ChoiceBox if listed else TextField)
        assert option.title in editor.accessibleName()


def test_that_every_default_is_shown_in_words_and_can_be_read_back():
    recipe = Recipe()
    for key, option in OPTIONS.items():
        value = recipe.value(key)
        assert "None" not in value_words(option, value)
        assert read_entry(option, option.show(value)).value == value


def test_that_a_choice_is_shown_by_its_title_and_a_flag_by_on_and_off():
    recipe = Recipe()
    precision = OPTIONS["model.precision"]
    assert value_words(precision, recipe.model.precision) == "NF4 (4 bit)"
    assert value_words(OPTIONS["model.double_quant"], value=True) == "On"
    assert choices_of(OPTIONS["model.double_quant"]) == [
        ("true", "On"),
        ("false", "Off"),
    ]


def test_that_one_of_something_is_not_shown_in_the_plural():
    assert value_words(OPTIONS["train.micro_batch"], 1) == "1 row"
    assert value_words(OPTIONS["train.sequence_length"], 2048) == "2,048 tokens"


def test_that_the_table_lists_every_option(table):
    assert table.table.model().rowCount() == len(OPTIONS)


@pytest.mark.parametrize("key", [Qt.Key.Key_F2, Qt.Key.Key_Return])
def test_that_f2_and_enter_edit_the_value_of_the_current_row(table, qtbot, key):
    table.select_option("lora.rank")
    editor = edit_current(table, qtbot, key)
    assert editor.text() == "16"
    editor.setText("64")
    with qtbot.waitSignal(table.value_edited) as told:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert told.args == ["lora.rank", 64]


def test_that_an_edit_without_a_change_tells_nobody(table, qtbot):
    table.select_option("lora.rank")
    editor = edit_current(table, qtbot)
    with qtbot.assertNotEmitted(table.value_edited):
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        settle()


def test_that_a_refused_text_stays_in_its_cell_with_the_reason(table, qtbot):
    table.select_option("lora.alpha")
    editor = edit_current(table, qtbot)
    editor.setText("40,000")
    with qtbot.assertNotEmitted(table.value_edited):
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        settle()
    shown = table.table.currentIndex().siblingAtColumn(Column.VALUE)
    assert shown.data() == "40,000"
    assert "from 1 to 4,096" in table.error_of("lora.alpha")
    again = edit_current(table, qtbot)
    assert again.text() == "40,000"
    assert again.property("invalid") is True


def test_that_a_mended_text_takes_the_reason_away(table, qtbot):
    table.select_option("lora.alpha")
    edit = edit_current(table, qtbot)
    edit.setText("many")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    edit = edit_current(table, qtbot)
    edit.setText("8")
    with qtbot.waitSignal(table.value_edited) as told:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert told.args == ["lora.alpha", 8]
    assert table.error_of("lora.alpha") == ""


def test_that_delete_asks_to_reset_what_the_user_set(table, qtbot):
    table.select_option("lora.rank")
    with qtbot.waitSignal(table.reset_requested) as asked:
        qtbot.keyClick(table.table, Qt.Key.Key_Delete)
    assert asked.args == ["lora.rank"]


def test_that_delete_on_a_recommended_value_asks_nothing(table, qtbot):
    table.select_option("lora.alpha")
    with qtbot.assertNotEmitted(table.reset_requested):
        qtbot.keyClick(table.table, Qt.Key.Key_Delete)


def test_that_a_value_with_no_alternative_cannot_be_edited(table):
    index = table.table.model().index(0, Column.VALUE)
    assert not index.flags() & Qt.ItemFlag.ItemIsEditable


def test_that_finding_narrows_the_table_and_counts(table, qtbot):
    qtbot.keyClicks(table.find_field, "adapter format")
    assert table.table.model().rowCount() == 1
    assert table._counted.text() == f"1 of {len(OPTIONS)}"
    table._show_all.click()
    assert table.table.model().rowCount() == len(OPTIONS)


def test_that_own_changes_are_counted_and_can_be_reset_together(table, qtbot):
    assert table._reset_all.text() == "Reset 1 change"
    with qtbot.waitSignal(table.reset_all_requested):
        table._reset_all.click()
    table.set_rows(rows())
    assert not table._reset_all.isVisible()


def test_that_an_effect_is_shown_in_gib_with_its_sign(qtbot):
    made = OptionTable()
    qtbot.addWidget(made)
    rank = OPTIONS["lora.rank"]
    made.set_rows([OptionRow(option=rank, value=16, effect_bytes=round(0.8 * GIB))])
    assert made.table.model().index(0, Column.EFFECT).data() == "+0.80"


def test_that_new_values_keep_the_current_row(table):
    table.select_option("train.seed")
    before = table.table.currentIndex().row()
    table.set_rows(rows())
    assert table.table.currentIndex().row() == before


def test_that_a_choice_is_edited_in_its_list(table, qtbot):
    table.select_option("train.schedule")
    qtbot.keyClick(table.table, Qt.Key.Key_F2)
    box = table.table.viewport().findChild(ChoiceBox)
    box.setCurrentIndex(1)
    with qtbot.waitSignal(table.value_edited) as told:
        box.activated.emit(1)
    assert told.args == ["train.schedule", "linear"]
    QApplication.processEvents()


def test_that_forms_can_be_reached_and_read_aloud(table, qtbot):
    assert_reachable(table)
    form = OptionForm((option, Recipe().value(k)) for k, option in OPTIONS.items())
    qtbot.addWidget(form)
    assert_reachable(form)


def test_that_a_form_shows_a_refusal_under_its_field(qtbot):
    form = OptionForm([(OPTIONS["train.epochs"], 3.0)])
    qtbot.addWidget(form)
    form.show()
    field = form.field("train.epochs")
    field.editor.setText("many")
    with qtbot.assertNotEmitted(form.value_edited):
        field.editor.editingFinished.emit()
    assert field.error.isVisible()
    assert "a number from" in field.error.text()
    field.editor.setText("2")
    with qtbot.waitSignal(form.value_edited) as told:
        field.editor.editingFinished.emit()
    assert told.args == ["train.epochs", 2.0]
    assert not field.error.isVisible()


def test_that_a_form_shows_new_values_without_telling(qtbot):
    form = OptionForm([(OPTIONS["model.precision"], "nf4")])
    qtbot.addWidget(form)
    with qtbot.assertNotEmitted(form.value_edited):
        form.set_value("model.precision", "bf16")
    assert form.field("model.precision").editor.value() == "bf16"
