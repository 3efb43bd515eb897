"""The Model page: lists, prices and chooses the model that is trained."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics

from studio.ui.fonts import MEDIUM, sans
from studio.ui.pages.model.page import ModelPage
from studio.ui.tokens import PointSize
from studio.ui.widgets.table import PADDING
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]

EXAMPLE = "SmolLM2-135M-Instruct"
LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


def folder_with(path, config: dict[str, object] | None):
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"\0" * 1000)
    if config is not None:
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.fixture
def page(qtbot, desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    made = ModelPage(desk.desk)
    qtbot.addWidget(made)
    made.resize(1072, 768)
    made.show()
    settle(qtbot, made)
    return made


def settle(qtbot, page: ModelPage) -> None:
    """Wait until the list is read and priced."""
    qtbot.waitUntil(lambda: not page._shelf.is_running, timeout=30_000)
    qtbot.waitUntil(lambda: not page._prices.is_busy, timeout=30_000)


def names(page: ModelPage) -> list[str]:
    models = page.view.models
    return [models.key_at(row) for row in range(models.rowCount())]


def cells(page: ModelPage, row: int) -> list[str]:
    return [page.view.models.index(row, column).data() for column in range(5)]


def test_that_the_built_in_model_is_priced_as_a_range(page):
    title, weights, _, peak, mark = cells(page, 0)
    assert (title, weights) == ("SmolLM2 135M Instruct", "135 M")
    low, high = (float(end) for end in peak.split(" to "))
    assert 0.3 < low < high < 6
    assert mark == "Fits, much room"


def test_that_neither_titles_nor_a_range_of_gigabytes_are_cut(page):
    table, width = page.view.models_table, QFontMetrics(sans()).horizontalAdvance
    assert width("48.84 to 88.88") + 2 * PADDING <= table.columnWidth(3)
    title_width = QFontMetrics(sans(PointSize.CAPTION, MEDIUM)).horizontalAdvance
    for column in range(1, 5):
        title = page.view.models.headerData(column, Qt.Orientation.Horizontal)
        assert title_width(title) + 2 * PADDING <= table.columnWidth(column)


def test_that_the_model_in_use_leads_on_to_the_data(page, desk: TestDesk):
    assert page.view.use.text() == "Go on to the data"
    page.view.use.click()
    assert desk.visited == ["data"]


def test_that_the_parts_of_the_peak_add_up(page):
    details = page._shown
    parts = sum(round(float(part.figure) * 100) for part in details.parts)
    assert parts == round(float(details.peak.removesuffix(" GiB")) * 100)


def test_that_a_model_of_a_folder_is_listed_priced_and_used(
    page, desk: TestDesk, tmp_path, qtbot
):
    folder = folder_with(tmp_path / "my-llama", LLAMA)
    page.add_folder(str(folder))
    settle(qtbot, page)
    assert page.view.details.peak.text().endswith(" GiB")
    assert page.view.details.title.full_text() == "my-llama"
    assert page.view.use.text() == "Use my-llama"
    page.view.use.click()
    assert desk.desk.projects.current.recipe.model.name == str(folder)
    assert page.view.use.text() == "Go on to the data"


def test_that_the_details_tell_how_long_a_text_may_be(page, desk, tmp_path, qtbot):
    desk.hardware.tell(reading_with_card(free=6.0))
    page.add_folder(str(folder_with(tmp_path / "my-llama", LLAMA)))
    settle(qtbot, page)
    texts = page._shown.texts
    assert [text.tokens for text in texts] == [
        f"{length:,} tokens" for length in (1024, 2048, 4096, 8192)
    ]
    peaks = [float(text.figure) for text in texts]
    assert peaks == sorted(peaks)
    assert page.view.details.texts.count() == 4
    page.add_folder(str(folder_with(tmp_path / "odd", {"model_type": "mamba"})))
    settle(qtbot, page)
    assert page.view.details.texts_title.isHidden()
    assert page.view.details.texts.count() == 0


def test_that_a_folder_that_is_no_model_is_told_in_a_sentence(page, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    before = names(page)
    page.add_folder(str(empty))
    text = page.view.findings.itemAt(0).widget().text
    assert text.what == "This folder is no model: it holds no config.json."
    assert names(page) == before


def test_that_a_model_of_an_unknown_kind_says_why_it_is_not_priced(
    page, tmp_path, qtbot
):
    folder = folder_with(tmp_path / "odd", {"model_type": "mamba"})
    page.add_folder(str(folder))
    settle(qtbot, page)
    row = page.view.models.row_of(str(folder))
    assert cells(page, row)[4] == "Not priced yet"
    assert "mamba" in page.view.details.why_not_priced.text()
    assert page.view.details.bar.state is None


def test_that_a_model_that_is_too_large_says_by_how_much(
    page, desk: TestDesk, tmp_path, qtbot
):
    folder = folder_with(tmp_path / "big", {**LLAMA, "num_hidden_layers": 40_000})
    page.add_folder(str(folder))
    desk.hardware.tell(reading_with_card(free=4.0))
    settle(qtbot, page)
    row = page.view.models.row_of(str(folder))
    assert cells(page, row)[4].startswith("Short by ")
    assert row == page.view.models.rowCount() - 1


def test_that_the_whole_list_is_there_with_a_mark_and_its_reason_each(page):
    assert len(names(page)) >= 60
    assert names(page)[0] == EXAMPLE
    for row in range(page.view.models.rowCount()):
        mark = page.view.models.index(row, 4)
        assert mark.data() != "Not priced yet"
        reason = mark.data(Qt.ItemDataRole.ToolTipRole)
        assert "GiB" in reason
        told = "this project’s recipe" if row == 0 else "QLoRA on one row"
        assert told in reason


def test_that_the_page_opens_before_anything_is_priced(qtbot, desk: TestDesk):
    desk.hardware.tell(reading_without_card())
    made = ModelPage(desk.desk)
    qtbot.addWidget(made)
    made._prices.ask = lambda _places, _device: None
    made.show()
    qtbot.waitUntil(lambda: made.view.models.rowCount() >= 60)
    assert {cells(made, row)[4] for row in range(60)} == {"Not priced yet"}


def test_that_a_reading_that_tells_of_other_free_memory_prices_nothing_anew(
    page, desk: TestDesk
):
    row = page.view.models.row_of("Qwen3-8B")
    assert cells(page, row)[4].startswith("Fits")
    desk.hardware.tell(reading_without_card(free=2.0))
    assert not page._prices.is_busy
    row = page.view.models.row_of("Qwen3-8B")
    assert cells(page, row)[4].startswith("Short by ")


def test_that_the_chosen_row_stays_chosen_when_the_order_changes(
    page, desk: TestDesk, qtbot
):
    page.select("Qwen3-8B")
    desk.hardware.tell(reading_with_card(free=4.0))
    settle(qtbot, page)
    table = page.view.models_table
    assert page.view.models.key_at(table.current_row()) == "Qwen3-8B"
    assert page.view.details.title.full_text() == "Qwen3 8B"


def test_that_a_model_that_is_not_here_says_how_to_get_it(page):
    page.select("Llama-3.1-8B-Instruct")
    assert not page.view.use.isEnabled()
    told = page.view.details.preparation.text()
    assert "Agree to its licence" in told
    assert "hf download meta-llama/Llama-3.1-8B-Instruct" in told


def test_that_filters_narrow_the_list_and_can_be_cleared(page, qtbot):
    view = page.view
    whole = names(page)
    view.sizes.set_value("6-10")
    view.licences.set_value("open")
    few = names(page)
    assert "Qwen3-8B" in few
    assert not {EXAMPLE, "Llama-3.1-8B-Instruct"} & set(few)
    view.search.setText("granite 3.3")
    assert names(page) == ["granite-3.3-8b-instruct"]
    assert view.header.facts_label.full_text().startswith(f"1 of {len(whole)} models")
    view.search.setText("nothing like this")
    assert view.nothing.isVisible()
    view.clear_filters.click()
    assert names(page) == whole
    assert view.models_table.isVisible()


def test_that_what_fits_and_what_is_here_are_a_click_or_a_key_away(page, qtbot):
    qtbot.keyClick(
        page,
        Qt.Key.Key_F,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert page.view.only_fitting.isChecked()
    fitting = names(page)
    assert "Qwen3-8B" in fitting
    assert "Llama-3.3-70B-Instruct" not in fitting
    page.view.only_here.click()
    assert names(page) == [EXAMPLE]


def test_that_without_a_project_the_button_leads_to_one(qtbot, desk: TestDesk):
    desk.hardware.tell(reading_without_card())
    made = ModelPage(desk.desk)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.view.models.rowCount() > 0)
    assert made.view.use.text() == "Open a project first"
    made.view.use.click()
    assert desk.visited == ["start"]


def test_that_every_control_has_a_name(page):
    assert_reachable(page)
