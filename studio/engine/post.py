"""Reads the orders that others than the starter leave in a run's folder."""

import contextlib
import threading
from collections.abc import Iterator

from studio.engine.session import Session
from studio.storage.post_box import PostBox

_EVERY_S = 0.5


@contextlib.contextmanager
def delivered(session: Session, box: PostBox) -> Iterator[None]:
    """Hand on what is ordered from now on, about twice a second.

    What was ordered before was meant for an engine that is gone.
    """
    is_over = threading.Event()
    reader = threading.Thread(
        target=_deliver,
        args=(session, box, box.size(), is_over),
        name="post",
        daemon=True,
    )
    reader.start()
    try:
        yield
    finally:
        is_over.set()
        reader.join()


def _deliver(
    session: Session, box: PostBox, offset: int, is_over: threading.Event
) -> None:
    while not is_over.wait(_EVERY_S):
        lines, offset = box.lines_from(offset)
        for line in lines:
            session.hear(line)
