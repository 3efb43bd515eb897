"""Typed reading of a JSON object: facts, manifests, a probing child's answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from console import SetUpError


class Reader:
    """Typed access to one JSON object, with a sentence for each wrong field."""

    def __init__(self, document: object, what: str) -> None:
        if not isinstance(document, Mapping):
            raise SetUpError(f"{what} is no JSON object.", "Correct the file.")
        self._fields: dict[str, object] = {str(k): v for k, v in document.items()}
        self._what = what

    def only_fields_of(self, known: type) -> None:
        """Refuse fields that the dataclass doesn't have."""
        names = {field.name for field in dataclasses.fields(known)}
        unknown = sorted(set(self._fields) - names)
        if unknown:
            message = f"Unknown field in {self._what}: {', '.join(unknown)}."
            raise SetUpError(message, f"Known are: {', '.join(sorted(names))}.")

    def wrong(self, name: str, kind: str) -> SetUpError:
        """Return the error for a field of the wrong kind."""
        message = f'The field "{name}" of {self._what} is not {kind}.'
        return SetUpError(message, "Correct the file.")

    def names(self) -> list[str]:
        """Return the names of all fields, in the document's order."""
        return list(self._fields)

    def value(self, name: str, default: object = None) -> object:
        """Return a field as it is."""
        return self._fields.get(name, default)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default the field must be there."""
        found = self._fields.get(name, default)
        if not isinstance(found, str):
            raise self.wrong(name, "a text")
        return found

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None when the field is null or missing."""
        return None if self._fields.get(name) is None else self.text(name)

    def one_of(self, name: str, known: list[str], default: str | None) -> str | None:
        """Return a text that is one of a few."""
        found = self._fields.get(name, default)
        if found is None or found in known:
            return None if found is None else str(found)
        raise self.wrong(name, "one of " + ", ".join(known))

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        found = self._fields.get(name, default)
        if not isinstance(found, bool):
            raise self.wrong(name, "true or false")
        return found

    def whole(self, name: str) -> int | None:
        """Return a whole number, or None when the field is null or missing."""
        found = self._fields.get(name)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            raise self.wrong(name, "a whole number")
        return found

    def items(self, name: str) -> list[object]:
        """Return a list; null or missing is empty."""
        found = self._fields.get(name)
        if found is None:
            return []
        if not isinstance(found, list | tuple):
            raise self.wrong(name, "a list")
        return list(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self.items(name)
        texts = tuple(item for item in found if isinstance(item, str))
        if len(texts) != len(found):
            raise self.wrong(name, "a list of texts")
        return texts
