"""What a model's tokenizer and chat template make of the rows."""

from collections.abc import Iterator

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding
from studio.domain.finding import Severity


class TooLong:
    """Tells of rows that the sequence length cuts."""

    def __init__(self, length: int) -> None:
        """Take the sequence length, in tokens."""
        self._length = length
        self._places = Places()
        self._longest = 0
        self._counted = 0

    def take(self, row: CheckedRow) -> None:
        """Compare its tokens with the length."""
        if row.tokens is None:
            return
        self._counted += 1
        if row.tokens.count > self._length:
            self._places.add(row)
            self._longest = max(self._longest, row.tokens.count)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        share = self._places.count / max(1, self._counted)
        yield from told(
            "data.too-long",
            self._places,
            f"{{rows}} of {self._counted:,}, {share * 100:.1f} %, are longer than "
            f"{self._length:,} tokens; the longest has {self._longest:,}.",
            why="They are cut there, so the model doesn't learn how they end.",
            fix="Set a greater sequence length, or leave these rows out.",
        )


class AllMasked:
    """Tells of rows without a token to learn within the sequence length."""

    def __init__(self, length: int) -> None:
        """Take the sequence length, in tokens."""
        self._length = length
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look whether anything of it is learnt."""
        if row.tokens is not None and not row.tokens.trained:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.all-masked",
            self._places,
            f"In {{rows}} no answer begins within the first {self._length:,} tokens.",
            why="Nothing of them can be learnt, and they are left out.",
            fix="Set a greater sequence length, shorten the questions, or leave these "
            "rows out.",
        )


class NoEnd:
    """Tells of answers whose end isn't learnt because the template marks none."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look whether its answers end with a token that is learnt."""
        if row.tokens is not None and not row.tokens.ends:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.no-end",
            self._places,
            "The chat template puts no end-of-turn token behind the answers of {rows}.",
            why="The model may not learn to stop.",
            fix="Choose a model whose chat template ends the assistant's turns.",
        )


class TemplateMarks:
    """Tells when the chat template doesn't mark what the assistant generates."""

    def __init__(self, *, marks_answers: bool | None) -> None:
        """Take whether it does; None without a template."""
        self._marks_answers = marks_answers

    def take(self, row: CheckedRow) -> None:
        """Nothing: it is about the template."""

    def findings(self) -> Iterator[DataFinding]:
        """At most one, a remark."""
        if self._marks_answers is False:
            yield DataFinding(
                code="data.template-without-generation",
                severity=Severity.INFO,
                count=0,
                rows=(),
                what="The chat template has no generation markers.",
                why="None are needed here: answers are found in the rendered text. "
                "Other trainers may learn the questions too.",
            )
