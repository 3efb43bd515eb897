"""Examples as rows of a JSON Lines file, in the columns that every trainer knows."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from studio.domain.data_mapping import ColumnMapping, source_of
from studio.domain.dataset import Chat, Kind, Turn
from studio.plugin_api.data_formats import Row
from studio.storage.data_formats.registry import FORMATS

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)
_USUAL: Final = frozenset(part.name for each in FORMATS for part in each.parts)
"""Columns of these names would be taken for a part of an example."""


def columns_kept(row: object, mapping: ColumnMapping, kind: Kind) -> Row:
    """The columns of a row that are no part of its example, such as a source.

    Args:
        row: As it was read.
        mapping: Which column is which part.
        kind: Of its example. Beside a plain text no other text is kept, since which
            of the two is learnt could not be told.
    """
    if not isinstance(row, Mapping):
        return {}
    read = {root for each in mapping.values() for root in source_of(each).roots()}
    return {
        name: value
        for name, value in row.items()
        if name not in read
        and name not in _USUAL
        and not (kind is Kind.TEXT and isinstance(value, str))
    }


def row_of(chat: Chat, kind: Kind) -> Row:
    """An example in the standard columns of its kind.

    Args:
        chat: The example.
        kind: What it teaches.
    """
    match kind:
        case Kind.TEXT:
            return {"text": chat.text}
        case Kind.PREFERENCE:
            # Each answer with its question, as a whole chat: no prompt to be cut off.
            chosen, rejected = _messages(chat.turns), _messages(chat.rejected)
            return {"chosen": chosen, "rejected": rejected}
        case Kind.RATED:
            asked = max(1, _last_answer(chat.turns))
            return {
                "prompt": _messages(chat.turns[:asked]),
                "completion": _messages(chat.turns[asked:]),
                "label": chat.is_liked,
            }
        case Kind.CHAT:
            tools = {"tools": list(chat.tools)} if chat.tools else {}
            return {"messages": _messages(chat.turns), **tools}


def json_line(row: Row) -> bytes:
    """A row as a line of JSON."""
    try:
        return _ENCODER.encode(row) + b"\n"
    except UnicodeEncodeError:  # half a character in a column that isn't learnt
        text = json.dumps(row, ensure_ascii=False, default=str)
        return text.encode("utf-8", "replace") + b"\n"


def _messages(turns: Sequence[Turn]) -> list[dict[str, object]]:
    return [turn.as_message() for turn in turns]


def _last_answer(turns: Sequence[Turn]) -> int:
    places = (at for at, turn in enumerate(turns) if turn.role == "assistant")
    return max(places, default=0)
