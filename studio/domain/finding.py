"""Problems as values: what is wrong, where, what follows, how to mend it.

Everything that can go wrong for a user's reason is told as a `Finding`, so that
the window, the command line and the engine say it in the same words, and several
can be shown together.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to the deed that it is about."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem, in words that a user can act on.

    Attributes:
        code: A stable name, such as ``data.empty``, for tests and translations.
        severity: Whether the deed is refused, doubtful or merely remarked on.
        what: One sentence: what is so.
        why: What follows from it; empty when that is plain.
        how_to_fix: What the user can do; empty for a mere remark.
        where: A file, line or option key; empty when there is no place.
    """

    code: str
    severity: Severity
    what: str
    why: str = ""
    how_to_fix: str = ""
    where: str = ""

    def sentence(self) -> str:
        """Everything said in one paragraph, for a terminal or a log."""
        place = f"{self.where}: " if self.where else ""
        parts = [f"{place}{self.what}", self.why, self.how_to_fix]
        return " ".join(part for part in parts if part)


def error(
    code: str, what: str, *, why: str = "", fix: str = "", where: str = ""
) -> Finding:
    """A finding that refuses the deed."""
    return Finding(
        code=code,
        severity=Severity.ERROR,
        what=what,
        why=why,
        how_to_fix=fix,
        where=where,
    )


def warning(
    code: str, what: str, *, why: str = "", fix: str = "", where: str = ""
) -> Finding:
    """A finding that lets the deed go on, with a doubt."""
    return Finding(
        code=code,
        severity=Severity.WARNING,
        what=what,
        why=why,
        how_to_fix=fix,
        where=where,
    )
