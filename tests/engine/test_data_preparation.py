"""Rows that are cut, left out or held out, and what is said of them."""

import pytest

from studio.domain.dataset import split_rows
from studio.domain.errors import StudioError
from studio.engine.data_preparation import prepare_data
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import Progress, Warned
from tests.engine import tiny
from tests.engine.helpers import Heard, of_kind, recipe_for


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model)


def prepared(tokenizer, data, **options):
    heard = Heard()
    recipe = recipe_for("any", data, **options)
    try:
        return prepare_data(heard.session, recipe, tokenizer), heard.events()
    except StudioError:
        heard.events()
        raise


def long_chat(words):
    answer = "Brie " * words
    return {
        "messages": [
            {"role": "user", "content": "Say much."},
            {"role": "assistant", "content": answer.strip()},
        ]
    }


def test_that_the_held_out_rows_are_those_that_the_domain_chooses(tokenizer, chat_file):
    data, _ = prepared(tokenizer, chat_file, data__held_out=0.25, train__seed=5)
    training, held_out = split_rows(40, 0.25, 5)
    assert (len(data.training), len(data.held_out)) == (30, 10)
    questions = [
        tokenizer.decode(row.input_ids) for row in (*data.training, *data.held_out)
    ]
    expected = [f"number {number}?" for number in (*training, *held_out)]
    pairs = zip(questions, expected, strict=True)
    assert all(number in question for question, number in pairs)


def test_that_prompts_are_questions_that_were_held_out(tokenizer, chat_file):
    data, _ = prepared(tokenizer, chat_file, data__prompts=(), data__held_out=0.25)
    _, held_out = split_rows(40, 0.25, 42)
    assert data.prompts == tuple(f"Which cheese is number {n}?" for n in held_out[:3])


def test_that_prompts_of_the_recipe_are_all_asked(tokenizer, chat_file):
    prompts = ("one", "two", "three", "four")
    data, _ = prepared(tokenizer, chat_file, data__prompts=prompts)
    assert data.prompts == prompts


def test_that_cut_rows_are_counted_and_named(tokenizer, tmp_path):
    rows = [*tiny.chats(18), long_chat(200), long_chat(300)]
    file = tiny.write_chats(tmp_path / "long.jsonl", rows)
    data, events = prepared(tokenizer, file, train__sequence_length=64)
    lengths = [len(row.input_ids) for row in (*data.training, *data.held_out)]
    assert (len(lengths), max(lengths)) == (20, 64)
    (warned,) = of_kind(events, Warned)
    assert warned.finding.code == "data.cut"
    assert "2 of 20 rows" in warned.finding.what
    assert warned.finding.where == "train.sequence_length"


def test_that_rows_cut_before_their_answer_are_left_out(tokenizer, tmp_path):
    asked = {"role": "user", "content": "Well? " * 200}
    told = {"role": "assistant", "content": "Brie."}
    rows = [*tiny.chats(19), {"messages": [asked, told]}]
    file = tiny.write_chats(tmp_path / "long.jsonl", rows)
    data, events = prepared(tokenizer, file, train__sequence_length=64)
    assert len(data.training) + len(data.held_out) == 19
    left_out = [
        event.finding
        for event in of_kind(events, Warned)
        if event.finding.code == "data.row-left-out"
    ]
    assert [finding.where for finding in left_out] == ["long.jsonl, line 20"]


def test_that_nothing_to_learn_is_refused(tokenizer, chat_file):
    with pytest.raises(StudioError, match=r"first 16 tokens.*sequence_length higher"):
        prepared(tokenizer, chat_file, train__sequence_length=16)


def test_that_rows_that_the_reader_left_out_are_told(tokenizer, tmp_path):
    file = tiny.write_chats(tmp_path / "mixed.jsonl")
    file.write_text(file.read_text() + "not json\n")
    data, events = prepared(tokenizer, file)
    assert len(data.training) + len(data.held_out) == 40
    (warned,) = of_kind(events, Warned)
    assert "Line 41 is not valid JSON" in warned.finding.what


def test_that_an_answer_without_an_end_is_told(tokenizer, chat_file):
    endless = tiny.make_tokenizer(
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    _, events = prepared(endless, chat_file)
    (warned,) = of_kind(events, Warned)
    assert warned.finding.code == "data.no-end"


def test_that_reading_is_reported_from_none_to_all(tokenizer, chat_file):
    _, events = prepared(tokenizer, chat_file)
    counts = [(event.done, event.total) for event in of_kind(events, Progress)]
    assert counts[0] == (0, 40)
    assert counts[-1] == (40, 40)
