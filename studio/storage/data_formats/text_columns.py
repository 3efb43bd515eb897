"""Which columns of unknown names hold text that could be learnt."""

from collections.abc import Sequence
from typing import Final

from studio.plugin_api.data_formats import Row
from studio.storage.data_formats.values import columns_of

_ENOUGH: Final = 0.5  # of the rows have text there
_FEW: Final = 0.05  # of the rows' texts differ: a label
_SAMPLE: Final = 40  # below so many rows, repeats prove nothing
_WORDY: Final = 0.2  # of the texts have a space in them


def text_columns(rows: Sequence[Row]) -> list[str]:
    """The columns that hold text, neither numbers nor labels nor names of rows."""
    return [name for name in columns_of(rows) if _is_text(rows, name)]


def _is_text(rows: Sequence[Row], name: str) -> bool:
    texts = [text for row in rows if isinstance(text := row.get(name), str) and text]
    if len(texts) < _ENOUGH * len(rows):
        return False
    wordy = sum(" " in text.strip() for text in texts) > _WORDY * len(texts)
    numbers = sum(_is_number(text) for text in texts) > _ENOUGH * len(texts)
    label = len(texts) >= _SAMPLE and len(set(texts)) <= _FEW * len(texts)
    return wordy and not numbers and not label


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
