"""What methods that learn from judgements are given of each row."""

import json

import pytest

from studio.domain.dataset import Chat, RowError, Turn
from studio.domain.judged_examples import Pair, RatedAnswer, judged_example
from studio.storage.chat_files import read_chats

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Which cheese?"}
GOOD = {"role": "assistant", "content": "Brie."}
BAD = {"role": "assistant", "content": "No idea."}
MORE = {"role": "user", "content": "Why?"}


def examples(tmp_path, *rows):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [judged_example(chat) for chat in read_chats(file).chats]


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected"),
    [
        (
            {"prompt": "Which cheese?", "chosen": "Brie.", "rejected": "No idea."},
            [ASK],
            [GOOD],
            [BAD],
        ),
        (
            {"chosen": [SYSTEM, ASK, GOOD], "rejected": [SYSTEM, ASK, BAD]},
            [SYSTEM, ASK],
            [GOOD],
            [BAD],
        ),
        (
            {"chosen": [ASK, BAD, MORE, GOOD], "rejected": [ASK, BAD, MORE, BAD]},
            [ASK, BAD, MORE],
            [GOOD],
            [BAD],
        ),
        (
            {"chosen": [ASK, GOOD, MORE, GOOD], "rejected": [ASK, BAD, MORE, GOOD]},
            [ASK],
            [GOOD, MORE, GOOD],
            [BAD, MORE, GOOD],
        ),
        (
            {"chosen": [ASK, GOOD, MORE, BAD], "rejected": [ASK, GOOD]},
            [ASK],
            [GOOD, MORE, BAD],
            [GOOD],
        ),
    ],
)
def test_that_a_pair_is_parted_where_its_answers_are(
    tmp_path, row, prompt, chosen, rejected
):
    [pair] = examples(tmp_path, row)
    assert isinstance(pair, Pair)
    assert pair.columns() == {
        "prompt": prompt,
        "chosen": chosen,
        "rejected": rejected,
    }


@pytest.mark.parametrize(("label", "liked"), [(True, True), ("bad", False)])
def test_that_a_rated_answer_has_its_label(tmp_path, label, liked):
    rows = {"prompt": [SYSTEM, ASK], "completion": [GOOD], "label": label}
    [rated] = examples(tmp_path, rows)
    assert isinstance(rated, RatedAnswer)
    assert rated.columns() == {
        "prompt": [SYSTEM, ASK],
        "completion": [GOOD],
        "label": liked,
    }


def test_that_tools_go_along():
    tools = ({"name": "weigh"},)
    turns = (Turn("user", "How heavy?"), Turn("assistant", "A pound."))
    rated = judged_example(Chat(turns, 1, is_liked=True, tools=tools))
    assert rated.columns()["tools"] == [{"name": "weigh"}]


def test_that_rows_without_a_judgement_are_refused():
    asked, said = Turn("user", "Which?"), Turn("assistant", "Brie.")
    other = Turn("user", "What?")
    for chat, why in (
        (Chat((asked, said), 1), "neither"),
        (Chat((asked, said), 1, rejected=(other, said)), "no question before"),
        (
            Chat((asked, said, asked, said), 1, rejected=(asked, said, other, said)),
            "different questions",
        ),
        (Chat((said,), 1, is_liked=True), "no question"),
    ):
        with pytest.raises(RowError, match=why):
            judged_example(chat)
