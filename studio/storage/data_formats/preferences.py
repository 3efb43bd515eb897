"""Answers that are compared or rated: preference pairs, and single verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind, RowError, Turn
from studio.plugin_api.data_formats import Part, Recognition, Row, RowReader
from studio.storage.data_formats.values import (
    CERTAIN,
    columns_of,
    learnable,
    said,
    sources_of,
)

_VERDICTS: Final = {
    "true": True,
    "1": True,
    "good": True,
    "yes": True,
    "false": False,
    "0": False,
    "bad": False,
    "no": False,
}


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt with a chosen and a rejected answer."""

    name: str = "preference"
    title: str = "Preference pairs (prompt, chosen, rejected)"
    kind: Kind = Kind.PREFERENCE
    parts: tuple[Part, ...] = (
        Part("prompt", "Prompt", is_required=False),
        Part("chosen", "Chosen answer"),
        Part("rejected", "Rejected answer"),
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with a chosen and a rejected answer."""
        columns = columns_of(rows)
        if not {"chosen", "rejected"} <= set(columns):
            return None
        mapping = {"chosen": "chosen", "rejected": "rejected"}
        asked = next((c for c in ("prompt", "question", "input") if c in columns), "")
        if asked:
            mapping = {"prompt": asked, **mapping}
        return Recognition(
            CERTAIN, mapping, "Preference pairs under “chosen” and “rejected”"
        )

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these columns."""
        sources = sources_of(mapping, self.parts)
        prompt = sources.get("prompt")
        chosen, rejected = sources["chosen"], sources["rejected"]

        def read(row: Row, line: int) -> Chat:
            good = said(chosen.read(row), "assistant", mapping["chosen"])
            bad = said(rejected.read(row), "assistant", mapping["rejected"])
            asked: tuple[Turn, ...] = ()
            # A whole chat as the chosen answer brings its question along.
            if prompt is not None and good[0].role == "assistant":
                asked = said(prompt.read(row), "user", mapping["prompt"])
            if good == bad:
                raise RowError("has the same answer chosen and rejected")
            return Chat(
                learnable((*asked, *good)), line, rejected=learnable((*asked, *bad))
            )

        return read


@dataclass(frozen=True, slots=True)
class Rated:
    """A prompt, an answer, and whether the answer was a good one (KTO)."""

    name: str = "rated"
    title: str = "Rated answers (prompt, completion, label)"
    kind: Kind = Kind.RATED
    parts: tuple[Part, ...] = (
        Part("prompt", "Prompt"),
        Part("completion", "Answer"),
        Part("label", "Verdict"),
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with a verdict of yes or no in ``label``."""
        if not {"prompt", "completion", "label"} <= set(columns_of(rows)):
            return None
        if not any(_verdict(row.get("label")) is not None for row in rows):
            return None
        mapping = {part.name: part.name for part in self.parts}
        return Recognition(CERTAIN, mapping, "Rated answers under “completion”")

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these columns."""
        sources = sources_of(mapping, self.parts)

        def read(row: Row, line: int) -> Chat:
            verdict = _verdict(sources["label"].read(row))
            if verdict is None:
                raise RowError(f"has no yes or no under “{mapping['label']}”")
            asked = said(sources["prompt"].read(row), "user", mapping["prompt"])
            answer = sources["completion"].read(row)
            answered = said(answer, "assistant", mapping["completion"])
            return Chat(learnable((*asked, *answered)), line, is_liked=verdict)

        return read


def _verdict(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _VERDICTS.get(str(value).strip().casefold()) if value is not None else None
