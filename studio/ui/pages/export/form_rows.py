"""The rows of exporters' forms, below the adapter and the merged model."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.pages.export.artefacts import FormRow
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.labels import Role, label, line


class PartRow(QWidget):
    """One thing that can be made: its box, what it is for, its size.

    Attributes:
        box: Ticked when it shall be made.
        use: What it is for.
        figure: The size of its files.
    """

    def __init__(
        self,
        box: QCheckBox,
        use: str,
        tone: Tone = Tone.MUTED,
        *,
        beside: QWidget | None = None,
    ) -> None:
        """Lay it out.

        Args:
            box: With its title.
            use: What it is for.
            tone: Of those words.
            beside: What else is chosen about it.
        """
        super().__init__()
        self.box = box
        self.use = label(use, Role.CAPTION, tone, wraps=True)
        self.use.setContentsMargins(Space.PAGE, 0, 0, 0)
        self.figure = label("", Role.ANSWER)
        head = QHBoxLayout()
        head.addWidget(box)
        head.addStretch(1)
        head.addWidget(self.figure)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        column.setSpacing(2)
        column.addLayout(head)
        below = QHBoxLayout()
        below.addWidget(self.use, 1)
        if beside is not None:
            below.addWidget(beside)
        column.addLayout(below)
        self._column = column

    def add_below(self, widget: QWidget) -> None:
        """Put what else is chosen below, in line with the words."""
        row = QHBoxLayout()
        row.setContentsMargins(Space.PAGE, 0, 0, 0)
        row.addWidget(widget)
        self._column.addLayout(row)


class FormRows(QWidget):
    """A box for each form of each exporter; none is ticked at first.

    Signals:
        choice_changed: Another form is ticked, or one less.
    """

    choice_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[FormRow, ...] = ()
        self._rows: list[tuple[FormRow, PartRow]] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    @property
    def can_make_any(self) -> bool:
        """Whether one of the forms can be had."""
        return any(not row.refused for row, _ in self._rows)

    def kinds(self) -> tuple[str, ...]:
        """What is ticked, as the engine names it."""
        return tuple(row.kinds[0] for row, part in self._rows if part.box.isChecked())

    def box_of(self, kind: str) -> QCheckBox:
        """The box of a form, which it may share with others that can't be had."""
        return next(part.box for row, part in self._rows if kind in row.kinds)

    def show_rows(self, rows: Sequence[FormRow]) -> None:
        """Show what can be made; what was ticked stays so."""
        if tuple(rows) == self._shown:
            return
        ticked = set(self.kinds())
        self._shown = tuple(rows)
        self._clear()
        for row in rows:
            part = _part(row)
            part.box.setChecked(not row.refused and row.kinds[0] in ticked)
            part.box.toggled.connect(self.choice_changed)
            self._rows.append((row, part))
            self._column.addWidget(line())
            self._column.addWidget(part)

    def _clear(self) -> None:
        self._rows.clear()
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()


def _part(row: FormRow) -> PartRow:
    box = QCheckBox(row.title)
    part = PartRow(
        box, row.refused or row.use, Tone.WARNING if row.is_doubtful else Tone.MUTED
    )
    part.figure.setText(row.size)
    box.setEnabled(not row.refused)
    part.setToolTip(row.refused)
    box.setAccessibleDescription(row.refused or row.use)
    return part
