"""The verb show-rows: the tokens of whichever row is asked for, one after the other."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from studio.domain.dataset import Chat, RowError
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import error
from studio.domain.recipe import Recipe
from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.engine.session import Session
from studio.engine.tokenizer_alone import tokenizer_alone
from studio.protocol.codec import told
from studio.protocol.commands import ShowRow
from studio.protocol.data_events import RowNotShown, RowShown
from studio.protocol.data_words import told_view
from studio.storage.data_reading import Choice, Reading, open_data
from studio.storage.models import ModelPlace

if TYPE_CHECKING:
    from studio.engine.chat_rendering import RowMaker, TokenRow
    from studio.engine.tokenizer_loading import Tokenizer

MOST_TOKENS: Final = 50_000
"""Of one row; more are counted and not told."""
_PATIENCE_S: Final = 0.5
_HALF: Final = "�"


def show_rows(session: Session, recipe: Recipe, place: ModelPlace) -> None:
    """Answer orders to show a row until the input ends.

    Args:
        session: Where orders come from, and answers go to.
        recipe: Names the data and how it is read.
        place: The model.

    Raises:
        StudioError: The data can't be opened, or the model has no tokenizer.
    """
    tokenizer = tokenizer_alone(place)
    from studio.engine.chat_rendering import RowMaker

    maker, rows = RowMaker(tokenizer, recipe.data.loss_on), _Rows(recipe)
    while not session.orders.stop_is_ordered:
        order = session.orders.newest_row(_PATIENCE_S)
        if order is None:
            continue
        try:
            session.say(_answer(tokenizer, maker, rows.row_of(order), order))
        except RowError as fault:
            session.say(_refused(order, str(fault)))
        except StudioError as refused:
            rows.forget()
            finding = told(refused.finding)
            session.say(RowNotShown(order=order.order, finding=finding))


class _Rows:
    """Finds rows by their places, or by their lines for whoever knows no more."""

    def __init__(self, recipe: Recipe) -> None:
        self._path = Path(recipe.data.path).expanduser()
        self._choice = Choice.of(recipe.data)
        self._places: dict[tuple[str, int], int] = {}
        self._opened: Reading | None = open_data(self._path, self._choice)

    def forget(self) -> None:
        """Open the file anew the next time, in case that it was changed."""
        self._opened = None
        self._places.clear()

    def row_of(self, order: ShowRow) -> Chat:
        """The row that is asked for.

        Raises:
            RowError: It can't be trained on.
            StudioError: No row begins there, or the file can't be read any more.
        """
        if self._opened is None:
            self._opened = open_data(self._path, self._choice)
        reading, at = self._opened, order.place
        if at is None:
            at = self._place_of(reading, order)
        return reading.example_of(reading.row_at(order.line, at))

    def _place_of(self, reading: Reading, order: ShowRow) -> int:
        if not self._places:
            rows = reading.table.rows()
            self._places = {(row.file, row.line): row.place for row in rows}
        asked = order.file, order.line
        if asked not in self._places:
            raise refusal(
                "data.no-such-row",
                f"No row begins on line {order.line:,}.",
                fix="Name the line of a row, from 1.",
                where=order.file or str(self._path),
            )
        return self._places[asked]


def _answer(
    tokenizer: "Tokenizer", maker: "RowMaker", chat: Chat, order: ShowRow
) -> RowShown | RowNotShown:
    try:
        row = maker.row(chat)
    except RowError as fault:
        return _refused(order, str(fault))
    return told_view(view_of(tokenizer, row, order.line, order.length), order.order)


def _refused(order: ShowRow, why: str) -> RowNotShown:
    finding = error(
        "data.row-left-out",
        f"This row {why}.",
        why="Nothing of it is trained.",
        where=f"line {order.line:,}",
    )
    return RowNotShown(order=order.order, finding=told(finding))


def view_of(
    tokenizer: "Tokenizer", row: "TokenRow", line: int, length: int
) -> TokenView:
    """A row's tokens, as the trainer gets them.

    Args:
        tokenizer: That made them.
        row: As `RowMaker` made it.
        line: Of the row in its file.
        length: The sequence length, in tokens; what is behind it is cut.
    """
    special = {
        number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    texts = _texts_of(tokenizer, row)
    trained = {
        at for start, stop in row.trained for at in range(start, min(stop, MOST_TOKENS))
    }
    tokens = []
    for at, (text, number) in enumerate(zip(texts, row.ids, strict=False)):
        use = TokenUse.TRAINED if at in trained and at else TokenUse.READ
        use = use if at < length else TokenUse.CUT
        tokens.append(ShownToken(text, number, use, number in special))
    refusal = ""
    if not row.trained_within(length):
        refusal = f"has no answer within its first {length:,} tokens"
    return TokenView(line, tuple(tokens), refusal, len(row.ids) - len(tokens))


def _texts_of(tokenizer: "Tokenizer", row: "TokenRow") -> list[str]:
    """The text of each token; those of one character's pieces show as `�`.

    A space that a tokenizer takes out of the text is given back to the token before
    which it stands, so that all texts together are the rendered text.
    """
    texts: list[str] = []
    behind = 0
    some = row.offsets[: MOST_TOKENS + 1]
    for at, (start, stop) in enumerate(some[:MOST_TOKENS]):
        follows = some[at + 1][0] if at + 1 < len(some) else stop
        if start == stop:
            texts.append(str(tokenizer.convert_ids_to_tokens(row.ids[at])))
        elif (at and some[at - 1] == (start, stop)) or (
            follows == start and some[at + 1] == (start, stop)
        ):
            texts.append(_HALF)
        else:
            # Of a character in two tokens, the second has what is not told yet.
            texts.append(row.text[behind:stop] if behind < stop else _HALF)
        behind = max(behind, stop)
    return texts
