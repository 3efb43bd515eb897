"""The token view: moves by token, tells each, and takes nothing for markup."""

import pytest
from PySide6.QtCore import QPoint, Qt

from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.ui.theme import ColourScheme
from studio.ui.tokens import DARK, LIGHT
from studio.ui.widgets.token_view import TokenText

READ, TRAINED, CUT = TokenUse.READ, TokenUse.TRAINED, TokenUse.CUT
VIEW = TokenView(
    1,
    (
        ShownToken("<|im_start|>", 1, READ, is_mark=True),
        ShownToken("user\n", 5, READ),
        ShownToken("<b>bold</b>", 8, READ),
        ShownToken(" Thanks", 6, TRAINED),
        ShownToken(" gone", 9, CUT),
    ),
)


@pytest.fixture
def text(qtbot):
    made = TokenText()
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show()
    made.set_view(VIEW)
    return made


def test_that_text_from_data_is_never_markup(text):
    assert text.toPlainText() == "<|im_start|>user↵\n<b>bold</b> Thanks gone"


def test_that_left_and_right_move_by_token(qtbot, text):
    text.setFocus()
    for expected in (1, 2, 3, 4, 4):
        qtbot.keyClick(text, Qt.Key.Key_Right)
        assert text.current_token() == expected
    qtbot.keyClick(text, Qt.Key.Key_Left)
    assert text.current_token() == 3


def test_that_the_token_at_the_cursor_is_told_to_screen_readers(qtbot, text):
    text.select_token(3)
    assert text.accessibleDescription() == "“ Thanks”: id 6, 4 of 5, trained"


def test_that_a_row_held_back_is_told_as_measured(text):
    text.set_view(VIEW, held_out=True)
    text.select_token(3)
    assert text.accessibleDescription().endswith("measured, not trained")


def test_that_the_token_under_the_mouse_is_found(text):
    found = {text.token_at(QPoint(x, y)) for x in range(0, 380, 4) for y in (12, 34)}
    assert found == {-1, 0, 1, 2, 3, 4}


@pytest.mark.parametrize("scheme", list(ColourScheme)[-2:])
def test_that_each_use_is_seen_on_both_palettes(text, theme, scheme):
    theme.set_scheme(scheme)
    tokens = DARK if scheme is ColourScheme.DARK else LIGHT
    image = text.grab().toImage()
    places = [(x, y) for x in range(image.width()) for y in range(image.height())]
    seen = {image.pixelColor(x, y).name().upper() for x, y in places}
    assert {tokens.selection, tokens.accent, tokens.sunken} <= seen


def test_that_nothing_is_shown_without_a_row(text):
    text.set_view(None)
    assert text.toPlainText() == ""
    assert text.current_token() == -1
    assert text.accessibleDescription() == ""
