"""Runs work beside the engine's main thread, so that an order to end is heard at once.

A library that waits for a connection hears nothing. A commit alone is waited for: it
is made as a whole or not at all, and its outcome is to be known.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from studio.engine.lifeline import SAVE_S, Interrupted
from studio.engine.session import Session

Result = TypeVar("Result")
_LOOK_S: Final = 0.1


class Aside(Generic[Result]):
    """One piece of work in a thread of its own."""

    def __init__(self, session: Session) -> None:
        """Begin nothing yet.

        Args:
            session: Is asked for orders to end.
        """
        self._session = session
        self._lock = threading.Lock()
        self._is_ended = self._is_committing = False
        self._done = threading.Event()
        self._fault: BaseException | None = None
        self._result: list[Result] = []

    def run(self, work: Callable[[], Result]) -> Result:
        """Do it, and hand on what came of it.

        Raises:
            Interrupted: It was to end. The thread goes on until the process ends, and
                commits nothing any more.
        """
        threading.Thread(
            target=self._work, args=(work,), name="push", daemon=True
        ).start()
        while not self._done.wait(_LOOK_S):
            self._look()
        if self._fault is not None:
            raise self._fault
        return self._result[0]

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Let nobody end the work inside.

        Raises:
            Interrupted: It is to end already.
        """
        with self._lock:
            if self._is_ended or self._is_wanted:
                raise Interrupted
            self._is_committing = True
        yield

    @property
    def _is_wanted(self) -> bool:
        """Whether an end is."""
        return self._session.lifeline.is_cut or self._session.orders.stop_is_ordered

    def _look(self) -> None:
        if not self._is_wanted:
            return
        with self._lock:
            if not self._is_committing:
                self._is_ended = True
                raise Interrupted
        self._session.lifeline.grant(SAVE_S)
        self._done.wait()

    def _work(self, work: Callable[[], Result]) -> None:
        try:
            self._result.append(work())
        except BaseException as fault:  # noqa: BLE001 - raised again where it is waited for
            self._fault = fault
        finally:
            self._done.set()
