"""What of groups and further files reaches the rows of a run."""

import json

import pytest

from studio.domain.errors import StudioError
from studio.engine.data_preparation import prepare_data
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import Warned
from studio.storage.data_sets import read_data
from tests.engine.helpers import Heard, of_kind, recipe_for


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model)


def prepared(tokenizer, recipe):
    heard = Heard()
    try:
        data = prepare_data(heard.session, recipe, tokenizer)
    finally:
        events = heard.events()
    return data, [event.finding for event in of_kind(events, Warned)]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def main_file(tmp_path):
    rows = [{"question": f"Main {n}?", "answer": "Brie."} for n in range(20)]
    return written(tmp_path / "main.jsonl", rows)


@pytest.fixture
def general(tmp_path):
    rows = [{"prompt": f"General {n}?", "completion": "Feta."} for n in range(50)]
    return written(tmp_path / "general.jsonl", rows)


def texts(tokenizer, rows):
    return [tokenizer.decode(row.input_ids) for row in rows]


def test_that_the_trained_rows_are_those_that_were_counted(
    tokenizer, main_file, general
):
    recipe = recipe_for("m", main_file, data__mix=(f"{general}=0.25",))
    data, told = prepared(tokenizer, recipe)
    trained, held = texts(tokenizer, data.training), texts(tokenizer, data.held_out)
    assert len(trained) == read_data(recipe.data).training_rows(0.1, recipe.train.seed)
    assert sum("General" in text for text in trained) == 6
    assert not any("General" in text for text in held)
    assert len(set(trained)) == len(trained)
    assert [finding.code for finding in told] == ["data.mixed"]
    again, _ = prepared(tokenizer, recipe)
    assert texts(tokenizer, again.training) == trained


def test_that_the_data_file_s_rows_and_prompts_stay_as_without_a_mix(
    tokenizer, main_file, general
):
    alone, _ = prepared(tokenizer, recipe_for("m", main_file, data__prompts=()))
    recipe = recipe_for(
        "m", main_file, data__prompts=(), data__mix=(f"{general}=0.25",)
    )
    mixed, _ = prepared(tokenizer, recipe)
    assert texts(tokenizer, mixed.training)[: len(alone.training)] == texts(
        tokenizer, alone.training
    )
    assert texts(tokenizer, mixed.held_out) == texts(tokenizer, alone.held_out)
    assert mixed.prompts == alone.prompts


def test_that_a_small_file_s_rows_come_again(tokenizer, main_file, tmp_path):
    few = written(
        tmp_path / "few.jsonl",
        [{"prompt": f"General {n}?", "completion": "Feta."} for n in range(4)],
    )
    recipe = recipe_for("m", main_file, data__mix=(f"{few}=0.5",))
    data, told = prepared(tokenizer, recipe)
    mixed = [text for text in texts(tokenizer, data.training) if "General" in text]
    assert sorted(mixed.count(text) for text in set(mixed)) == [4, 4, 5, 5]
    assert [finding.code for finding in told] == ["data.mix-repeats"]


def test_that_rows_of_a_further_file_that_are_cut_are_told_by_its_name(
    tokenizer, main_file, tmp_path
):
    long = written(
        tmp_path / "long.jsonl",
        [{"prompt": "Well? " * 200, "completion": "Feta."} for _ in range(4)],
    )
    recipe = recipe_for("m", main_file, data__mix=(f"{long}=0.1",))
    _, told = prepared(tokenizer, recipe)
    (left_out,) = [f for f in told if f.code == "data.row-left-out"]
    assert left_out.where.startswith("long.jsonl, line ")


def test_that_a_further_file_that_is_missing_ends_the_run_in_words(
    tokenizer, main_file, tmp_path
):
    recipe = recipe_for("m", main_file, data__mix=(f"{tmp_path}/none.jsonl=0.1",))
    with pytest.raises(StudioError, match=r"none\.jsonl, mixed in"):
        prepared(tokenizer, recipe)


def test_that_rows_of_one_group_are_held_back_together(tokenizer, tmp_path):
    rows = [
        {"question": f"By {n % 5} of {n}?", "answer": "Brie.", "author": n % 5}
        for n in range(20)
    ]
    file = written(tmp_path / "authors.jsonl", rows)
    recipe = recipe_for("m", file, data__group="author", data__held_out=0.2)
    data, _ = prepared(tokenizer, recipe)
    authors = [
        {text.split("By ")[1][0] for text in texts(tokenizer, rows)}
        for rows in (data.training, data.held_out)
    ]
    assert len(data.held_out) == 4
    assert not authors[0] & authors[1]
