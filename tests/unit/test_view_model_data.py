"""The Data page's words."""

import pytest

from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.recipe import Recipe
from studio.ui.pages.data.view_model import (
    chat_note,
    data_facts,
    held_out_choices,
    held_out_words,
    page_facts,
    row_cells,
    share_key,
    shown_turns,
    split_of,
)

CHAT = Chat(
    (
        Turn("system", "Be brief."),
        Turn("user", "Why\nis it so?"),
        Turn("assistant", "Because."),
    ),
    line=7,
)


def file_of(rows: int, **changes: object) -> ChatFile:
    facts: dict[str, object] = {
        "path": "/data/chats.jsonl",
        "chats": (CHAT,) * rows,
        "findings": (),
        "size_bytes": 2_500_000,
        "form": "Chat rows under “messages”",
    }
    return ChatFile(**{**facts, **changes})


def test_that_the_split_is_the_engine_s():
    split = split_of(file_of(100), Recipe().with_value("data.held_out", 0.1))
    assert split.trained == 90
    assert len(split.held_out) == 10


def test_that_rows_left_out_are_counted_as_read():
    file = file_of(40, left_out=3)
    facts = data_facts(file, split_of(file, Recipe()), Recipe())
    assert facts.figures[0] == ("43", "rows read")
    assert facts.figures[1] == ("3", "left out")
    assert facts.form == "Recognised: Chat rows under “messages”, 2.4 MiB"


def test_that_a_cell_is_one_line_and_lengths_are_characters():
    cells = row_cells(CHAT, held_out=False)
    assert cells == ("7", "Why is it so?", "Because.", "30", "Trained")


def test_that_only_answers_are_trained():
    uses = [turn.use for turn in shown_turns(CHAT, held_out=False)]
    assert uses == ["only read", "only read", "trained"]


def test_that_nothing_of_a_row_held_back_is_trained():
    turns = shown_turns(CHAT, held_out=True)
    assert not any(turn.trained for turn in turns)
    assert turns[-1].use == "only measured"
    assert "never trained on" in chat_note(CHAT, held_out=True)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.125])
def test_that_the_recipe_s_share_is_always_among_the_choices(share):
    choices = dict(held_out_choices(share))
    assert share_key(share) in choices
    assert float(share_key(share)) == share


def test_that_holding_nothing_back_says_what_is_lost():
    file = file_of(10)
    split = split_of(file, Recipe().with_value("data.held_out", 0.0))
    assert held_out_words(file, split) == (
        "No row is held back, so no held-out loss can be measured."
    )


def test_that_the_page_names_the_model_that_learns():
    recipe = Recipe().with_value("model.name", "owner/Model-1B")
    assert page_facts(recipe, "/c.jsonl") == "Chat examples for Model-1B"
    assert page_facts(Recipe(), "") == "What the model shall learn from"
