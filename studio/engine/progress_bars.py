"""The bars that libraries would draw become Progress events."""

import contextlib
from collections.abc import Callable, Iterator

from tqdm.auto import tqdm  # type: ignore[import-untyped]  # ships no types
from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging

from studio.engine.session import Session


@contextlib.contextmanager
def reported(session: Session, stage: str, unit: str = "tensors") -> Iterator[None]:
    """Report the bars of transformers inside as one stage.

    Args:
        session: Where to report.
        stage: What is counted, in words.
        unit: Of the count.
    """

    class Bar(tqdm):  # type: ignore[misc]  # tqdm ships no types
        """A bar that is counted and never drawn."""

        def __iter__(self) -> Iterator[object]:
            yield from session.counted(list(self.iterable), stage, unit)

    def drawn_as(
        _: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Bar:
        return Bar(*args, **{**kwargs, "disable": True})

    before = logging.set_tqdm_hook(drawn_as)
    # This module takes tqdm's own class, so the hook doesn't reach it.
    names = vars(modeling_gguf_pytorch_utils)
    own = names["tqdm"]
    names["tqdm"] = lambda items, **_: Bar(items, disable=True)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)
        names["tqdm"] = own
