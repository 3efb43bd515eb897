import pytest

from studio.domain.data_report import DataFinding, DataReport
from studio.domain.finding import Severity
from studio.domain.token_lengths import TokenLengths
from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.protocol.codec import decode_event, encode
from studio.protocol.data_words import heard_report, heard_view, told_report, told_view


@pytest.mark.parametrize("severity", Severity)
def test_that_a_report_comes_over_the_wire_whole(severity):
    found = DataFinding(
        code="data.duplicate",
        severity=severity,
        count=2000,
        rows=(3, 5),
        what="Twice.",
        why="So.",
        fix="Drop.",
        mends=True,
    )
    lengths = TokenLengths((3, 4, 9))
    report = DataReport(
        path="/a",
        rows=4,
        usable=3,
        format_name="chat",
        confidence=0.9,
        mapping={"messages": "talk"},
        lengths=lengths,
        trained_tokens=7,
        all_tokens=16,
        findings=(found,),
    )
    told = decode_event(encode(told_report(report, "/index")))
    assert told.index == "/index"
    assert heard_report(told, lengths) == report


def test_that_a_view_comes_over_the_wire_whole():
    tokens = tuple(
        ShownToken(text, number, use, is_mark)
        for text, number, use, is_mark in [
            ("<s>", 1, TokenUse.READ, True),
            ("Käse", 7, TokenUse.TRAINED, False),
            ("\n", 8, TokenUse.CUT, False),
        ]
    )
    view = TokenView(4, tokens, "has no answer", 12)
    told = decode_event(encode(told_view(view, order=3)))
    assert told.order == 3
    assert heard_view(told) == view
