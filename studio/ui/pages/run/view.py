"""The Run page's layout."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.run.ending_card import EndingCard
from studio.ui.pages.run.parts import (
    ChartCard,
    HappeningsCard,
    SamplesCard,
)
from studio.ui.pages.run.series_key import LossKey
from studio.ui.pages.run.view_model import PREFERRED
from studio.ui.tokens import Space
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.fit_mark import FitMark
from studio.ui.widgets.metric_tile import MetricTile
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.progress_header import ProgressHeader

if TYPE_CHECKING:
    from studio.ui.pages.run.charts import RunCharts

_SIDE_WIDTH = 328
_TALL, _FLAT = 224, 104
TILES = (
    "Training loss",
    "Held-out loss",
    PREFERRED,
    "Tokens / s",
    "Highest memory",
)


class RunView(PageFrame):
    """How long still, the charts, the answers, and what happened.

    Attributes:
        pause, save_now, stop: Orders to a run that goes on.
        end_now, kill: The harder ways, while it stops.
        empty, to_recipe: Shown while there is no run.
        filled: Everything else.
        progress, tiles: How far it is.
        ending: How it ended, in place of the progress.
        loss, memory, learning_rate, grad_norm: The cards of the charts.
        memory_mark: The measured peak against the prediction.
        samples, happenings: The answers and the events.
        charts: None until the first run is shown.
    """

    def __init__(self) -> None:
        super().__init__("Run")
        self.charts: RunCharts | None = None
        self.pause = button("Pause", icon=IconName.PAUSE)
        self.pause.setToolTip(
            "Saves after this step and gives the memory back; the run goes on from "
            f"there whenever you like ({key_of(Deed.PAUSE)})"
        )
        self.save_now = button("Save now", icon=IconName.SAVE)
        self.save_now.setToolTip(
            f"Writes a checkpoint after this step ({key_of(Deed.SAVE)})"
        )
        self.stop = button("Stop…", ButtonKind.DANGER, IconName.STOP)
        self.end_now = button("End now")
        self.end_now.setToolTip("The step under way is lost; what was saved stays.")
        self.kill = button("Kill", ButtonKind.DANGER)
        self.kill.setToolTip("The process is ended by force; what was saved stays.")
        for action in self.orders():
            self.header.add_action_widget(action)
        self._make_empty()
        self.filled = QWidget()
        whole = QVBoxLayout(self.filled)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.LARGE)
        self._make_course(whole)
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        self._make_charts(columns)
        self._make_side(columns)
        whole.addWidget(columns, 1)
        self.content.addWidget(self.empty, 0, TOP_LEFT)
        self.content.addWidget(self.filled, 1)

    def orders(self) -> tuple[QWidget, ...]:
        """The buttons that order something of a run."""
        return self.pause, self.save_now, self.stop, self.end_now, self.kill

    def make_charts(self) -> "RunCharts":
        """The charts; made, and pyqtgraph imported, at the first call."""
        if self.charts is None:
            from studio.ui.pages.run.charts import RunCharts

            self.charts = RunCharts()
            self.loss.set_chart(self.charts.loss)
            self.memory.set_chart(self.charts.memory)
            self.learning_rate.set_chart(self.charts.learning_rate)
            self.grad_norm.set_chart(self.charts.grad_norm)
        return self.charts

    def chart_cards(self) -> tuple[ChartCard, ...]:
        """The cards that hold charts."""
        return self.loss, self.memory, self.learning_rate, self.grad_norm

    def _make_empty(self) -> None:
        self.empty = empty_page(
            IconName.PLAY,
            "No run yet",
            "A run that is started on the Recipe page is followed here, step by step.",
        )
        self.to_recipe = button("Go to the recipe", ButtonKind.PRIMARY)
        self.empty.add_button(self.to_recipe)

    def _make_course(self, whole: QVBoxLayout) -> None:
        self.progress = ProgressHeader()
        self.tiles = {caption: MetricTile(caption) for caption in TILES}
        for tile in self.tiles.values():
            self.progress.add_tile(tile)
        self.ending = EndingCard()
        for card in (self.progress, self.ending):
            whole.addWidget(card)

    def _make_charts(self, columns: TwoColumns) -> None:
        self.loss = ChartCard("Loss")
        self.loss.add_header_widget(LossKey())
        self.memory = ChartCard("Memory")
        self.memory_mark = FitMark(about="Highest memory so far")
        self.memory.add_header_widget(self.memory_mark)
        for card in (self.loss, self.memory):
            card.setMinimumHeight(_TALL)
            columns.left.addWidget(card, 1)

    def _make_side(self, columns: TwoColumns) -> None:
        self.learning_rate = ChartCard("Learning rate", flat=True)
        self.grad_norm = ChartCard("Gradient norm", flat=True)
        self.samples = SamplesCard()
        self.happenings = HappeningsCard()
        for card in (self.learning_rate, self.grad_norm):
            card.setMinimumHeight(_FLAT)
        columns.right.addWidget(self.learning_rate, 2)
        columns.right.addWidget(self.grad_norm, 2)
        columns.right.addWidget(self.samples, 4)
        columns.right.addWidget(self.happenings, 2)
