"""The Hardware page: wires readings to bar, tables and charts."""

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import (
    QGuiApplication,
    QHideEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.hardware import GIB, GpuProcess, MachineReading
from studio.services.programs import ProgramsMonitor
from studio.ui.actions import bind_keys
from studio.ui.item_models.cells import Cell
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.finding_text import show_findings
from studio.ui.pages.hardware.history import Measured
from studio.ui.pages.hardware.view import HardwareView, HealthLine, History
from studio.ui.pages.hardware.view_model import (
    HardwareView as HardwareWords,
)
from studio.ui.pages.hardware.view_model import (
    HealthRow,
    Point,
    ProgramRow,
    choices,
    hardware_view,
    point_of,
    report,
)
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

_COPIED_MS = 2000
_HOTTEST = 90.0
_COOLEST = 30.0
_SHARE_SCALE = 1000


class HardwarePage(QWidget):
    """Wires the Hardware page.

    Attributes:
        view: Its widgets.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._programs: tuple[GpuProcess, ...] = ()
        self._lines: list[HealthLine] = []
        self._words: HardwareWords | None = None
        self._ends = ("", 0)
        self._looked_at = ""
        self._choices: tuple[tuple[str, str], ...] = ()
        self.view = HardwareView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._copied = QTimer(self)
        self._copied.setSingleShot(True)
        self._copied.setInterval(_COPIED_MS)
        self._copied.timeout.connect(self._on_copied_read)
        self._lister = ProgramsMonitor(parent=self)
        self._lister.programs_listed.connect(self._on_programs_listed)
        bind_keys(self, Deed.MEASURE, desk.hardware.refresh)
        self.view.card_choice.activated.connect(self._on_card_chosen)
        self.view.look_again.clicked.connect(desk.hardware.refresh)
        self.view.copy_report.clicked.connect(self._on_copy)
        desk.hardware.reading_changed.connect(self._on_reading_changed)
        for measured in desk.history.readings():
            self._append(measured)
        self._show()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._lister.start()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._lister.stop()

    def _show(self) -> None:
        reading = self._desk.hardware.latest
        self.view.copy_report.setEnabled(reading is not None)
        if reading is None:
            return
        run = self._desk.controller.snapshot
        words = hardware_view(reading, self._programs, run, self._looked_at)
        self._show_choices(choices(reading))
        changed = self._words is None or words.findings != self._words.findings
        self._words = words
        self._show_answer(words)
        self._show_programs(words)
        self._show_health(words)
        if changed:
            show_findings(self.view.findings, list(words.findings))

    def _show_choices(self, offered: tuple[tuple[str, str], ...]) -> None:
        if offered == self._choices:
            return
        self._choices = offered
        box = self.view.card_choice
        box.set_choices(offered)
        reading = self._desk.hardware.latest
        used = None if reading is None else reading.card_in_use()
        if self._looked_at not in [uuid for uuid, _ in offered]:
            self._looked_at = "" if used is None else used.uuid
        box.set_value(self._looked_at)
        box.setVisible(bool(offered))

    def _show_answer(self, words: HardwareWords) -> None:
        view = self.view
        view.header.set_facts(words.facts)
        view.answer.setText(words.answer)
        view.beside.setText(words.beside)
        view.mark.set_mark(words.mark)
        view.mark.show()
        view.memory.set_state(words.bar)

    def _show_programs(self, words: HardwareWords) -> None:
        view = self.view
        rows = [(str(row.pid), _cells(row)) for row in words.programs]
        view.programs.set_rows(rows)
        view.holders.set_note(words.programs_note)
        view.programs_table.setVisible(bool(rows))
        view.programs_missing.setText(words.programs_missing)
        view.programs_missing.setVisible(not rows)

    def _show_health(self, words: HardwareWords) -> None:
        while len(self._lines) < len(words.health):
            self._lines.append(self.view.add_health_line())
        for place, shown in enumerate(self._lines):
            shown.setVisible(place < len(words.health))
        for line, row in zip(self._lines, words.health, strict=False):
            _tell(line, row)

    def _append(self, measured: Measured) -> None:
        used = measured.reading.card_in_use()
        reading = measured.reading.looked_at(self._looked_at)
        self._set_ends(reading)
        is_used = used is None or self._looked_at in {"", used.uuid}
        point = point_of(reading, measured.run_bytes if is_used else None)
        view = self.view
        view.memory_history.chart.append(
            point.seconds, point.other_gib, point.run_gib, point.free_gib
        )
        view.memory_history.value.setText(point.memory_words())
        _add(view.load_history, point, point.load, "%")
        _add(view.temperature_history, point, point.temperature_c, "°C")
        _add(view.power_history, point, point.power_w, "W")

    def _set_ends(self, reading: MachineReading) -> None:
        """Fit the axes to the device; once for each."""
        device, card = reading.device(), reading.card_in_use()
        ends = device.name, device.total_bytes
        if ends == self._ends:
            return
        self._ends = ends
        view = self.view
        # Another device's readings are no history of this one.
        for history in view.histories():
            history.chart.clear()
        view.memory_history.chart.set_ends(0, device.total_bytes / GIB)
        view.temperature_history.setVisible(card is not None)
        view.power_history.setVisible(card is not None)
        if card is None:
            return
        hottest = float(card.slowdown_c or 0)
        view.temperature_history.chart.set_ends(_COOLEST, max(_HOTTEST, hottest + 5))
        slows = f"slows at {card.slowdown_c} °C"
        view.temperature_history.chart.set_limit(hottest or None, slows)
        limit = card.power_limit_w
        view.power_history.chart.set_ends(0, (limit or 400.0) * 1.1)
        view.power_history.chart.set_limit(limit, f"limit {limit or 0:.0f} W")
        _explain(view.load_history, card.missing.get("utilization", ""))
        _explain(view.temperature_history, card.missing.get("temperature_c", ""))
        _explain(view.power_history, card.missing.get("power_w", ""))

    @Slot(object)
    def _on_reading_changed(self, _reading: MachineReading) -> None:
        # The history heard of it before this page, which was built after it.
        self._append(self._desk.history.readings()[-1])
        self._show()

    @Slot()
    def _on_card_chosen(self) -> None:
        self._looked_at = self.view.card_choice.value()
        self._ends = ("", 0)
        for measured in self._desk.history.readings():
            self._append(measured)
        self._show()

    @Slot(object)
    def _on_programs_listed(self, programs: list[GpuProcess]) -> None:
        self._programs = tuple(programs)
        self._show()

    @Slot()
    def _on_copy(self) -> None:
        if self._words is None:
            return
        QGuiApplication.clipboard().setText(report(self._words))
        self.view.copy_report.setText(" Copied")
        self._copied.start()

    @Slot()
    def _on_copied_read(self) -> None:
        self.view.copy_report.setText(" Copy report")


def _cells(row: ProgramRow) -> list[Cell]:
    held = round(row.share * _SHARE_SCALE)
    whose = Segment.ACTIVATIONS if row.is_run else Segment.OTHER
    bar = MemoryBarState.filled(_SHARE_SCALE, {whose: held}, measured=True)
    return [
        Cell(row.name, str(row.pid), hint=f"{row.name} {row.pid}"),
        Cell(row.what, hint=row.what, tone=Tone.MUTED),
        Cell(row.held),
        Cell(painted=bar),
        Cell(
            row.advice,
            hint=row.advice,
            tone=Tone.NORMAL if row.frees else Tone.MUTED,
        ),
    ]


def _tell(line: HealthLine, row: HealthRow) -> None:
    line.name.setText(row.name)
    line.value.setText(row.value)
    line.reason.set_text(row.reason)
    line.reason.setVisible(bool(row.reason))
    line.mark.setVisible(row.mark is not None)
    if row.mark is not None:
        line.mark.set_mark(row.mark, row.name)


def _add(history: History, point: Point, value: float | None, unit: str) -> None:
    history.chart.append(point.seconds, value)
    words = "not reported" if value is None else f"{value:.0f} {unit}"
    history.value.setText(words)


def _explain(history: History, reason: str) -> None:
    """Put the reason in the place of a chart that will stay empty."""
    history.chart.setVisible(not reason)
    history.missing.setVisible(bool(reason))
    history.missing.setText(reason)
