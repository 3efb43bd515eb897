"""One question and one answer a row, in columns of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind, Turn
from studio.plugin_api.data_formats import Part, Recognition, Row, RowReader
from studio.storage.data_formats.text_columns import text_columns
from studio.storage.data_formats.values import (
    CERTAIN,
    CLEAR,
    DOUBTFUL,
    GUESSED,
    columns_of,
    learnable,
    optional_text,
    said,
    sources_of,
    text_at,
)

_SYSTEM: Final = Part("system", "System message", is_required=False)
_ASKED: Final = (
    "question",
    "query",
    "prompt",
    "instruction",
    "input",
    "source",
    "problem",
    "user",
)
_ANSWERED: Final = (
    "answer",
    "response",
    "completion",
    "output",
    "target",
    "solution",
    "reply",
    "assistant",
)
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class Alpaca:
    """An instruction, perhaps with an input below it, and its output."""

    name: str = "alpaca"
    title: str = "Alpaca (instruction, input, output)"
    kind: Kind = Kind.CHAT
    parts: tuple[Part, ...] = (
        Part("instruction", "Instruction"),
        Part("input", "Input", is_required=False),
        Part("output", "Output"),
        _SYSTEM,
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with the columns that Alpaca has."""
        columns = columns_of(rows)
        if not {"instruction", "output"} <= set(columns):
            return None
        mapping = {part.name: part.name for part in self.parts if part.name in columns}
        form = "Question and answer under “instruction” and “output”"
        return Recognition(CLEAR, mapping, form)

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these columns."""
        sources = sources_of(mapping, self.parts)
        asked, answered = sources["instruction"], sources["output"]
        below, system = sources.get("input"), sources.get("system")

        def read(row: Row, line: int) -> Chat:
            question = text_at(row, asked, mapping["instruction"])
            answer = text_at(row, answered, mapping["output"])
            given = optional_text(row, below)
            whole = f"{question}\n\n{given}" if given.strip() else question
            turns = (Turn("user", whole), Turn("assistant", answer))
            return Chat(learnable(_opened(optional_text(row, system), turns)), line)

        return read


@dataclass(frozen=True, slots=True)
class PromptCompletion:
    """A prompt and its completion, each a text or a list of messages."""

    name: str = "prompt-completion"
    title: str = "Prompt and completion"
    kind: Kind = Kind.CHAT
    parts: tuple[Part, ...] = (
        Part("prompt", "Prompt"),
        Part("completion", "Completion"),
        _SYSTEM,
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with these very columns."""
        columns = columns_of(rows)
        if not {"prompt", "completion"} <= set(columns):
            return None
        mapping = {part.name: part.name for part in self.parts if part.name in columns}
        form = "Question and answer under “prompt” and “completion”"
        talks = isinstance(rows[0].get("completion"), list)
        return Recognition(CERTAIN if talks else CLEAR, mapping, form)

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these columns."""
        sources = sources_of(mapping, self.parts)
        prompt, completion = sources["prompt"], sources["completion"]
        system = sources.get("system")

        def read(row: Row, line: int) -> Chat:
            turns = (
                *said(prompt.read(row), "user", mapping["prompt"]),
                *said(completion.read(row), "assistant", mapping["completion"]),
            )
            return Chat(learnable(_opened(optional_text(row, system), turns)), line)

        return read


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question and an answer, in columns of any name."""

    name: str = "question-answer"
    title: str = "Question and answer"
    kind: Kind = Kind.CHAT
    parts: tuple[Part, ...] = (
        Part("question", "Question"),
        Part("answer", "Answer"),
        _SYSTEM,
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with usual names, or else with two columns of text."""
        columns = {name.casefold(): name for name in columns_of(rows)}
        asked = next((columns[name] for name in _ASKED if name in columns), "")
        answered = next((columns[name] for name in _ANSWERED if name in columns), "")
        if asked and answered:
            return self._found(CLEAR, asked, answered)
        texts = text_columns(rows)
        if len(texts) < _PAIR:
            return None
        asked = asked or next(name for name in texts if name != answered)
        answered = answered or next(name for name in reversed(texts) if name != asked)
        sure = GUESSED if len(texts) == _PAIR else DOUBTFUL
        return self._found(sure, asked, answered)

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these columns."""
        sources = sources_of(mapping, self.parts)
        asked, answered = sources["question"], sources["answer"]
        system = sources.get("system")

        def read(row: Row, line: int) -> Chat:
            turns = (
                Turn("user", text_at(row, asked, mapping["question"])),
                Turn("assistant", text_at(row, answered, mapping["answer"])),
            )
            return Chat(learnable(_opened(optional_text(row, system), turns)), line)

        return read

    @staticmethod
    def _found(confidence: float, asked: str, answered: str) -> Recognition:
        form = f"Question and answer under “{asked}” and “{answered}”"
        return Recognition(confidence, {"question": asked, "answer": answered}, form)


def _opened(system: str, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    return (Turn("system", system), *turns) if system.strip() else turns
