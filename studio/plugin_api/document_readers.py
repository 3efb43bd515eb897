"""The contribution point for documents that examples are made from.

A reader turns a file of one kind into passages: texts short enough that a model can
read one and be asked about it. It knows no model and writes nothing.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document.

    Attributes:
        text: What it says; some hundreds of characters, at most some thousands.
        line: The line that it begins on, or the page of a paged document, from 1.
        heading: What it stands under, outermost first, joined by `` > ``; may be empty.
    """

    text: str
    line: int
    heading: str = ""

    @property
    def sha256(self) -> str:
        """Of its text, by which it is known again."""
        return hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()


class DocumentReader(Protocol):
    """Reads documents of one kind."""

    @property
    def name(self) -> str:
        """Unique, such as ``markdown``."""

    @property
    def title(self) -> str:
        """For lists, such as ``Markdown``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of its files, in lower case and with the point."""

    def passages(self, path: Path) -> Iterator[Passage]:
        """The passages of a document, in order, read as they are asked for.

        Raises:
            StudioError: It can't be read, in words.
            OSError: The disk refuses.
        """
