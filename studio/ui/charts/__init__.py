"""Charts, loaded on first use.

pyqtgraph and numpy take half a second to import; the window is there before. Pages make
charts through these functions, never by importing the modules.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.ui.charts.history_chart import HistoryChart
    from studio.ui.charts.line_chart import LineChart
    from studio.ui.charts.memory_timeline import MemoryTimeline


def line_chart(
    name: str, *, smoothed: bool = True, lowest: float = -math.inf
) -> "LineChart":
    """A quantity by step.

    Args:
        name: What is shown, for screen readers.
        smoothed: Draw the average over thin raw values; else the values alone.
        lowest: The y axis never reaches below this.
    """
    from studio.ui.charts.line_chart import LineChart

    return LineChart(name, smoothed=smoothed, lowest=lowest)


def memory_timeline(total_bytes: int) -> "MemoryTimeline":
    """The card's memory by step, up to the card's limit."""
    from studio.ui.charts.memory_timeline import MemoryTimeline

    return MemoryTimeline(total_bytes)


def history_chart(name: str, low: float, high: float) -> "HistoryChart":
    """A reading over the last five minutes, between fixed ends."""
    from studio.ui.charts.history_chart import HistoryChart

    return HistoryChart(name, low, high)
