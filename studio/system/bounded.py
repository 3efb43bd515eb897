"""Calls that may never return, asked with a time limit.

A wedged driver blocks its caller for good and no thread can be ended from outside, so
the call runs in a daemon thread that nobody waits for longer than the limit.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

_LOOK_S = 0.05


class Bounded(Generic[Answer]):
    """A function without arguments, called in a thread of its own.

    Args:
        function: It may block; it must raise nothing.
    """

    def __init__(self, function: Callable[[], Answer]) -> None:
        self._function = function
        self._questions: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._is_working = False
        self._is_asked = False

    def ask(self, limit_s: float, give_up: threading.Event) -> Answer | None:
        """Call the function; while an earlier call blocks, wait for that one.

        Args:
            limit_s: Longest wait.
            give_up: Ends the wait early when it is set.

        Returns:
            Its answer, or None when there is none in time.
        """
        if not self._is_working:
            self._is_working = True
            threading.Thread(
                target=self._work, name="bounded call", daemon=True
            ).start()
        if not self._is_asked:
            self._is_asked = True
            self._questions.put(True)
        until = time.monotonic() + limit_s
        while time.monotonic() < until and not give_up.is_set():
            try:
                answer = self._answers.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            self._is_asked = False
            return answer
        return None

    def close(self) -> None:
        """End the thread as soon as the function lets it."""
        if self._is_working:
            self._is_working = False
            self._questions.put(False)

    def _work(self) -> None:
        while self._questions.get():
            self._answers.put(self._function())
