from studio.domain.data_checks.all_checks import CheckSettings, all_checks
from studio.domain.data_checks.check import CheckedRow, RowTokens
from studio.domain.dataset import Chat, Turn
from studio.domain.finding import Severity

CHAT = Chat((Turn("user", "Why?"), Turn("assistant", "So.")), 1)


def _found(tokens, **settings):
    checks = all_checks(CheckSettings(sequence_length=100, **settings))
    for number, of_row in enumerate(tokens, start=1):
        for check in checks:
            check.take(CheckedRow(number, CHAT, tokens=of_row))
    return {each.code: each for check in checks for each in check.findings()}


def test_that_rows_beyond_the_length_are_counted_with_their_share():
    found = _found([RowTokens(n, 9, ends=True) for n in (99, 100, 101, 250)])
    assert found["data.too-long"].rows == (3, 4)
    assert found["data.too-long"].what == (
        "2 rows (3, 4) of 4, 50.0 %, are longer than 100 tokens; the longest has 250."
    )


def test_that_rows_without_anything_to_learn_are_told():
    found = _found([RowTokens(9, 0, ends=True), RowTokens(9, 1, ends=True)])
    assert found["data.all-masked"].rows == (1,)


def test_that_answers_without_an_end_are_told():
    found = _found([RowTokens(9, 3, ends=False), RowTokens(9, 3, ends=True)])
    assert found["data.no-end"].rows == (1,)


def test_that_nothing_is_said_of_tokens_without_a_model():
    codes = set(_found([None] * 20))
    assert not codes & {"data.too-long", "data.all-masked", "data.no-end"}


def test_that_a_template_without_generation_markers_is_a_remark():
    code = "data.template-without-generation"
    assert _found([], marks_answers=False)[code].severity is Severity.INFO
    assert code not in _found([], marks_answers=True)
    assert code not in _found([])
