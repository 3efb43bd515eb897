"""The list's prices, worked out a few at a time so that the page opens at once.

A thread would do it no sooner: it and the window would wait for each other's turn with
every call into Qt. Prices hold for a kind of device, not for what is free of it, so a
reading each second asks for nothing new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.finding import Finding
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.services.model_marks import frugal_price
from studio.services.model_shelf import ModelPlace

Price = MemoryEstimate | Finding

_TURN_S = 0.008  # half of what a picture may take at 60 a second


class ListPrices(QObject):
    """What each model of the list takes by the recipe of the marks.

    Signals:
        prices_changed: All that was asked for is known.
    """

    prices_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked: Sequence[ModelPlace] = ()
        self._left: list[ModelPlace] = []
        self._device: TrainingDevice | None = None
        self._found: dict[str, Price] = {}
        self._prices: Mapping[str, Price] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_turn)

    @property
    def is_busy(self) -> bool:
        """Whether prices are still to come."""
        return self._timer.isActive()

    def ask(self, places: Sequence[ModelPlace], device: TrainingDevice) -> None:
        """Work out the prices of models on a device, unless they are known."""
        kind = replace(device, free_bytes=0)
        if kind == self._device and places == self._asked:
            return
        self._device, self._asked = kind, places
        self._left, self._found = list(reversed(places)), {}
        self._timer.start()

    def of(self, name: str) -> Price | None:
        """The price of a model; None while it isn't known."""
        return self._prices.get(name)

    @Slot()
    def _on_turn(self) -> None:
        """As many as one turn of the window has room for, at least one."""
        began = perf_counter()
        while self._left and self._device is not None:
            place = self._left.pop()
            self._found[place.name] = frugal_price(place, self._device)
            if perf_counter() - began > _TURN_S:
                return
        self._timer.stop()
        self._prices = self._found
        self.prices_changed.emit()
