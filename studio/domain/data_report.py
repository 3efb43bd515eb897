"""What a whole data set was found to be: its rows, their lengths, and what is wrong."""

from dataclasses import dataclass

from studio.domain.data_mapping import ColumnMapping
from studio.domain.finding import Finding, Severity
from studio.domain.token_lengths import TokenLengths

NAMED_ROWS = 1000
"""A finding names no more rows than this; `DataFinding.count` counts them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFinding:
    """One thing about many rows, told once.

    Attributes:
        code: A stable name, such as ``data.duplicate``.
        severity: ERROR when nothing can be trained before it is mended.
        count: How many rows it is about; 0 when it is about the file.
        rows: Their lines or numbers, from 1; the first `NAMED_ROWS`.
        what: One sentence: what is so.
        why: What follows from it.
        fix: What to do, in words; empty when nothing needs to be done.
        mends: Whether `snugtune data fix` can do it by the code.
    """

    code: str
    severity: Severity
    count: int
    rows: tuple[int, ...]
    what: str
    why: str = ""
    fix: str = ""
    mends: bool = False

    def as_finding(self, where: str = "") -> Finding:
        """The same without its rows.

        Args:
            where: The file or option; empty when there is no place.
        """
        return Finding(
            code=self.code,
            severity=self.severity,
            what=self.what,
            why=self.why,
            how_to_fix=self.fix,
            where=where,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """A whole data set, checked.

    Attributes:
        path: The file or folder.
        rows: How many there are, those left out included.
        usable: How many can be trained on.
        format_name: Of the format that they were read by.
        confidence: How sure it is, 0 to 1.
        mapping: Which column is which part.
        lengths: In tokens of the usable rows; judged by characters without a model.
        trained_tokens: Tokens that are learnt in one pass; 0 without a model.
        all_tokens: Tokens of the usable rows; 0 without a model.
        findings: Errors first, then by how many rows they are about.
    """

    path: str
    rows: int
    usable: int
    format_name: str
    confidence: float
    mapping: ColumnMapping
    lengths: TokenLengths
    trained_tokens: int
    all_tokens: int
    findings: tuple[DataFinding, ...]
