"""What all charts share: axes, colours and mouse, set up once.

pyqtgraph ships no types, so its objects are kept inside the chart widgets and nothing
of it is part of their interface.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QMargins, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QPen, QShowEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.charts.feed import shared_feed
from studio.ui.fonts import sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Tokens

LINE: Final = 2
_AXIS_WIDTH: Final = 52
_AXIS_HEIGHT: Final = 22
_ROOM_BESIDE: Final = 0.012
_GROUND_ALPHA: Final = 0.8
"""Share of a run's steps that is kept free at both ends, for marks there."""
_DASHES: Final[dict[int, list[float]]] = {
    1: [],
    2: [3.5, 2.0],
    3: [1.0, 1.5],
    4: [5.0, 1.5, 1.0, 1.5],
}
"""In units of the 2 px line: 7 4; 2 3; 10 3 2 3 px."""


def series_colour(tokens: Tokens, number: int) -> str:
    """The colour of series 1 to 4."""
    return (tokens.series_1, tokens.series_2, tokens.series_3, tokens.series_4)[
        number - 1
    ]


def series_pen(tokens: Tokens, number: int, width: float = LINE) -> QPen:
    """The pen of series 1 to 4: colour and dashes tell them apart."""
    pen = QPen(QColor(series_colour(tokens, number)), width)
    pen.setCosmetic(True)
    if _DASHES[number]:
        pen.setDashPattern(_DASHES[number])
    return pen


def ground_behind_words(tokens: Tokens) -> QBrush:
    """What a figure in a chart stands on; lines behind it would strike it out."""
    ground = QColor(tokens.surface)
    ground.setAlphaF(_GROUND_ALPHA)
    return QBrush(ground)


def thin_pen(colour: str, alpha: float = 1.0, width: float = 1.0) -> QPen:
    """A line that keeps its width at any zoom."""
    ink = QColor(colour)
    ink.setAlphaF(alpha)
    pen = QPen(ink, width)
    pen.setCosmetic(True)
    return pen


def dashed_pen(colour: str, width: float = 1.5) -> QPen:
    """The pen of what is predicted, never of what was measured."""
    pen = thin_pen(colour, width=width)
    pen.setDashPattern([4.0, 3.0])
    return pen


class _Click(Protocol):
    """What pyqtgraph tells of a mouse click."""

    def double(self) -> bool:
        """Whether it was the second of two."""


class Plot(QWidget):
    """A plot with a left and a bottom axis, as every chart holds one.

    The wheel zooms along x only and a double click shows all. News waits for the shared
    timer, and for the plot to be visible.

    Attributes:
        items: The pyqtgraph widget that curves are added to.

    Signals:
        drawing_due: Something arrived; put the data into the curves.
        colours_changed: The palette changed; give the curves their pens.
        whole_wanted: Show the whole x axis.
    """

    drawing_due = Signal()
    colours_changed = Signal()
    whole_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        pg.setConfigOptions(antialias=True)
        self.items = pg.PlotWidget()
        self.is_zoomed = False
        self._has_news = False
        self._grid: list[pg.InfiniteLine] = []
        self._grid_places: list[float] = []
        self._set_up()
        self._colour_axes()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(QMargins(0, 0, 0, 0))
        layout.addWidget(self.items)
        self._feed = shared_feed()

    def tell_news(self) -> None:
        """Draw at the next tick, or when the plot is shown."""
        self._has_news = True
        if self.isVisible():
            self._feed.request(self)

    def redraw(self) -> None:
        """Draw everything that arrived since the last time."""
        if self._has_news and self.isVisible():
            self._has_news = False
            self.drawing_due.emit()

    def show_all(self) -> None:
        """Show the whole x axis again."""
        self.is_zoomed = False
        self.whole_wanted.emit()

    def limit_steps(self, last: int) -> None:
        """Let nobody look beyond step 0 and the last step of a run."""
        room = last * _ROOM_BESIDE
        self.items.getViewBox().setLimits(xMin=-room, xMax=last + room)

    def show_steps(self, last: int) -> None:
        """Show all steps of a run."""
        room = last * _ROOM_BESIDE
        self.items.setXRange(-room, last + room, padding=0)

    def set_ticks(self, side: str, ticks: Sequence[tuple[float, str]]) -> None:
        """Name places of the ``left`` or ``bottom`` axis."""
        self.items.getAxis(side).setTicks([list(ticks), []])

    def set_grid(self, places: Sequence[float]) -> None:
        """Draw horizontal lines, and no others."""
        if list(places) == self._grid_places:
            return
        for line in self._grid:
            self.items.removeItem(line)
        self._grid_places = list(places)
        self._grid = [pg.InfiniteLine(pos=place, angle=0) for place in places]
        for line in self._grid:
            line.setZValue(-10)
            line.setPen(thin_pen(current_tokens().chart_grid))
            self.items.addItem(line, ignoreBounds=True)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._colour_axes()
            self.colours_changed.emit()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._has_news:
            self._feed.request(self)

    def _set_up(self) -> None:
        self.items.setFrameShape(QFrame.Shape.NoFrame)
        self.items.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.items.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.items.setMenuEnabled(False)
        self.items.hideButtons()
        self.items.setMouseEnabled(x=True, y=False)
        view = self.items.getViewBox()
        view.setDefaultPadding(0)
        view.sigRangeChangedManually.connect(self._on_zoomed)
        self.items.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        for side in ("left", "bottom"):
            axis = self.items.getAxis(side)
            axis.setStyle(
                tickFont=sans(PointSize.CAPTION),
                tickLength=0,
                tickAlpha=0,
                hideOverlappingLabels=False,
            )
        # Room for the halves of the outermost figures.
        self.items.getPlotItem().layout.setContentsMargins(0, 8, 16, 0)
        self.items.getAxis("left").setWidth(_AXIS_WIDTH)
        self.items.getAxis("bottom").setHeight(_AXIS_HEIGHT)

    def _colour_axes(self) -> None:
        tokens = current_tokens()
        self.items.setBackground(QColor(tokens.surface))
        left, bottom = (self.items.getAxis(side) for side in ("left", "bottom"))
        for axis in (left, bottom):
            axis.setTextPen(thin_pen(tokens.muted))
        left.setPen(QPen(Qt.PenStyle.NoPen))
        bottom.setPen(thin_pen(tokens.border_strong))
        for line in self._grid:
            line.setPen(thin_pen(tokens.chart_grid))

    def _on_mouse_clicked(self, click: _Click) -> None:
        if click.double():
            self.show_all()

    def _on_zoomed(self, _axes: object) -> None:
        self.is_zoomed = True
