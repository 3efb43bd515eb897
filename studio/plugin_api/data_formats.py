"""The contribution point for data formats: what a file's rows mean.

A format recognises rows by their columns, says which column is which part of an
example, and makes an example of a row. It reads no file and knows no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind

Row = Mapping[str, object]
"""A row of a file: its columns' values by name, as JSON has them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an example that a column can be assigned to.

    Attributes:
        name: As it stands in a mapping, such as ``answer``.
        title: For the form.
        is_required: Whether there is no example without it.
    """

    name: str
    title: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a format makes of some rows.

    Attributes:
        confidence: 0 to 1. From 0.9 the columns' names and values leave no doubt;
            below 0.6 it is a guess, and the user is asked to look.
        mapping: The columns that it would read.
        form: What was recognised, in words.
    """

    confidence: float
    mapping: ColumnMapping
    form: str


class DataFormat(Protocol):
    """A format of rows."""

    @property
    def name(self) -> str:
        """As it stands in a recipe; unique."""

    @property
    def title(self) -> str:
        """For lists."""

    @property
    def kind(self) -> Kind:
        """What its examples teach."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What columns can be assigned to."""

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Look at the first rows of a file.

        Args:
            rows: At least one.

        Returns:
            What it makes of them; None when they are nothing to it.
        """

    def reader(self, mapping: ColumnMapping) -> "RowReader":
        """Prepare to read rows by a mapping, its own or the user's.

        Raises:
            MappingError: A source can't be understood, or a required part has none.
        """


class RowReader(Protocol):
    """Reads rows of one format by one mapping."""

    def __call__(self, row: Row, line: int) -> Chat:
        """Make an example of a row.

        Args:
            row: Of the file.
            line: Its place there, from 1.

        Raises:
            RowError: It can't be trained on; the message ends a sentence that begins
                with the row's place.
        """
