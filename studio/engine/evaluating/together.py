"""As many rows at a time as there is memory for."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from studio.domain.finding import warning
from studio.engine.failures import is_out_of_memory
from studio.engine.lifeline import Interrupted
from studio.engine.session import Session

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8


class Together:
    """How many rows go through a model at a time; halved when memory runs out.

    Attributes:
        size: At the moment.
    """

    def __init__(self, session: Session, size: int = MOST) -> None:
        self._session = session
        self.size = size

    def each(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result]],
    ) -> Iterator[tuple[Item, Result]]:
        """Do something with all items, some at a time.

        Args:
            items: The longest first, so that memory runs out at once or never.
            work: Done with some of them; a result for each.

        Yields:
            Each item with its result, in the order given.

        Raises:
            Interrupted: The user or the system wants an end.
            Exception: What `work` raises; that memory runs out only where one item
                alone is too much.
        """
        at = 0
        while at < len(items):
            self._check()
            some = items[at : at + self.size]
            results = self._tried(some, work)
            if results is not None:
                yield from zip(some, results, strict=True)
                at += len(some)

    def _tried(
        self,
        some: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result]],
    ) -> Sequence[Result] | None:
        """The results; None where memory ran out, and fewer are to be tried."""
        try:
            return work(some)
        except Exception as fault:
            if not is_out_of_memory(fault) or len(some) == 1:
                raise
        # Behind the handler: while it runs, the fault holds what filled the memory.
        self.size = len(some) // 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._session.warn(
            warning(
                "evaluation.less-together",
                f"The memory did not suffice for {len(some)} rows at a time; it goes "
                f"on with {self.size}.",
            )
        )
        return None

    def _check(self) -> None:
        self._session.lifeline.check()
        if self._session.orders.stop_is_ordered:
            raise Interrupted
