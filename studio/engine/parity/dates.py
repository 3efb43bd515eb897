"""Today's date in a chat, where training had the one that its template holds.

llama.cpp gives each template a variable ``date_string``, and ``datetime``, of the day
(common/chat.cpp, ``common_chat_extra_context``). transformers leaves them out, and
templates such as Llama 3.1's then write a date of their own.
"""

import re
from datetime import date, timedelta
from typing import NamedTuple

_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = tuple(_NAMES.split(" "))
_DAY, _MONTH, _YEAR = r"\d{2}", f"(?:{'|'.join(_MONTHS)})", r"\d{4}"
# As both variables write it, whatever the language of this machine.
_FORMS = (
    ("{day} {month} {year}", f"{_DAY} {_MONTH} {_YEAR}"),
    ("{month} {day} {year}", f"{_MONTH} {_DAY} {_YEAR}"),
)


class Dated(NamedTuple):
    """A chat as a server would render it on another day.

    Attributes:
        text: The chat.
        date: That day, as training wrote it.
    """

    text: str
    date: str


def as_of_training(
    served: str, trained: str, today: date | None = None
) -> Dated | None:
    """Put the date that was trained in the place of today's.

    Args:
        served: A chat as a server renders it, perhaps without the word that begins it.
        trained: The same as it was rendered for training.
        today: For a server that rendered it just now; the days beside it are tried
            too, for midnight may have passed.

    Returns:
        None where anything but the date differs, or nothing does.
    """
    now = today or date.today()  # noqa: DTZ011 - the server takes this machine's day
    for day in (now, now - timedelta(1), now + timedelta(1)):
        for form, pattern in _FORMS:
            month = _MONTHS[day.month - 1]
            said = form.format(day=f"{day:%d}", month=month, year=f"{day:%Y}")
            found = _put(served.split(said), pattern, trained)
            if found is not None and found.date != said:
                return found
    return None


def _put(parts: list[str], pattern: str, trained: str) -> Dated | None:
    first, *others = (re.escape(each) for each in parts)
    if not others:
        return None
    between = "(?P=date)".join(others)
    found = re.search(rf"{first}(?P<date>{pattern}){between}\Z", trained)
    return Dated(found["date"].join(parts), found["date"]) if found else None
