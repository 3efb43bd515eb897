"""A JSON object that holds the rows as one of its values, such as ``{"data": [...]}``.

An object without such a list is a row itself. It is read as a whole, and so is
bounded in size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from studio.domain.errors import StudioError, refusal
from studio.storage.tables.table import RawRow, changed

LARGEST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A file that is one JSON object: with a list of rows in it, or a row itself."""

    path: Path
    size_bytes: int

    def rows(self) -> Iterator[RawRow]:
        """Each element of the list, by its number."""
        for place, value in enumerate(self._listed()):
            yield RawRow(place + 1, value, place=place)

    def row_at(self, place: int) -> object:
        """The element of a number."""
        listed = self._listed()
        if place >= len(listed):
            raise changed(self.path)
        return listed[place]

    def _listed(self) -> list[object]:
        if self.size_bytes > LARGEST:
            raise self._refused(
                f"It is one JSON object of more than {LARGEST >> 20} MiB."
            )
        try:
            value = msgspec.json.decode(self.path.read_bytes())
        except (msgspec.DecodeError, RecursionError, ValueError) as fault:
            raise self._refused(
                f"It is one JSON object, and broken: {fault}."
            ) from None
        lists = [v for v in value.values() if _is_rows(v)]
        if len(lists) > 1:
            raise self._refused("It is one JSON object with several lists of rows.")
        return list(lists[0]) if lists else [value]

    def _refused(self, what: str) -> StudioError:
        return refusal(
            "data.json",
            what,
            fix="Write one JSON object a line instead.",
            where=str(self.path),
        )


def _is_rows(value: object) -> bool:
    """Whether a value is a list of objects, and they are no messages of a chat."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return not {"role", "from"} & set(value[0])
