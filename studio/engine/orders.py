"""What the user wants of a running engine, kept until the training loop asks."""

import queue
import threading

from studio.protocol.commands import (
    Ask,
    Pause,
    SampleNow,
    SaveNow,
    ShowRow,
    Stop,
    StopAnswer,
)

Order = Stop | Pause | SaveNow | SampleNow | ShowRow | Ask | StopAnswer


class Orders:
    """Orders as they arrive from any thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._save = threading.Event()
        self._sample = threading.Event()
        self._keep_work = True
        self._pauses = False
        self._rows: queue.SimpleQueue[ShowRow] = queue.SimpleQueue()
        self._questions: queue.SimpleQueue[Ask] = queue.SimpleQueue()
        self._stopped_question = -1

    def take(self, order: Order) -> None:
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
            case Ask():
                self._questions.put(order)
            case StopAnswer(order=number):
                self._stopped_question = max(self._stopped_question, number)

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

    @property
    def stopped_question(self) -> int:
        """The highest question whose answers are not wanted any more; -1 for none."""
        return self._stopped_question

    def next_question(self, patience_s: float) -> Ask | None:
        """The next question, in the order in which they were asked.

        Args:
            patience_s: How long to wait for one.

        Returns:
            None when there was none in that time.
        """
        try:
            return self._questions.get(timeout=patience_s)
        except queue.Empty:
            return None


def _taken(order: threading.Event) -> bool:
    was_set = order.is_set()
    order.clear()
    return was_set
