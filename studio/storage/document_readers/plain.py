"""Plain text: paragraphs, as many together as make a passage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.plugin_api.document_readers import Passage
from studio.storage.document_readers.passages import CHARACTERS, passages_of
from studio.storage.tables.documents import blocks
from studio.storage.tables.text_lines import decoded, lines_of


@dataclass(frozen=True, slots=True)
class PlainText:
    """Reads ``.txt``."""

    name: str = "text"
    title: str = "Plain text"
    suffixes: tuple[str, ...] = (".txt",)

    def passages(self, path: Path) -> Iterator[Passage]:
        """Its paragraphs."""
        with path.open("rb") as file:
            for held in blocks(lines_of(file, path), CHARACTERS):
                first = held[0].number
                text = decoded(b"".join(line.raw for line in held), path, first)
                yield from passages_of(text, first)
