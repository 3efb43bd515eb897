import pytest

from studio.domain.data_mapping import MappingError
from studio.domain.dataset import Kind, RowError
from studio.storage.data_formats.registry import FORMATS, format_named, recognised

SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ahoy"}]
CASES = [
    ("chat", {"messages": SAID}),
    ("chat", {"dialogue": SAID, "id": 3}),
    (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Ahoy"},
            ]
        },
    ),
    ("alpaca", {"instruction": "Hi", "input": "", "output": "Ahoy"}),
    ("prompt-completion", {"prompt": "Hi", "completion": "Ahoy"}),
    ("prompt-completion", {"prompt": SAID[:1], "completion": SAID[1:]}),
    ("question-answer", {"Question": "Hi", "Answer": "Ahoy"}),
    ("question-answer", {"mr": "name[Blue Spice]", "ref": "It is the Blue Spice."}),
    ("preference", {"prompt": "Hi", "chosen": "Ahoy", "rejected": "No"}),
    ("preference", {"chosen": SAID, "rejected": [SAID[0], SAID[0] | SAID[1]]}),
    ("rated", {"prompt": "Hi", "completion": "Ahoy", "label": True}),
    ("text", {"text": "A cellar book."}),
]


@pytest.mark.parametrize(("name", "row"), CASES)
def test_that_each_form_is_recognised_and_read(name, row):
    if "rejected" in row and isinstance(row["rejected"], list):
        row = {**row, "rejected": [SAID[0], {"role": "assistant", "content": "No"}]}
    if "mr" in row:
        row = {"mr": "name[Blue Spice], area[city centre]", "ref": row["ref"]}
    found = recognised([row])
    assert found is not None
    data_format, recognition = found
    assert data_format.name == name
    chat = data_format.reader(recognition.mapping)(row, 7)
    assert chat.line == 7
    assert chat.answer()
    assert (chat.text == "") is (data_format.kind is not Kind.TEXT)
    assert bool(chat.rejected) is (data_format.kind is Kind.PREFERENCE)


def test_that_a_guess_is_less_sure_than_a_name():
    named = recognised([{"question": "Why so?", "answer": "It is so."}])
    guessed = recognised([{"mr": "a pub in town", "ref": "There is a pub."}])
    several = recognised([{"a": "x y", "b": "x y", "c": "x y"}])
    assert named
    assert guessed
    assert several
    assert named[1].confidence >= 0.9
    assert 0.3 < guessed[1].confidence < 0.6
    assert several[1].confidence <= 0.3


def test_that_labels_numbers_and_identifiers_are_no_text():
    rows = [
        {"id": f"{n}", "kind": "a b", "q": f"how {n} so", "a": f"well {n} so"}
        for n in range(60)
    ]
    found = recognised(rows)
    assert found
    assert found[1].mapping == {"question": "q", "answer": "a"}


def test_that_rows_of_numbers_are_in_no_form():
    assert recognised([{"sum": 3, "of": 4}]) is None


def test_that_alpacas_input_stands_below_its_instruction():
    row = {
        "instruction": "Add.",
        "input": "1 and 2",
        "output": "3",
        "system": "Be kind",
    }
    found = recognised([row])
    assert found
    chat = found[0].reader(found[1].mapping)(row, 1)
    assert [turn.role for turn in chat.turns] == ["system", "user", "assistant"]
    assert chat.question() == "Add.\n\n1 and 2"


def test_that_calls_of_tools_are_kept_for_the_template():
    calls = [{"type": "function", "function": {"name": "stock", "arguments": {}}}]
    row = {
        "messages": [
            {"role": "user", "content": "Any Brie?"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "content": "3", "name": "stock"},
            {"role": "assistant", "content": "Three."},
        ],
        "tools": [{"type": "function", "function": {"name": "stock"}}],
    }
    found = recognised([row])
    assert found
    chat = found[0].reader(found[1].mapping)(row, 1)
    assert chat.turns[1].as_message()["tool_calls"] == calls
    assert chat.turns[2].as_message()["name"] == "stock"
    assert chat.tools[0]["type"] == "function"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"messages": [{"role": "king", "content": "x"}]}, "unknown role “king”"),
        ({"messages": [{"role": "user", "content": "x"}]}, "no assistant turn"),
        (
            {"messages": [SAID[0], {"role": "assistant", "content": " "}]},
            "empty answer",
        ),
        (
            {"messages": [SAID[0], {"role": "assistant", "content": None}]},
            "without text",
        ),
        ({"messages": "x"}, "messages that are no list"),
        ({"messages": ["x"]}, "not an object"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "holds “image_url”",
        ),
    ],
)
def test_that_a_broken_chat_is_told(row, why):
    with pytest.raises(RowError, match=why):
        format_named("chat").reader({"messages": "messages"})(row, 1)


def test_that_the_same_answer_twice_is_no_preference():
    read = format_named("preference").reader({"chosen": "c", "rejected": "r"})
    with pytest.raises(RowError, match="same answer"):
        read({"c": "x", "r": "x"}, 1)


def test_that_a_mapping_without_a_required_part_is_refused():
    for each in FORMATS:
        with pytest.raises(MappingError):
            each.reader({})
        with pytest.raises(MappingError):
            each.reader({"nonsense": "x"})


def test_that_the_names_of_the_formats_differ():
    assert len({each.name for each in FORMATS}) == len(FORMATS)
