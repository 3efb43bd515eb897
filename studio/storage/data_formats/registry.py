"""All formats, and the choice among them for the rows of a file."""

from collections.abc import Sequence
from typing import Final

from studio.domain.errors import refusal
from studio.plugin_api.data_formats import DataFormat, Recognition, Row
from studio.storage.data_formats.conversations import CHAT, SHAREGPT
from studio.storage.data_formats.pairs import Alpaca, PromptCompletion, QuestionAnswer
from studio.storage.data_formats.plain_text import PlainText
from studio.storage.data_formats.preferences import Preference, Rated

FORMATS: Final[tuple[DataFormat, ...]] = (
    Preference(),
    Rated(),
    PromptCompletion(),
    CHAT,
    SHAREGPT,
    Alpaca(),
    QuestionAnswer(),
    PlainText(),
)
"""In the order of precedence where two are equally sure."""


def format_named(name: str) -> DataFormat:
    """The format of a name.

    Raises:
        StudioError: There is none.
    """
    for each in FORMATS:
        if each.name == name:
            return each
    raise refusal(
        "data.format-unknown",
        f"There is no data format “{name}”.",
        fix=f"Choose one of {', '.join(each.name for each in FORMATS)}.",
        where="data.format",
    )


def recognised(
    rows: Sequence[Row], formats: Sequence[DataFormat] = FORMATS
) -> tuple[DataFormat, Recognition] | None:
    """The format that is surest of some rows.

    Args:
        rows: The first of a file; at least one.
        formats: To choose among.

    Returns:
        The format and what it makes of them; None when they are nothing to any.
    """
    found = [(each, known) for each in formats if (known := each.recognise(rows))]
    return max(found, key=lambda pair: pair[1].confidence, default=None)
