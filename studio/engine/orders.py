"""What the user wants of a running engine, kept until the training loop asks."""

import queue
import threading

from studio.protocol.commands import Pause, SampleNow, SaveNow, ShowRow, Stop


class Orders:
    """Orders as they arrive from any thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._save = threading.Event()
        self._sample = threading.Event()
        self._keep_work = True
        self._pauses = False
        self._rows: queue.SimpleQueue[ShowRow] = queue.SimpleQueue()

    def take(self, order: Stop | Pause | SaveNow | SampleNow | ShowRow) -> None:
        """Remember an order."""
        match order:
            case Stop(save=save):
                self._keep_work, self._pauses = save, False
                self._stop.set()
            case Pause():
                self._pauses = not self._stop.is_set()
                self._stop.set()
            case SaveNow():
                self._save.set()
            case SampleNow():
                self._sample.set()
            case ShowRow():
                self._rows.put(order)

    @property
    def stop_is_ordered(self) -> bool:
        """Whether training ends after the step under way."""
        return self._stop.is_set()

    @property
    def pauses(self) -> bool:
        """Whether that end is a pause, which no order to stop came before or behind."""
        return self._pauses

    @property
    def keeps_work(self) -> bool:
        """Whether a stopped run saves its adapter."""
        return self._keep_work

    def take_save(self) -> bool:
        """Whether a checkpoint was ordered since the last call."""
        return _taken(self._save)

    def take_sample(self) -> bool:
        """Whether answers were ordered since the last call."""
        return _taken(self._sample)

    def newest_row(self, patience_s: float) -> ShowRow | None:
        """The newest order to show a row, those before it let go.

        Args:
            patience_s: How long to wait for one.

        Returns:
            None when there was none in that time.
        """
        try:
            order = self._rows.get(timeout=patience_s)
            while not self._rows.empty():
                order = self._rows.get_nowait()
        except queue.Empty:
            return None
        return order


def _taken(order: threading.Event) -> bool:
    was_set = order.is_set()
    order.clear()
    return was_set
