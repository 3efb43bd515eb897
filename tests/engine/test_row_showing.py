"""Rows token by token: all texts together are the rendered text."""

from types import SimpleNamespace

import pytest

from studio.engine.row_showing import view_of

HALF = "�"


class Tokenizer:
    """As much of one as a view asks."""

    added_tokens_decoder: dict[int, object] = {}  # noqa: RUF012 - nobody changes it

    def convert_ids_to_tokens(self, number):
        return f"<{number}>"


def texts(text, offsets):
    row = SimpleNamespace(
        text=text,
        offsets=offsets,
        ids=list(range(len(offsets))),
        trained=[],
        trained_within=lambda length: 0,
    )
    return [token.text for token in view_of(Tokenizer(), row, 1, 64).tokens]


@pytest.mark.parametrize(
    ("offsets", "told"),
    [
        ([(0, 2), (3, 5)], ["ab", " cd"]),
        ([(0, 1), (0, 2), (2, 5)], ["a", "b", " cd"]),
        ([(0, 2), (1, 2), (2, 5)], ["ab", HALF, " cd"]),
        ([(0, 1), (0, 1), (1, 5)], [HALF, HALF, "b cd"]),
    ],
)
def test_that_no_character_is_shown_twice(offsets, told):
    assert texts("ab cd", offsets) == told
