"""A file that is only measured with, from the recipe to the rows of a run."""

import json

import pytest

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.domain.recipe import Recipe
from studio.engine.data_preparation import prepare_data
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.data_events import DataInspected
from studio.protocol.events import Warned
from studio.services.inspections import InspectionOrder
from studio.services.preflight import preflight
from studio.storage.data_sets import digest_of_data, read_data, read_indexed
from studio.storage.recipes import load_recipe, save_recipe
from tests.engine.helpers import Heard, carry_out, of_kind, recipe_for


def pairs(start, count):
    return [
        {"question": f"{start} {n}?", "answer": f"Answer {n}."} for n in range(count)
    ]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def main_file(tmp_path):
    return written(tmp_path / "main.jsonl", pairs("Main", 20))


@pytest.fixture
def held(tmp_path):
    both = [{"question": "main  4?", "answer": "answer 4."}]
    return written(tmp_path / "held.jsonl", [*pairs("Held", 6), *both])


@pytest.fixture
def recipe(main_file, held):
    return recipe_for("m", main_file, data__held_out_file=str(held), data__prompts=())


def prepared(tiny_model, recipe):
    heard = Heard()
    tokenizer = load_tokenizer(tiny_model)
    data = prepare_data(heard.session, recipe, tokenizer)
    told = [event.finding for event in of_kind(heard.events(), Warned)]
    return data, [tokenizer.decode(row.input_ids) for row in data.held_out], told


def test_that_all_rows_are_trained_on_and_the_file_is_measured_with(tiny_model, recipe):
    data, measured, told = prepared(tiny_model, recipe)
    assert len(data.training) == 20
    assert len(measured) == 7
    assert sum("Held" in text for text in measured) == 6
    assert data.prompts == ("Held 0?", "Held 1?", "Held 2?")
    [overlap] = [finding for finding in told if finding.code == "data.overlap"]
    assert overlap.what.startswith("1 row (5) stands in held.jsonl")
    assert overlap.where == "data.held_out_file"


def test_that_a_run_may_measure_with_a_file_and_no_share(recipe):
    measuring = recipe.with_values({"data.held_out": 0.0, "train.eval_steps": 2})
    assert measuring.contradictions() == []
    alone = measuring.with_value("data.held_out_file", "")
    assert [f.where for f in alone.contradictions()] == ["train.eval_steps"]


def test_that_a_check_before_the_start_tells_of_rows_in_both(recipe):
    found = preflight(recipe, _no_model(), None, None, read_data(recipe.data))
    [overlap] = [finding for finding in found if finding.code == "data.overlap"]
    assert overlap.severity is Severity.WARNING


def test_that_an_inspection_tells_of_rows_in_both(recipe, tmp_path, held):
    file = tmp_path / "recipe.toml"
    save_recipe(file, recipe)
    _, events = carry_out("inspect-data", data=file, model="")
    told = events[-1]
    assert isinstance(told, DataInspected)
    [overlap] = [each for each in told.findings if each.code == "data.overlap"]
    assert (overlap.rows, overlap.mends) == ([5], False)
    order = InspectionOrder(recipe)
    indexed = read_indexed(recipe.data, order.known())
    assert "data.overlap" in [finding.code for finding in indexed.findings]
    assert len(indexed.held_out_file.chats) == 7
    written(held, pairs("Held", 9))
    assert order.known() is None


def test_that_a_file_that_is_missing_is_told_by_its_place(recipe, held, tmp_path):
    held.unlink()
    with pytest.raises(StudioError, match=r"held\.jsonl, held out: There is no such"):
        read_data(recipe.data)
    save_recipe(tmp_path / "recipe.toml", recipe)
    _, events = carry_out("inspect-data", data=tmp_path / "recipe.toml", model="")
    assert "data.missing" in [each.code for each in events[-1].findings]


def test_that_the_fingerprint_of_the_data_covers_the_file(recipe, held):
    before = digest_of_data(recipe.data)
    assert before != digest_of_data(
        Recipe().with_value("data.path", recipe.data.path).data
    )
    written(held, pairs("Held", 9))
    assert digest_of_data(recipe.data) != before


def test_that_the_file_is_sought_beside_the_recipe(main_file, held, tmp_path):
    named = {"data.path": main_file.name, "data.held_out_file": held.name}
    save_recipe(tmp_path / "recipe.toml", Recipe().with_values(named))
    assert load_recipe(tmp_path / "recipe.toml").data.held_out_file == str(held)


def _no_model():
    from studio.domain.finding import error

    return error("model.unknown", "There is none.")
