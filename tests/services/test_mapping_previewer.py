"""The first rows of a file as a choice of columns would have them read."""

import json

import pytest

from studio.domain.errors import StudioError
from studio.services.mapping_previewer import MappingPreviewer, preview


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "places.csv"
    rows = "\n".join(f"Lamp {n},riverside,Lamp {n} is by the river." for n in range(9))
    path.write_text(f"name,area,text\n{rows}\n", encoding="utf-8")
    return path


@pytest.fixture
def nested(tmp_path):
    path = tmp_path / "nested.jsonl"
    row = {"instruction": "Say it.", "instances": [{"input": "", "output": "It."}]}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def test_that_a_template_builds_a_turn_out_of_several_columns(table):
    columns = ("question=Describe {name} in {area}.", "answer=text")
    answer = preview(table, "question-answer", columns)
    assert answer.rows[0].chat.question() == "Describe Lamp 0 in riverside."
    assert answer.refusal is None


def test_that_columns_and_what_lies_within_them_can_be_chosen(nested):
    answer = preview(nested, "", ())
    assert {"instances", "instances[0]", "instances[0].output"} <= set(answer.places)
    columns = ("question=instruction", "answer=instances[0].output")
    read = preview(nested, "question-answer", columns)
    assert read.rows[0].chat.answer() == "It."


def test_that_a_row_that_can_t_be_read_so_says_why(table):
    columns = ("question=nowhere", "answer=text")
    row = preview(table, "question-answer", columns).rows[0]
    assert row.chat is None
    assert "nowhere" in row.fault


def test_that_a_missing_part_is_refused_in_words_and_still_can_be_filled(table):
    answer = preview(table, "alpaca", ())
    assert "no column is assigned to instruction" in answer.refusal.what
    assert answer.parts[0].name == "instruction"
    assert answer.places == ("name", "area", "text")


def test_that_the_first_row_is_shown_as_it_is(table):
    assert preview(table, "", ()).first[0] == ("name", "Lamp 0")


def test_that_what_is_nested_in_the_first_row_is_shown_as_in_the_file(tmp_path):
    turns = '[{"role": "user", "content": "Where is Łódź?"}]'
    file = tmp_path / "c.jsonl"
    file.write_text(f'{{"messages": {turns}, "id": null}}\n', encoding="utf-8")
    assert preview(file, "", ()).first == (("messages", turns), ("id", "null"))


def test_that_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(StudioError):
        preview(tmp_path / "nowhere.csv", "", ())


def test_that_only_the_newest_order_is_told(qtbot, table, nested):
    previewer, told = MappingPreviewer(), []
    previewer.preview_ready.connect(told.append)
    previewer.ask(str(table), "", ())
    previewer.ask(str(nested), "", ())
    qtbot.waitUntil(lambda: bool(told))
    previewer.close()
    assert [answer.places[0] for answer in told] == ["instruction"]


def test_that_a_failed_order_is_told_in_words(qtbot, tmp_path):
    previewer = MappingPreviewer()
    with qtbot.waitSignal(previewer.preview_failed) as told:
        previewer.ask(str(tmp_path / "nowhere.csv"), "", ())
    previewer.close()
    assert told.args[0].code == "data.missing"
