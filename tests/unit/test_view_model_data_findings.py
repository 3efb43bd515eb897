"""The findings of a data set as cards: order, fixes, and what is counted."""

from dataclasses import replace

from studio.domain.data_report import DataFinding, DataReport
from studio.domain.dataset import ChatFile
from studio.domain.finding import Severity, error, warning
from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.ui.pages.data.findings import (
    FindingInputs,
    Mended,
    findings_note,
    has_open_error,
    shown_findings,
)
from studio.ui.widgets.finding_card import FindingKind

FILE = ChatFile(
    "/c.jsonl",
    (),
    (warning("data.row", "Line 7 is not valid JSON."),),
    1,
    "Question and answer under “mr” and “ref”",
    lengths=TokenLengths.of([100, 2_500]),
    confidence=0.9,
)


def finding(code, severity=Severity.WARNING, **changes):
    facts = {"count": 2, "rows": (3, 9), "what": f"{code} is so.", "why": "So."}
    return DataFinding(code=code, severity=severity, **{**facts, **changes})


def report_of(*findings):
    return DataReport(
        path="/c.jsonl",
        rows=10,
        usable=9,
        format_name="chat",
        confidence=0.9,
        mapping={},
        lengths=TokenLengths(),
        trained_tokens=0,
        all_tokens=0,
        findings=findings,
    )


def shown(*findings, file=FILE, recipe=None, **more):
    report = report_of(*findings) if findings else None
    inputs = FindingInputs(file=file, recipe=recipe or Recipe(), report=report, **more)
    return shown_findings(inputs)


def fixes(card):
    return {fix.key: fix.text for fix in card.text.fixes}


def test_that_errors_come_first_and_remarks_last():
    cards = shown(
        finding("data.markup", Severity.INFO),
        finding("data.duplicate"),
        finding("data.all-masked", Severity.ERROR),
        mended=[Mended("data.personal", "2 rows hold e-mail addresses.", "c-2.jsonl")],
    )
    kinds = [card.text.kind for card in cards]
    assert kinds == list(FindingKind)
    assert findings_note(cards) == "2 open, 1 mended, 1 remark"
    assert has_open_error(cards)


def test_that_a_warning_leaves_the_way_free():
    assert not has_open_error(shown(finding("data.duplicate")))


def test_that_what_can_be_mended_has_a_button():
    card = shown(finding("data.duplicate", mends=True))[0]
    assert fixes(card) == {"mend:data.duplicate": "Keep one of each"}
    assert card.rows == (3, 9)


def test_that_what_can_t_be_mended_has_none():
    assert fixes(shown(finding("data.dominant-answer"))[0]) == {}


def test_that_long_rows_offer_the_length_that_keeps_them():
    card = shown(finding("data.too-long", mends=True))[0]
    assert fixes(card)["length:2560"] == "Use 2,560"


def test_that_no_length_beyond_the_model_is_offered():
    card = shown(finding("data.too-long"), context=2048)[0]
    assert fixes(card) == {}


def test_that_the_report_takes_the_place_of_what_reading_found():
    assert [card.text.what for card in shown()] == ["Line 7 is not valid JSON."]
    what = [card.text.what for card in shown(finding("data.duplicate"))]
    assert what == ["data.duplicate is so."]


def test_that_a_guess_asks_to_look_unless_the_user_chose():
    guess = replace(FILE, confidence=0.5, findings=())
    (card,) = shown(file=guess)
    assert set(fixes(card)) == {"assign", "confirm"}
    chosen = Recipe().with_value("data.format", "question-answer")
    assert shown(file=guess, recipe=chosen) == ()


def test_that_a_guess_is_told_once():
    guess = replace(FILE, confidence=0.5, findings=())
    cards = shown(finding("data.format-guessed"), file=guess)
    assert [set(fixes(card)) for card in cards] == [{"assign", "confirm"}]


def test_that_a_file_changed_meanwhile_can_be_read_again():
    trouble = error("data.changed", "The file was changed since it was read.")
    card = shown(trouble=trouble)[0]
    assert fixes(card) == {"read": "Read again"}


def test_that_more_than_three_rows_are_named_in_the_tooltip_and_not_in_the_title():
    many = tuple(range(10, 18))
    what = "9 rows (10, 11, 12, 13, 14 and 4 more) are so."
    (card,) = shown(finding("data.duplicate", count=9, rows=many, what=what))
    assert card.text.what == "9 rows are so."
    assert card.spoken == "10, 11, 12, 13, 14 and 4 more"
    few = finding("data.duplicate", what="2 rows (3, 9) are so.")
    assert shown(few)[0].text.what == "2 rows (3, 9) are so."


def test_that_what_reading_told_names_its_lines_once():
    told = warning("data.row", "2 rows are left out (7, 9).", where="line 7")
    (card,) = shown(file=replace(FILE, findings=(told,)))
    assert "Where" not in card.text.consequence
