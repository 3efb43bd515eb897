"""What a tape's tensors are: sizes that refer to memory, and let go of it.

Python's own reference counts end a storage when the real program would end it.
"""

from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.domain.memory.on_paper.tape import Node


class Storage:
    """Memory that lives as long as somebody refers to it.

    Attributes:
        release: Is told that it ended.
        number: Its own on the tape.
    """

    __slots__ = ("number", "release")

    def __init__(self, release: Callable[[int], None], number: int) -> None:
        self.release = release
        self.number = number

    def __del__(self) -> None:
        self.release(-self.number)


class Tensor:
    """A tensor's size, and where its gradient goes.

    Attributes:
        storage: Its memory; None where that is counted elsewhere, as for weights.
        count: Entries.
        width: Bytes of an entry.
        node: Of the operator that made it; None when it needs no gradient.
        strided: Whether its entries lie in another order than its shape tells, so
            that giving it another shape copies it.
        seen: Whether it is another tensor seen in another shape, which torch keeps.
    """

    __slots__ = ("count", "node", "seen", "storage", "strided", "width")

    def __init__(
        self,
        storage: object,
        count: int,
        width: int,
        node: "Node | None" = None,
        *,
        strided: bool = False,
    ) -> None:
        self.storage = storage
        self.count = count
        self.width = width
        self.node = node
        self.strided = strided
        self.seen = False


def holders(tensor: Tensor) -> tuple[int, int]:
    """How often a tensor is held, and its memory."""
    return getrefcount(tensor), getrefcount(tensor.storage)
