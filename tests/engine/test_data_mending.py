"""The verb fix-data, and `snugtune data fix` with a model."""

import json

import pytest

from studio.cli import main
from studio.domain.errors import ExitCode
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import RowMaker
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.data_events import DataFixed, DataInspected
from studio.protocol.events import RunFailed
from studio.storage.chat_files import read_chats
from studio.storage.recipes import save_recipe
from tests.engine import tiny
from tests.engine.helpers import carry_out

LENGTH = 60
REFUSING = (
    "{% for message in messages %}{% if 'three' in message['content'] %}"
    "{{ raise_exception('No threes') }}{% endif %}{% endfor %}"
)


@pytest.fixture
def order(tmp_path):
    """What the verb is told; rows of several lengths, of which one repeats."""
    rows = tiny.chats(12)
    for number in (3, 7):
        rows[number]["messages"][0]["content"] += " Say it in many more words." * 9
    rows.append(rows[0])
    file = tiny.write_chats(tmp_path / "chats.jsonl", rows)
    recipe = Recipe().with_value("data.path", str(file))
    recipe = recipe.with_value("train.sequence_length", LENGTH)
    save_recipe(tmp_path / "recipe.toml", recipe)
    return {
        "data": tmp_path / "recipe.toml",
        "out": tmp_path / "new.jsonl",
        "against": None,
        "overwrite": False,
    }


def lengths(file, model):
    rows = RowMaker(load_tokenizer(model)).rows(read_chats(file).chats)
    return [len(row.ids) for row in rows]


def test_that_rows_too_long_for_a_model_are_left_out(tiny_model, order, tmp_path):
    before = lengths(tmp_path / "chats.jsonl", tiny_model)
    codes = "data.too-long,data.duplicate"
    code, events = carry_out("fix-data", model=str(tiny_model), codes=codes, **order)
    assert code is ExitCode.OK
    told = events[-1]
    assert isinstance(told, DataFixed)
    longer = sum(length > LENGTH for length in before)
    assert 0 < longer < 12
    assert told.dropped["data.too-long"] == longer
    assert told.rows == 13
    assert told.kept == len(lengths(order["out"], tiny_model))
    assert max(lengths(order["out"], tiny_model)) <= LENGTH


def test_that_rows_a_template_refuses_are_found_and_left_out(order, tmp_path):
    model = tiny.make_model(tmp_path / "refusing")
    config = model / "tokenizer_config.json"
    template = REFUSING + tiny.CHATML
    (model / "chat_template.jinja").unlink(missing_ok=True)
    known = json.loads(config.read_text()) | {"chat_template": template}
    config.write_text(json.dumps(known))
    rows = tiny.chats(6)
    rows[2]["messages"][0]["content"] = "Is it three?"
    file = tiny.write_chats(tmp_path / "three.jsonl", rows)
    _, events = carry_out("inspect-data", data=file, model=str(model))
    assert isinstance(events[-1], DataInspected)
    found = {each.code: each for each in events[-1].findings}["data.not-rendered"]
    assert (found.rows, found.mends) == ([3], True)
    order["data"] = file
    _, events = carry_out(
        "fix-data", model=str(model), codes="data.not-rendered", **order
    )
    assert isinstance(events[-1], DataFixed)
    assert events[-1].dropped == {"data.not-rendered": 1}
    assert len(read_chats(order["out"]).chats) == 5


def test_that_a_refusal_is_the_last_word(tiny_model, order):
    order["out"].write_text("mine")
    code, events = carry_out(
        "fix-data", model=str(tiny_model), codes="data.too-long", **order
    )
    assert code is ExitCode.BAD_INPUT
    assert isinstance(events[-1], RunFailed)
    assert events[-1].kind == "data.fix-exists"
    assert order["out"].read_text() == "mine"


def test_that_the_command_counts_by_the_model(tiny_model, order, tmp_path, capsys):
    file = tmp_path / "chats.jsonl"
    told = ["data", "fix", str(file), "--codes", "data.too-long", "--json"]
    told += ["--set", f"train.sequence_length={LENGTH}", "-o", str(order["out"])]
    assert main(told) == ExitCode.BAD_INPUT
    assert "depends on a model" in capsys.readouterr().err
    assert main([*told, "--model", str(tiny_model)]) == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    before = lengths(file, tiny_model)
    assert change == {
        "code": "data.too-long",
        "changed": 0,
        "dropped": sum(length > LENGTH for length in before),
    }


def test_that_a_second_file_is_compared_when_data_is_inspected(tmp_path, capsys):
    file = tiny.write_chats(tmp_path / "chats.jsonl", tiny.chats(12))
    held = tiny.write_chats(tmp_path / "held.jsonl", tiny.chats(12)[4:6])
    assert main(["data", "inspect", str(file), "--against", str(held), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    (overlap,) = [each for each in found if each["code"] == "data.overlap"]
    assert overlap["rows"] == [5, 6]
