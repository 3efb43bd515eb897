"""A finding as the card that shows it, in the words of the window."""

from typing import Final

from PySide6.QtWidgets import QVBoxLayout

from studio.domain.finding import Finding, Severity
from studio.ui.pages.window_words import in_window
from studio.ui.widgets.finding_card import FindingCard, FindingKind, FindingText, Fix

_KINDS: Final = {
    Severity.ERROR: FindingKind.ERROR,
    Severity.WARNING: FindingKind.WARNING,
    Severity.INFO: FindingKind.INFO,
}


def finding_text(finding: Finding, fixes: tuple[Fix, ...] = ()) -> FindingText:
    """What a card says of a finding; the place stands with the consequence."""
    said = in_window(finding)
    told = said.where.casefold() in said.what.casefold()
    place = f"Where: {said.where}" if said.where and not told else ""
    below = [said.why, said.how_to_fix, place]
    return FindingText(
        kind=_KINDS[said.severity],
        what=said.what,
        consequence=" ".join(part for part in below if part),
        fixes=fixes,
    )


def show_findings(
    layout: QVBoxLayout, findings: list[Finding], *, soft: bool = True
) -> None:
    """Put a card for each finding into a layout, in place of what it held."""
    clear(layout)
    for finding in findings:
        layout.addWidget(FindingCard(finding_text(finding), soft=soft))


def clear(layout: QVBoxLayout) -> None:
    """Take everything out of a layout."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
