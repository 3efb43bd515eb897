"""Tokens as a text: places as Qt counts them, looks, and nothing that could hide."""

import pytest

from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.ui.widgets.token_pieces import (
    MOST_TOKENS,
    Look,
    counts_of,
    piece_text,
    token_words,
    visible,
)

READ, TRAINED, CUT = TokenUse.READ, TokenUse.TRAINED, TokenUse.CUT
VIEW = TokenView(
    7,
    (
        ShownToken("<s>", 1, READ, is_mark=True),
        ShownToken("Hi", 5, READ),
        ShownToken("🙂", 6, TRAINED),
        ShownToken("\n", 7, TRAINED),
        ShownToken("</s>", 2, TRAINED, is_mark=True),
        ShownToken("rest", 9, CUT),
    ),
)


def test_that_the_legend_s_counts_are_all_tokens():
    counts = counts_of(VIEW)
    assert counts == {Look.TRAINED: 3, Look.READ: 1, Look.MARK: 1, Look.CUT: 1}
    assert sum(counts.values()) == len(VIEW.tokens)


def test_that_places_are_counted_in_utf_16():
    shown = piece_text(VIEW)
    units = len(shown.text.encode("utf-16-le")) // 2
    assert shown.pieces[-1].stop == units
    face = shown.pieces[2]
    assert (face.start, face.stop) == (5, 7)


def test_that_pieces_follow_each_other_without_gaps():
    pieces = piece_text(VIEW).pieces
    stops = [piece.stop for piece in pieces[:-1]]
    assert stops == [piece.start for piece in pieces[1:]]


def test_that_a_place_tells_its_token():
    shown = piece_text(VIEW)
    for number, piece in enumerate(shown.pieces):
        assert shown.piece_at(piece.start) == number
        assert shown.piece_at(piece.stop - 1) == number


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\u202e", "‹U+202E›"),  # turns the rest of a line round
        ("\u200b", "‹U+200B›"),
        ("\x00", "␀"),
        ("\x1b[31m", "␛[31m"),
        ("\u2029", "‹U+2029›"),
        ("\r", "␍"),
        ("\t", "⇥"),
    ],
)
def test_that_what_can_t_be_seen_is_shown(hidden, shown):
    assert visible(hidden) == shown


def test_that_a_token_is_told_in_one_plain_line():
    words = token_words(VIEW, 3, held_out=False)
    assert words == "“↵”: id 7, 4 of 6, trained"
    assert "measured, not trained" in token_words(VIEW, 3, held_out=True)
    assert token_words(VIEW, 0, held_out=False).endswith("a format mark")


def test_that_a_very_long_row_is_counted_whole_but_shown_in_part():
    long = TokenView(1, [ShownToken("a", 1, READ)] * (MOST_TOKENS + 5))
    assert len(piece_text(long).pieces) == MOST_TOKENS
    assert counts_of(long)[Look.READ] == MOST_TOKENS + 5
