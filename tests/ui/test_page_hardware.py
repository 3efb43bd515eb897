"""The Hardware page: what is free, who holds the rest, how the card fares."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from studio.domain.finding import error
from studio.domain.hardware import GIB, GpuProcess
from studio.ui.charts.feed import shared_feed
from studio.ui.pages.hardware.page import HardwarePage
from studio.ui.widgets.memory_bar_state import Segment
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]


@pytest.fixture
def page(qtbot, desk: TestDesk):
    made = HardwarePage(desk.desk)
    qtbot.addWidget(made)
    made.resize(1072, 768)
    made.show()
    yield made
    made.hide()
    shared_feed().drain()


def test_that_nothing_is_shown_as_zero_before_the_first_reading(page):
    assert page.view.answer.text() == "Not measured yet"
    assert page.view.memory.state is None
    assert not page.view.copy_report.isEnabled()


def test_that_the_free_memory_of_the_card_is_the_first_thing_said(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card(free=10.89))
    assert page.view.answer.text() == "10.89 GiB free"
    assert page.view.memory.state.held(Segment.FREE) == round(10.89 * GIB)
    assert page.view.mark.mark.words == "Ready to train"


def test_that_the_card_s_programs_are_listed_largest_first(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card())
    told = [
        [page.view.programs.index(row, column).data() for column in (0, 1, 2, 4)]
        for row in range(2)
    ]
    assert told == [
        ["Xorg", "Display server", "412", "Draws your screen"],
        ["firefox", "Web browser", "391", "Close it to get 0.38 GiB back"],
    ]
    firefox = page.view.programs.index(1, 0)
    assert firefox.data(Qt.ItemDataRole.AccessibleTextRole) == "firefox, 2914"
    assert page.view.holders.note_label.text() == "803 MiB, in all"


def test_that_a_figure_that_is_not_reported_says_why(page, desk: TestDesk):
    reason = "The driver gives no power reading for this card."
    missing = MappingProxyType({"power_w": reason})
    desk.hardware.tell(reading_with_card(power_w=None, missing=missing))
    lines = {line.name.text(): line for line in page._lines}
    assert lines["Power"].value.text() == "not reported"
    assert lines["Power"].reason.full_text() == reason
    assert page.view.power_history.missing.text() == reason


def test_that_without_a_card_the_largest_programs_of_the_machine_are_listed(
    page, desk: TestDesk, qtbot
):
    desk.hardware.tell(reading_without_card(free=12, total=16))
    qtbot.waitUntil(lambda: page.view.programs.rowCount() > 0)
    assert page.view.answer.text() == "12.00 GiB free"
    assert page.view.temperature_history.isHidden()
    assert page.view.findings.itemAt(0).widget().text.what == "No NVIDIA card found."


def test_that_a_driver_s_trouble_is_told_in_its_own_words(page, desk: TestDesk):
    trouble = error("gpu.driver-updated", "The driver was updated.", fix="Restart.")
    reading = reading_without_card()
    desk.hardware.tell(
        type(reading)(
            gpu_finding=trouble,
            ram_total_bytes=reading.ram_total_bytes,
            ram_available_bytes=reading.ram_available_bytes,
            disk_free_bytes=reading.disk_free_bytes,
            read_at=reading.read_at,
        )
    )
    text = page.view.findings.itemAt(0).widget().text
    assert (text.what, text.consequence) == ("The driver was updated.", "Restart.")


def test_that_the_report_lands_on_the_clipboard(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card())
    page.view.copy_report.click()
    copied = QGuiApplication.clipboard().text()
    assert "GeForce RTX 4070" in copied
    assert "Temperature: 46 °C" in copied
    assert "Program firefox 2914 (Web browser): 391" in copied
    page._copied.stop()


def test_that_what_was_measured_before_the_visit_is_in_the_history(
    qtbot, desk: TestDesk
):
    for _ in range(3):
        desk.hardware.tell(reading_with_card())
    made = HardwarePage(desk.desk)
    qtbot.addWidget(made)
    assert len(desk.desk.history.readings()) == 3
    assert made.view.temperature_history.value.text() == "46 °C"
    shared_feed().drain()


def test_that_programs_with_hidden_figures_are_named_all_the_same(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card(processes=(GpuProcess(7, "", None),)))
    cells = [page.view.programs.index(0, column).data() for column in (0, 1, 2, 4)]
    assert cells == ["hidden by the system", "Unknown program", "not reported", ""]


def test_that_of_several_cards_each_can_be_looked_at_with_its_history(
    page, desk: TestDesk
):
    reading = reading_with_card()
    (first,) = reading.gpus
    other = replace(first, index=1, uuid="GPU-2", name="Other", temperature_c=77)
    assert page.view.card_choice.isHidden()
    desk.hardware.tell(reading)
    assert page.view.card_choice.isHidden()
    for _ in range(2):
        desk.hardware.tell(replace(reading, gpus=(first, other)))
    box = page.view.card_choice
    assert not box.isHidden()
    assert box.value() == "GPU-1"
    box.set_value("GPU-2")
    box.activated.emit(1)
    assert page.view.mark.mark.words == "Runs use card 0"
    assert page.view.temperature_history.value.text() == "77 °C"
    desk.hardware.tell(reading)
    assert page.view.mark.mark.words == "Ready to train"
    assert box.isHidden()


def test_that_every_control_has_a_name(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card())
    assert_reachable(page)
