"""Which rows a method trains on: how they are made, and where they are kept."""

from collections.abc import Callable, Sequence
from typing import Protocol

from studio.domain.dataset import Chat, RowError
from studio.domain.method_options import PAIRED_METHODS, Method
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import RowMaker, TokenRow, TrainingRow
from studio.engine.judged_rows import JudgedRowMaker, PairStore, RatedStore
from studio.engine.row_store import RowStore
from studio.engine.tokenizer_loading import Tokenizer


class Makes(Protocol):
    """What makes rows of a file's examples."""

    def rows(self, chats: Sequence[Chat]) -> Sequence[TrainingRow | RowError]:
        """Examples as rows, or why one is none, in their order."""


class _ChatRows:
    """Rows of chats and texts, each learnt as it is."""

    def __init__(self, maker: RowMaker) -> None:
        self._maker = maker

    def rows(self, chats: Sequence[Chat]) -> list[TrainingRow | RowError]:
        """As `Makes` has it."""
        return [
            row.training_row() if isinstance(row, TokenRow) else row
            for row in self._maker.rows(chats)
        ]


def maker_for(recipe: Recipe, tokenizer: Tokenizer) -> Makes:
    """What makes the rows of a recipe."""
    loss_on = recipe.data.loss_on
    if recipe.train.method is Method.SFT:
        return _ChatRows(RowMaker(tokenizer, loss_on))
    return JudgedRowMaker(tokenizer, loss_on)


def store_for(method: Method) -> Callable[..., RowStore]:
    """What keeps a method's rows."""
    if method in PAIRED_METHODS:
        return PairStore
    return RatedStore if method is Method.KTO else RowStore
