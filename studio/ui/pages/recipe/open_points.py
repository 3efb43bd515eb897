"""What stands open before the start, and the buttons that mend it."""

from collections.abc import Iterable, Iterator
from typing import Final

from studio.domain.finding import Finding, Severity
from studio.domain.recipe import OPTIONS
from studio.ui.pages.recipe.remedies import Remedy
from studio.ui.pages.window_words import in_window
from studio.ui.widgets.finding_card import FindingKind, FindingText, Fix

REMEDY: Final = "remedy"
GO: Final = "go"
FIND: Final = "find"
LENGTH: Final = "length"
METHOD: Final = "method"
_OTHER_METHODS: Final = {
    "data.chosen-alone": Fix(f"{METHOD}:dpo", "Learn from both (DPO)"),
    "data.liked-alone": Fix(f"{METHOD}:kto", "Learn from all (KTO)"),
    "data.other-method": Fix(f"{FIND}:train.method", "Show the method"),
}
_KINDS: Final = {
    Severity.ERROR: FindingKind.ERROR,
    Severity.WARNING: FindingKind.WARNING,
    Severity.INFO: FindingKind.INFO,
}


def finding_texts(
    findings: Iterable[Finding], ways_out: tuple[Remedy, ...], whole_length: int
) -> Iterator[FindingText]:
    """What stands open, errors first, each with the buttons that mend it.

    Args:
        findings: What preflight says.
        ways_out: What would make the run fit, each enough by itself.
        whole_length: The length that keeps all rows whole; 0 when there is none.
    """
    order = list(Severity)
    for finding in sorted(findings, key=lambda f: order.index(f.severity)):
        is_short = finding.code.startswith("memory.")
        yield FindingText(
            kind=_KINDS[finding.severity],
            what=finding.what,
            consequence=_consequence(finding, ways_out if is_short else ()),
            fixes=_remedy_fixes(ways_out)
            if is_short
            else _fixes(finding, whole_length),
        )


def _consequence(finding: Finding, ways_out: tuple[Remedy, ...]) -> str:
    if len(ways_out) > 1:
        return f"{finding.why} Each is enough:".strip()
    if ways_out:
        return f"{finding.why} This is enough:".strip()
    return f"{finding.why} {in_window(finding).how_to_fix}".strip()


def _remedy_fixes(ways_out: tuple[Remedy, ...]) -> tuple[Fix, ...]:
    return tuple(
        Fix(f"{REMEDY}:{place}", way.words) for place, way in enumerate(ways_out)
    )


def _fixes(finding: Finding, whole_length: int) -> tuple[Fix, ...]:
    if finding.code == "data.rows-cut" and whole_length:
        return (Fix(f"{LENGTH}:{whole_length}", f"Use {whole_length:,}"),)
    if finding.code in _OTHER_METHODS:
        return (_OTHER_METHODS[finding.code], Fix(f"{GO}:data", "Go to the data"))
    elsewhere = ("model.", "data.", "recommend.")
    if finding.where in OPTIONS and not finding.code.startswith(elsewhere):
        return (Fix(f"{FIND}:{finding.where}", "Show the setting"),)
    if finding.code.startswith(("model.", "recommend.")):
        return (Fix(f"{GO}:model", "Go to the model"),)
    if finding.code.startswith("data."):
        return (Fix(f"{GO}:data", "Go to the data"),)
    return ()


def has_ways_out(text: FindingText) -> bool:
    """Whether a finding's fixes are remedies, shown with what each saves."""
    return bool(text.fixes) and text.fixes[0].key.startswith(f"{REMEDY}:")
