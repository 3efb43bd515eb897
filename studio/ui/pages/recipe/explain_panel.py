"""The panel that the memory bar opens: parts, switches, and a step's memory."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from studio.ui.pages.recipe.explanation import Explanation, GroupRow
from studio.ui.pages.recipe.reason_widget import ReasonWidget
from studio.ui.pages.recipe.reasons import ReasonRow
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.pages.swatch import Swatch
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label
from studio.ui.widgets.page import TwoColumns
from studio.ui.widgets.step_timeline import StepTimeline

_SIDE_WIDTH = 512
_LEAST_HEIGHT = 168


class ExplainPanel(TwoColumns):
    """Where each gigabyte goes, and what each switch would save.

    Attributes:
        parts: Rows of the peak's parts below their group's head.
        switches: Rows of what each switch would do.
        timeline: One training step.

    Signals:
        segment_spoken_of: The `Segment` that the current row shapes, or None.
    """

    segment_spoken_of = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(side_width=_SIDE_WIDTH, parent=parent)
        self._shown: Explanation | None = None
        self.parts = ScrollColumn("Where the memory goes")
        self.switches = ScrollColumn("What each switch would do")
        self.timeline = StepTimeline()
        self.timeline_note = _note()
        self.parts_note = _note()
        self.switches_note = _note()
        self._make_parts()
        self._make_switches()
        self._make_timeline()

    def show_explanation(self, shown: Explanation) -> None:
        """Show another explanation; what hasn't changed isn't touched."""
        before, self._shown = self._shown, shown
        if shown == before:
            return
        if before is None or (shown.basis, shown.groups) != (
            before.basis,
            before.groups,
        ):
            self._parts_card.set_note(shown.basis)
            self.parts.set_rows(self._part_rows(shown.groups))
        self._switches_card.set_note(shown.note or shown.basis)
        if before is None or shown.switches != before.switches:
            self.switches.set_rows([self._reason(row) for row in shown.switches])
        self.parts.setVisible(bool(shown.groups))
        self.parts_note.setVisible(not shown.groups)
        self.parts_note.setText(shown.parts_note)
        self.switches.setVisible(bool(shown.switches))
        self.switches_note.setVisible(not shown.switches)
        self.switches_note.setText(shown.switches_note)
        self.timeline.set_timeline(shown.timeline)
        self.timeline.setVisible(shown.timeline is not None)
        self.timeline_note.setText(shown.timeline_note)
        self.timeline_note.setVisible(bool(shown.timeline_note))

    def _make_parts(self) -> None:
        self._parts_card = Card("Where it goes", " ", divided=True, flush=True)
        self._parts_card.body.addWidget(self.parts_note, 0, Qt.AlignmentFlag.AlignTop)
        self._parts_card.body.addWidget(self.parts, 1)
        self._parts_card.setMinimumHeight(_LEAST_HEIGHT)
        self.left.addWidget(self._parts_card, 1)

    def _make_switches(self) -> None:
        card = Card("What each switch would do", " ", divided=True, flush=True)
        card.body.addWidget(self.switches_note, 0, Qt.AlignmentFlag.AlignTop)
        card.body.addWidget(self.switches, 1)
        card.setMinimumHeight(_LEAST_HEIGHT)
        self._switches_card = card
        self.right.addWidget(card, 1)

    def _make_timeline(self) -> None:
        card = Card(
            "One training step",
            "allocated as an area, reserved dashed",
            divided=True,
            flush=True,
        )
        card.body.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, 0)
        card.body.addWidget(self.timeline_note, 0, Qt.AlignmentFlag.AlignTop)
        card.body.addWidget(self.timeline, 1)
        card.setMinimumHeight(_LEAST_HEIGHT)
        self.right.addWidget(card, 1)

    def _part_rows(self, groups: tuple[GroupRow, ...]) -> list[QWidget]:
        rows: list[QWidget] = []
        for group in groups:
            rows.append(_head(group))
            rows += [self._reason(part) for part in group.parts]
        return rows

    def _reason(self, row: ReasonRow) -> ReasonWidget:
        made = ReasonWidget(row)
        made.segment_spoken_of.connect(self.segment_spoken_of)
        return made


def _head(group: GroupRow) -> QWidget:
    """A group's name and sum, with the square that ties it to the bar."""
    head = QWidget()
    row = QHBoxLayout(head)
    row.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.SMALL)
    row.setSpacing(Space.SMALL)
    row.addWidget(Swatch(group.segment))
    row.addWidget(label(group.name, Role.CAPTION_STRONG, Tone.MUTED), 1)
    row.addWidget(label(f"{group.figure} GiB", Role.CAPTION_STRONG, Tone.MUTED))
    return head


def _note() -> QLabel:
    note = label("", tone=Tone.MUTED, wraps=True)
    edge = Space.LARGE
    note.setContentsMargins(edge, edge, edge, edge)
    return note
