"""How answers are drawn: a drawer that is closed until it is wanted."""

from collections.abc import Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from studio.domain.chatting import BOUNDS, TITLES, Sampling
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.inputs import DecimalField, IntegerField, TextField
from studio.ui.widgets.labels import Role, label

_MOST_TOKENS = 32_768
_WITHOUT_CHANCE = "Has an effect with a temperature above 0."


class SamplingForm(QWidget):
    """Fields of all settings, a system message among them.

    Attributes:
        temperature, top_p, top_k, repetition_penalty, max_new_tokens, seed: Fields.
        system: What precedes all.

    Signals:
        sampling_changed: A setting, not the system message, was changed.
    """

    sampling_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        first = Sampling()
        self.temperature = _decimal("temperature", first.temperature)
        self.top_p = _decimal("top_p", first.top_p)
        self.top_k = _whole("top_k", first.top_k)
        self.repetition_penalty = _decimal(
            "repetition_penalty", first.repetition_penalty
        )
        self.max_new_tokens = IntegerField(
            1, _MOST_TOKENS, name=TITLES["max_new_tokens"], unit="tokens"
        )
        self.max_new_tokens.setValue(first.max_new_tokens)
        self.seed = _whole("seed", first.seed)
        self.temperature.setToolTip("0 takes the likeliest token always.")
        self.system = TextField(name="System message", hint="No system message")
        self._lay_out()
        for field in self._numbers():
            field.valueChanged.connect(self._on_changed)
        self._suit()

    def sampling(self) -> Sampling:
        """The settings as they are."""
        return Sampling(
            temperature=self.temperature.value(),
            top_p=self.top_p.value(),
            top_k=self.top_k.value(),
            repetition_penalty=self.repetition_penalty.value(),
            max_new_tokens=self.max_new_tokens.value(),
            seed=self.seed.value(),
        )

    def _numbers(self) -> Sequence[DecimalField | IntegerField]:
        return (
            self.temperature,
            self.top_p,
            self.top_k,
            self.repetition_penalty,
            self.max_new_tokens,
            self.seed,
        )

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(Space.LARGE)
        grid.setVerticalSpacing(Space.HAIR)
        for column, (name, field) in enumerate(
            zip(_ORDER, self._numbers(), strict=True)
        ):
            grid.addWidget(label(TITLES[name], Role.CAPTION, Tone.MUTED), 0, column)
            grid.addWidget(field, 1, column)
            grid.setColumnStretch(column, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.SMALL)
        whole.addLayout(grid)
        whole.addWidget(self.system)

    def _suit(self) -> None:
        """Let only those be changed that have an effect."""
        draws = self.sampling().draws
        for field, use in (
            (self.top_p, "Draws from the likeliest tokens of this summed probability."),
            (self.top_k, "Draws from so many of the likeliest tokens; 0 from all."),
            (self.seed, "The same seed draws the same answer."),
        ):
            field.setEnabled(draws)
            field.setToolTip(use if draws else _WITHOUT_CHANCE)

    @Slot()
    def _on_changed(self) -> None:
        self._suit()
        self.sampling_changed.emit()


_ORDER = (
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "max_new_tokens",
    "seed",
)


def _decimal(name: str, value: float) -> DecimalField:
    low, high = BOUNDS[name]
    field = DecimalField(low, high, name=TITLES[name])
    field.setValue(value)
    return field


def _whole(name: str, value: int) -> IntegerField:
    low, high = BOUNDS[name]
    field = IntegerField(int(low), int(high), name=TITLES[name])
    field.setValue(value)
    return field
