"""Plain texts, learnt whole and without a chat template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind, RowError
from studio.plugin_api.data_formats import Part, Recognition, Row, RowReader
from studio.storage.data_formats.text_columns import text_columns
from studio.storage.data_formats.values import (
    CLEAR,
    GUESSED,
    NO_CONTENT,
    columns_of,
    sources_of,
    text_at,
)

_USUAL: Final = ("text", "document", "content")


@dataclass(frozen=True, slots=True)
class PlainText:
    """One column of text."""

    name: str = "text"
    title: str = "Plain text"
    kind: Kind = Kind.TEXT
    parts: tuple[Part, ...] = (Part("text", "Text"),)

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with one column of text and no other."""
        columns = columns_of(rows)
        texts = text_columns(rows)
        usual = next((name for name in _USUAL if name in columns), "")
        if usual and not set(texts) - {usual}:
            return self._found(CLEAR, usual)
        if usual or len(texts) == 1:
            return self._found(GUESSED, usual or texts[0])
        return None

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of this column."""
        source = sources_of(mapping, self.parts)["text"]

        def read(row: Row, line: int) -> Chat:
            text = text_at(row, source, mapping["text"])
            if not text.strip():
                raise RowError("has an empty text", NO_CONTENT)
            return Chat((), line, text=text)

        return read

    @staticmethod
    def _found(confidence: float, column: str) -> Recognition:
        return Recognition(confidence, {"text": column}, f"Plain text under “{column}”")
