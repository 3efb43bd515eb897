"""The shape of a check, and what it is shown of each row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from studio.domain.data_checks.chat_texts import texts_of
from studio.domain.data_report import DataFinding
from studio.domain.dataset import Chat


@dataclass(frozen=True, slots=True)
class RowTokens:
    """What a model's tokenizer made of one example.

    Attributes:
        count: Tokens of the whole row.
        trained: Tokens of it that are learnt within the sequence length.
        ends: Whether every answer ends with a token that is learnt.
    """

    count: int
    trained: int
    ends: bool


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One row, as checks see it.

    Attributes:
        line: Its line or number, from 1.
        chat: The example; None when the row is none. One that the model's template
            refuses is there with its fault, since it counts where rows are held out.
        fault: Why it can't be trained on, as the end of a sentence.
        code: Of the finding that tells of such faults.
        tokens: None without a model.
        file: Its file's name within a folder; empty for a single file.
        is_of_form: False when it was read by another format than its file's.
        text: All that is said in it, with a line break between; empty when it can't
            be trained on.
    """

    line: int
    chat: Chat | None
    fault: str = ""
    code: str = ""
    tokens: RowTokens | None = None
    file: str = ""
    is_of_form: bool = True
    text: str = field(init=False, default="", repr=False)

    def __post_init__(self) -> None:
        if self.chat is not None and not self.fault:
            object.__setattr__(self, "text", "\n".join(texts_of(self.chat)))


class Check(Protocol):
    """Looks at every row once, and then says what it found."""

    def take(self, row: CheckedRow) -> None:
        """Look at the next row; cheap, and in memory that is bounded for any file."""

    def findings(self) -> Iterator[DataFinding]:
        """What was found in all rows."""
