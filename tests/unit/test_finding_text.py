"""A finding as the card that shows it."""

from studio.domain.finding import error, warning
from studio.ui.pages.finding_text import finding_text
from studio.ui.widgets.finding_card import FindingKind


def test_that_a_card_says_consequence_remedy_and_place():
    finding = error("c", "It is so.", why="So what.", fix="Do this.", where="/a/file")
    text = finding_text(finding)
    assert text.kind is FindingKind.ERROR
    assert text.consequence == "So what. Do this. Where: /a/file"


def test_that_a_place_that_was_named_is_not_named_again():
    text = finding_text(warning("c", "Line 7 is not valid JSON.", where="line 7"))
    assert text.consequence == ""
