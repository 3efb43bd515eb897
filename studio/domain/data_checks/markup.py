"""Tags of HTML in a few rows, left over from where the text was taken."""

import re
from collections.abc import Iterator
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding

_TAG: Final = re.compile(
    r"</?(?:p|br|div|span|a|b|i|u|em|strong|li|ul|ol|td|tr|th|table|h[1-6]|img|font"
    r"|script|style|body|html|center|sup|sub)(?:\s[^<>]{0,200})?/?>"
    r"|&(?:nbsp|amp|lt|gt|quot|#\d{2,5});",
    re.IGNORECASE,
)
_USUAL: Final = 0.2  # of the rows; where more have tags, they are meant


class Markup:
    """Tells of rows with HTML where the others have none."""

    def __init__(self) -> None:
        self._places = Places()
        self._rows = 0

    def take(self, row: CheckedRow) -> None:
        """Look for tags."""
        if row.chat is None or row.fault:
            return
        self._rows += 1
        if _has_tag(row.text):
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        if self._places.count <= _USUAL * self._rows:
            yield from told(
                "data.markup",
                self._places,
                "{rows} hold HTML tags or entities, and the others none.",
                why="The model would sometimes write such tags.",
                fix="Look at them, and take the tags out where they aren't meant.",
            )


def _has_tag(text: str) -> bool:
    return ("<" in text or "&" in text) and _TAG.search(text) is not None
