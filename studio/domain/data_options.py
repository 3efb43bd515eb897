"""The options of a recipe that say what the model learns from."""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.options import (
    Kind,
    Level,
    choice,
    number,
    text,
    words,
)


class LossOn(StrEnum):
    """Which tokens of a chat are learnt; a plain text is always learnt whole."""

    ANSWERS = "answers"
    LAST_ANSWER = "last_answer"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """What the model learns from."""

    path: str = text(
        title="Data file",
        help="A file or folder: JSON Lines, JSON, CSV, Parquet, Arrow or plain text.",
        level=Level.SIMPLE,
        kind=Kind.PATH,
    )
    format: str = text(
        title="Form of the rows",
        help="chat, sharegpt, alpaca, prompt-completion, question-answer, preference, "
        "rated or text. Empty: recognised.",
    )
    columns: tuple[str, ...] = words(
        (),
        title="Columns",
        help="Which column is which part, such as question=mr. Empty: recognised.",
    )
    loss_on: LossOn = choice(
        LossOn.ANSWERS,
        titles=("All answers", "The last answer", "Everything"),
        title="Learn from",
        help="Which tokens of a chat teach: the assistant's, those of its last answer, "
        "or the questions too.",
    )
    held_out: float = number(
        0.05,
        title="Share held back",
        help="The share of rows that are never trained on.",
        low=0.0,
        high=0.5,
        level=Level.SIMPLE,
    )
    held_out_file: str = text(
        title="File held back",
        help="A file to measure with instead of a share; all rows of the data file "
        "are then trained on.",
        kind=Kind.PATH,
    )
    group: str = text(
        title="Kept together",
        help="A column, such as author: rows that share its value are all trained on "
        "or all held back. Empty: each row for itself.",
    )
    mix: tuple[str, ...] = words(
        (),
        title="Mixed in",
        help="Further files and their shares of the rows trained on, such as "
        "general.jsonl=0.2.",
    )
    prompts: tuple[str, ...] = words(
        (),
        title="Sample prompts",
        help="Asked before and after training. Empty: questions held back.",
        effect="Answered several at a time; with long ones that may take more than a "
        "step.",
    )

    @property
    def share_held_out(self) -> float:
        """The share of the data file's rows held out; a file takes its place."""
        return 0.0 if self.held_out_file else self.held_out

    @property
    def measures(self) -> bool:
        """Whether anything is held out."""
        return bool(self.held_out_file or self.held_out)
