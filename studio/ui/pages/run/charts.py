"""The Run page's charts, fed with what is new.

Imported when the first run is shown: pyqtgraph takes half a second.
"""

from collections.abc import Sequence

from PySide6.QtWidgets import QStackedLayout, QWidget

from studio.ui.charts.line_chart import LineChart
from studio.ui.charts.memory_line import MemoryLine
from studio.ui.charts.memory_timeline import (
    MemoryTimeline,
    PredictedPeak,
    TimelineSample,
)
from studio.ui.pages.run.adaptations import Marks
from studio.ui.pages.run.series import Curves, MemoryReading, PeakRange


class RunCharts:
    """Loss, learning rate, gradient norm and memory of one run.

    Attributes:
        loss: Training loss, raw and smoothed, with the held-out losses.
        learning_rate: Of each step.
        grad_norm: Of each step.
        memory: What the run holds.
    """

    def __init__(self) -> None:
        self.loss = LineChart("Loss by step")
        self.learning_rate = LineChart(
            "Learning rate by step", smoothed=False, lowest=0.0
        )
        self.grad_norm = LineChart("Gradient norm by step", smoothed=False, lowest=0.0)
        self.memory = MemoryChart()

    def clear(self) -> None:
        """Forget a run."""
        for chart in (self.loss, self.learning_rate, self.grad_norm, self.memory):
            chart.clear()

    def feed(self, curves: Curves) -> None:
        """Add what is new."""
        if curves.loss:
            self.loss.append(curves.loss)
            self.learning_rate.append(curves.learning_rate)
            self.grad_norm.append(curves.grad_norm)
        if curves.held_out:
            self.loss.append_held_out(curves.held_out)
        if curves.memory:
            self.memory.append(curves.memory)

    def set_marks(self, marks: Marks) -> None:
        """Mark the steps behind which the run helped itself, where memory ran out."""
        self.loss.set_marks(marks)
        self.memory.set_marks(marks)

    def set_extent(self, total_steps: int, passes: tuple[float, ...]) -> None:
        """Let all x axes end at the last step."""
        self.loss.set_total(total_steps, passes)
        self.learning_rate.set_total(total_steps)
        self.grad_norm.set_total(total_steps)
        self.memory.set_total(total_steps)


class MemoryChart(QWidget):
    """The run's memory: on a measured card on top of other programs, else by itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card_bytes: int | None = None
        self._line = MemoryLine()
        self._timeline: MemoryTimeline | None = None
        self._total = 1
        self._peak: PeakRange | None = None
        self._marks: Marks = ()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._line)

    def set_card(self, total_bytes: int | None) -> None:
        """Name the card's memory before the first reading; None without a card."""
        self._card_bytes = total_bytes

    def set_prediction(self, peak: PeakRange | None) -> None:
        """Draw the predicted peak with its range, or none."""
        self._peak = peak
        if peak is not None:
            self._line.set_prediction(peak.peak, peak.low, peak.high, peak.since)
        if self._timeline is not None:
            self._timeline.set_prediction(_on_timeline(peak))

    def set_total(self, steps: int) -> None:
        """Let the x axis end at the run's last step."""
        self._total = steps
        self._line.set_total(steps)
        if self._timeline is not None:
            self._timeline.set_total(steps)

    def set_marks(self, marks: Marks) -> None:
        """Mark the steps behind which the run helped itself."""
        self._marks = marks
        self._line.set_marks(marks)
        if self._timeline is not None:
            self._timeline.set_marks(marks)

    def clear(self) -> None:
        """Forget a run."""
        self._peak, self._marks = None, ()
        self._line.clear()
        self._stack.setCurrentWidget(self._line)
        if self._timeline is not None:
            self._timeline.clear()

    def append(self, readings: Sequence[MemoryReading]) -> None:
        """Add readings, in the order of their steps."""
        if self._card_bytes is None or any(r.other is None for r in readings):
            self._line.append((float(r.step), r.own) for r in readings)
            return
        self._card_timeline(self._card_bytes).append(_samples(readings))

    def _card_timeline(self, total_bytes: int) -> MemoryTimeline:
        if self._timeline is None:
            self._timeline = MemoryTimeline(total_bytes)
            self._stack.addWidget(self._timeline)
            self._timeline.set_total(self._total)
            self._timeline.set_prediction(_on_timeline(self._peak))
            self._timeline.set_marks(self._marks)
        self._timeline.set_card(total_bytes)
        self._stack.setCurrentWidget(self._timeline)
        return self._timeline


def _samples(readings: Sequence[MemoryReading]) -> list[TimelineSample]:
    # The parts of the run can't be told apart live, so all of it is one area.
    return [TimelineSample(float(r.step), r.other or 0, 0, 0, r.own) for r in readings]


def _on_timeline(peak: PeakRange | None) -> PredictedPeak | None:
    if peak is None:
        return None
    return PredictedPeak(peak.peak, peak.low, peak.high, peak.since)
