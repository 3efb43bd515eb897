"""The simple form's widgets: sliders with stops, and one check box."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.recommend.policy import POLICIES
from studio.ui.pages.recipe.simple_rows import HoldBackRow, SliderRow
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.segmented import Segmented


class StopSlider(QSlider):
    """A slider that ignores the wheel unless it has the focus."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSingleStep(1)
        self.setPageStep(1)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SliderChoice(QWidget):
    """A choice with a slider: title and value above, its meaning below.

    Attributes:
        slider: Moves between the stops.
        value: The value in words.
        caption: What it means here.

    Signals:
        value_chosen: The option's key and the stop's value.
    """

    value_chosen = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = ""
        self._steps: tuple[float, ...] = ()
        self.title = label("", Role.STRONG)
        self.value = label("", Role.ANSWER)
        self.slider = StopSlider()
        self.caption = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        first = QHBoxLayout()
        first.addWidget(self.title)
        first.addStretch(1)
        first.addWidget(self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        column.setSpacing(Space.HAIR)
        column.addLayout(first)
        column.addWidget(self.slider)
        column.addWidget(self.caption)
        self.slider.valueChanged.connect(self._on_value_changed)

    def show_row(self, row: SliderRow) -> None:
        """Show a value without telling anybody."""
        self._key, self._steps = row.key, row.steps
        self.title.setText(row.title)
        self.value.setText(row.value)
        self.caption.setText(row.caption)
        was_blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, len(row.steps) - 1)
        self.slider.setValue(row.place)
        self.slider.blockSignals(was_blocked)
        self.slider.setAccessibleName(f"{row.title}: {row.value}")
        self.slider.setAccessibleDescription(row.caption)

    def _on_value_changed(self, place: int) -> None:
        self.value_chosen.emit(self._key, self._steps[place])


class SimpleForm(QWidget):
    """What the memory shall buy, and four choices, parted by lines.

    Attributes:
        goal: What the free memory shall buy.
        choices: The sliders, in order.
        hold_back: Whether rows are held back.

    Signals:
        goal_chosen: The goal's key.
        value_chosen: An option's key and the value of a slider's stop.
        hold_back_chosen: Whether rows are to be held back.
    """

    goal_chosen = Signal(str)
    value_chosen = Signal(str, float)
    hold_back_chosen = Signal(bool)

    def __init__(self, sliders: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choices = [SliderChoice() for _ in range(sliders)]
        self.hold_back = QCheckBox()
        self._hold_back_caption = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._make_goal())
        column.addWidget(line())
        for choice in self.choices:
            column.addWidget(choice)
            column.addWidget(line())
            choice.value_chosen.connect(self.value_chosen)
        column.addLayout(self._make_hold_back())
        column.addStretch(1)
        self.hold_back.clicked.connect(self.hold_back_chosen)

    def show_goal(self, key: str, meaning: str) -> None:
        """Show a goal without telling anybody."""
        self.goal.set_current(key)
        self._goal_caption.setText(meaning)

    def show_rows(self, sliders: Sequence[SliderRow], hold_back: HoldBackRow) -> None:
        """Show values without telling anybody."""
        for choice, row in zip(self.choices, sliders, strict=True):
            choice.show_row(row)
        self.hold_back.setText(hold_back.title)
        self.hold_back.setChecked(hold_back.on)
        self._hold_back_caption.setText(hold_back.caption)

    def _make_goal(self) -> QVBoxLayout:
        question = "What should the free memory buy?"
        titles = [(goal.value, policy.title) for goal, policy in POLICIES.items()]
        self.goal = Segmented(titles, name=question)
        self.goal.choice_changed.connect(self.goal_chosen)
        self._goal_caption = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        column = QVBoxLayout()
        column.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        column.setSpacing(Space.HAIR)
        column.addWidget(label(question, Role.STRONG))
        column.addWidget(self.goal)
        column.addWidget(self._goal_caption)
        return column

    def _make_hold_back(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        column.setSpacing(2)
        column.addWidget(self.hold_back)
        indented = QHBoxLayout()
        indented.setContentsMargins(Space.PAGE, 0, 0, 0)
        indented.addWidget(self._hold_back_caption, 100)
        indented.addStretch(1)
        column.addLayout(indented)
        return column
