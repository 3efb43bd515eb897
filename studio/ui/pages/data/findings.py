"""What is wrong with a data set, as the cards that tell it and what each offers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from studio.domain.data_report import DataFinding, DataReport
from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding, Severity
from studio.domain.recipe import Recipe
from studio.domain.recommend.wish import rounded_up
from studio.services.pricing import lengths_of
from studio.ui.pages.data.view_model import is_guessed
from studio.ui.pages.finding_text import finding_text
from studio.ui.text import count
from studio.ui.widgets.finding_card import FindingKind, FindingText, Fix

ASSIGN: Final = "assign"
"""Opens the form that assigns columns."""
CONFIRM: Final = "confirm"
"""Keeps the guessed columns."""
READ_AGAIN: Final = "read"
"""Reads the file once more."""
LENGTH: Final = "length"
"""Sets the sequence length to what stands behind the colon."""
REVIEW: Final = "review"
"""Goes through drafts that nobody has judged."""
MEND: Final = "mend"
"""Mends what the code behind the colon names, in a new file."""
UNDO: Final = "undo"
"""Takes the mending of the code behind the colon back."""

_NAMED: Final = 3  # rows
_SPOKEN: Final = 5  # as `data_checks.words` has it
_TOO_LONG: Final = "data.too-long"
_GUESSED: Final = "data.format-guessed"
_UNREVIEWED: Final = "data.unreviewed"
_KINDS: Final = {
    Severity.ERROR: FindingKind.ERROR,
    Severity.WARNING: FindingKind.WARNING,
    Severity.INFO: FindingKind.INFO,
}
_ORDER: Final = tuple(FindingKind)


@dataclass(frozen=True, slots=True)
class Mended:
    """A finding that was mended in a new file.

    Attributes:
        code: Of the finding.
        what: What was so.
        file: The new file's name.
    """

    code: str
    what: str
    file: str


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding as its card.

    Attributes:
        key: Its code, and its number where a code is told more than once.
        text: What the card says.
        rows: The lines of the rows that it is about, as far as they are known.
        spoken: The first of them in words.
    """

    key: str
    text: FindingText
    rows: tuple[int, ...] = ()
    spoken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingInputs:
    """What findings are told of.

    Attributes:
        file: As it was read.
        recipe: Whose data it is.
        report: The checked whole; None until it is.
        trouble: What went wrong since, such as a file that was changed.
        mended: What was mended in this file.
        can_mend: Whether a finding of a code can be mended here and now.
        context: The longest text that the model reads; 0 where that isn't known.
    """

    file: ChatFile
    recipe: Recipe
    report: DataReport | None = None
    trouble: Finding | None = None
    mended: Sequence[Mended] = ()
    can_mend: Callable[[str], bool] = bool
    context: int = 0


def shown_findings(inputs: FindingInputs) -> tuple[ShownFinding, ...]:
    """All findings: errors, warnings, what is mended, and remarks."""
    found = [*_troubles(inputs), *_checked(inputs), *map(_mended, inputs.mended)]
    if inputs.report is None:
        found += [
            ShownFinding(f"{finding.code}:{number}", _read(finding, inputs))
            for number, finding in enumerate(inputs.file.findings)
        ]
    told = {shown.key.partition(":")[0] for shown in found}
    if is_guessed(inputs.file) and not _is_chosen(inputs) and _GUESSED not in told:
        found.append(_guess(inputs.file))
    return tuple(sorted(found, key=lambda shown: _ORDER.index(shown.text.kind)))


def findings_note(shown: Sequence[ShownFinding]) -> str:
    """How many are open and how many mended, for the card's head."""
    kinds = [each.text.kind for each in shown]
    mended = kinds.count(FindingKind.MENDED)
    remarks = kinds.count(FindingKind.INFO)
    open_ = len(kinds) - mended - remarks
    parts = [f"{open_:,} open"] if open_ else []
    parts += [f"{mended:,} mended"] if mended else []
    parts += [count(remarks, "remark")] if remarks else []
    return ", ".join(parts) or "none"


def has_open_error(shown: Sequence[ShownFinding]) -> bool:
    """Whether nothing can be trained before something is mended."""
    return any(each.text.kind is FindingKind.ERROR for each in shown)


def _read(finding: Finding, inputs: FindingInputs) -> FindingText:
    """What reading the file told, before the whole is checked."""
    can_review = finding.code == _UNREVIEWED and _is_single(inputs.file)
    told = replace(finding, where="")  # its words name the lines, or the column
    return finding_text(told, _REVIEW_FIXES if can_review else ())


def _is_single(file: ChatFile) -> bool:
    """Whether it is a file, and no folder of them."""
    return not (file.chats and file.chats[0].file)


def _troubles(inputs: FindingInputs) -> list[ShownFinding]:
    if inputs.trouble is None:
        return []
    fixes = (Fix(READ_AGAIN, "Read again"),)
    return [ShownFinding(inputs.trouble.code, finding_text(inputs.trouble, fixes))]


def _checked(inputs: FindingInputs) -> list[ShownFinding]:
    report = inputs.report
    if report is None:
        return []
    return [
        ShownFinding(
            finding.code,
            FindingText(
                kind=_KINDS[finding.severity],
                what=brief(finding),
                consequence=" ".join(
                    part for part in (finding.why, finding.fix) if part
                ),
                fixes=_fixes(finding, inputs),
            ),
            finding.rows,
            spoken_rows(finding) if finding.rows else "",
        )
        for finding in report.findings
    ]


def brief(finding: DataFinding) -> str:
    """What a finding says, without a list of rows that are shown on a click.

    Three rows are still named; more would only push the words down.
    """
    if len(finding.rows) <= _NAMED:
        return finding.what
    return finding.what.replace(f" ({spoken_rows(finding)})", "", 1)


def spoken_rows(finding: DataFinding) -> str:
    """The first rows of a finding, as its words name them."""
    first = ", ".join(f"{line:,}" for line in finding.rows[:_SPOKEN])
    more = finding.count - len(finding.rows[:_SPOKEN])
    return f"{first} and {more:,} more" if more else first


def _fixes(finding: DataFinding, inputs: FindingInputs) -> tuple[Fix, ...]:
    fixes = []
    if finding.code == _GUESSED:
        return _GUESS_FIXES
    if finding.code == _TOO_LONG:
        wanted = rounded_up(lengths_of(inputs.file).longest)
        fits = not inputs.context or wanted <= inputs.context
        if wanted > inputs.recipe.train.sequence_length and fits:
            fixes.append(Fix(f"{LENGTH}:{wanted}", f"Use {wanted:,}"))
    if finding.code == _UNREVIEWED and _is_single(inputs.file):
        return _REVIEW_FIXES
    if finding.mends and inputs.can_mend(finding.code):
        words = _MEND_WORDS.get(finding.code, "Leave them out")
        fixes.append(Fix(f"{MEND}:{finding.code}", words))
    return tuple(fixes)


def _mended(mended: Mended) -> ShownFinding:
    text = FindingText(
        kind=FindingKind.MENDED,
        what=mended.what,
        consequence=f"Mended in {mended.file}; the original is as it was.",
        fixes=(Fix(f"{UNDO}:{mended.code}", "Undo", flat=True),),
    )
    return ShownFinding(f"mended:{mended.code}", text)


def _guess(file: ChatFile) -> ShownFinding:
    text = FindingText(
        kind=FindingKind.WARNING,
        what="Which column is which is a guess.",
        consequence=f"{file.form}. Wrong columns teach the wrong thing.",
        fixes=_GUESS_FIXES,
    )
    return ShownFinding(_GUESSED, text)


def _is_chosen(inputs: FindingInputs) -> bool:
    data = inputs.recipe.data
    return bool(data.format or data.columns)


_GUESS_FIXES: Final = (
    Fix(ASSIGN, "Assign columns…"),
    Fix(CONFIRM, "They are right", flat=True),
)
_REVIEW_FIXES: Final = (Fix(REVIEW, "Review them…"),)
_MEND_WORDS: Final = {
    "data.duplicate": "Keep one of each",
    "data.near-duplicate": "Keep one of each",
    "data.personal": "Replace them",
    "data.secret": "Replace them",
    "data.encoding-damage": "Mend the text",
    "data.role-order": "Put in order",
}
