"""What of a recipe doesn't suit its model and its data."""

import json
from pathlib import Path

import pytest

from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.finding import Severity
from studio.domain.recipe import Recipe
from studio.services.fitness_findings import fitness_findings
from studio.storage.models import ModelPlace, ModelState
from tests.bench.formula_grid import config_of

CONFIG = config_of("llama-3.1-8b") | {"max_position_embeddings": 4096}


def place(folder=None, config=CONFIG):
    return ModelPlace(
        name="m", title="M", state=ModelState.READY, folder=folder, config=config
    )


def chats(*characters: int) -> ChatFile:
    rows = (
        Chat((Turn("user", "?"), Turn("assistant", "x" * (n - 1))), line)
        for line, n in enumerate(characters, 1)
    )
    return ChatFile("chats.jsonl", tuple(rows), (), 1, "Chats")


def found(recipe=None, model=None, data=None):
    recipe = recipe or Recipe()
    return {
        each.code: each for each in fitness_findings(recipe, model or place(), data)
    }


def test_that_all_weights_bear_a_tenth_of_an_adapters_rate():
    recipe = Recipe().with_value("train.learning_rate", 1e-3)
    assert "recipe.rate-high" not in found(recipe)
    whole = recipe.with_value("train.weights", "all")
    assert "recipe.rate-high" in found(whole)
    assert "recipe.rate-low" not in found(whole.with_value("train.learning_rate", 2e-6))


def with_values(**values: object) -> Recipe:
    made = Recipe()
    for key, value in values.items():
        made = made.with_value(f"train.{key}", value)
    return made


def test_that_a_usual_recipe_gives_no_doubt():
    assert found(data=chats(*[300] * 40)) == {}


def test_that_rows_beyond_the_models_context_are_doubted_with_the_limit():
    finding = found(with_values(sequence_length=8192))["recipe.length-beyond-context"]
    assert "4,096" in finding.why
    assert finding.where == "train.sequence_length"
    assert found(with_values(sequence_length=4096)) == {}


def test_that_packing_which_puts_no_rows_together_is_told():
    recipe = with_values(packing=True)
    told = found(recipe, data=chats(*[2000] * 40))["data.packs-nothing"]
    assert told.severity is Severity.WARNING
    assert told.where == "train.packing"
    assert found(with_values(packing=False), data=chats(*[2000] * 40)) == {}


def test_that_a_step_of_very_many_packed_rows_is_told_with_what_would_do():
    data = chats(*[600] * 400)  # 200 tokens, five of which fill 1,024
    told = found(with_values(packing=True, accumulation=16), data=data)
    finding = told["recipe.packed-batch"]
    assert "about 80 rows" in finding.what
    assert finding.how_to_fix == "Set train.accumulation to 3."
    assert found(with_values(packing=True, accumulation=3), data=data) == {}


def test_that_packed_rows_count_when_a_step_takes_more_than_there_are():
    data = chats(*[600] * 40)
    told = found(with_values(packing=True, accumulation=10), data=data)
    assert "A step takes 50 rows" in told["data.less-than-a-batch"].what


@pytest.mark.parametrize(
    ("rate", "code"),
    [(1e-2, "recipe.rate-high"), (1e-6, "recipe.rate-low")],
)
def test_that_a_rate_out_of_range_is_doubted(rate, code):
    assert set(found(with_values(learning_rate=rate))) == {code}


def test_that_a_rate_is_doubted_by_what_a_faster_b_bears():
    recipe = with_values(learning_rate=2e-3)
    assert found(recipe) == {}
    told = found(recipe.with_value("lora.plus_ratio", 16.0))["recipe.rate-high"]
    assert "B matrices learn at 0.032" in told.why
    assert (
        found(with_values(learning_rate=1e-4).with_value("lora.plus_ratio", 16.0)) == {}
    )


def test_that_the_examples_high_rate_suits_its_small_model():
    small = place(config=CONFIG | {"hidden_size": 576})
    assert found(with_values(learning_rate=2e-3), small) == {}


def test_that_rows_that_would_be_cut_are_counted():
    data = chats(*[300] * 40, 6000, 9000)
    finding = found(with_values(sequence_length=1024), data=data)["data.rows-cut"]
    assert finding.what.startswith("2 rows are longer than 1,024 tokens")
    assert "3000" in finding.how_to_fix
    assert found(with_values(sequence_length=3000), data=data) == {}


def test_that_fewer_rows_than_a_step_takes_are_doubted():
    assert set(found(data=chats(*[300] * 10))) == {"data.less-than-a-batch"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"chat_template": "{{ x }}", "eos_token": "</s>"}, {}),
        ({"eos_token": "</s>"}, {"model.no-chat-template": Severity.ERROR}),
        ({"chat_template": "{{ x }}"}, {"model.no-end": Severity.WARNING}),
    ],
)
def test_that_a_tokenizer_without_template_or_end_is_told(tmp_path, config, expected):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    codes = {c: f.severity for c, f in found(model=place(tmp_path)).items()}
    assert codes == expected


def test_that_a_template_in_a_file_of_its_own_counts(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    (tmp_path / "chat_template.jinja").write_text("{{ x }}")
    assert found(model=place(tmp_path)) == {}


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, "\udcff"])
def test_that_a_broken_tokenizer_config_is_left_to_the_engine(tmp_path, text):
    file = tmp_path / "tokenizer_config.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert found(model=place(tmp_path)) == {}


def test_that_a_tokenizer_config_is_read_again_only_when_it_changes(
    tmp_path, monkeypatch
):
    file = tmp_path / "tokenizer_config.json"
    file.write_text('{"eos_token": "</s>"}')
    assert "model.no-chat-template" in found(model=place(tmp_path))
    with monkeypatch.context() as closed:
        closed.setattr(Path, "read_text", lambda *_, **__: pytest.fail("read again"))
        assert "model.no-chat-template" in found(model=place(tmp_path))
    file.write_text('{"eos_token": "</s>", "chat_template": "{{ x }}"}')
    assert found(model=place(tmp_path)) == {}


@pytest.mark.parametrize(("rows", "is_short"), [(20, True), (400, False)])
def test_that_passes_too_few_to_spread_a_rank_are_refused_beforehand(rows, is_short):
    recipe = Recipe().with_value("lora.variant", "adalora")
    findings = found(recipe, data=chats(*[300] * rows))
    assert ("recipe.adalora-too-short" in findings) == is_short
    if is_short:
        assert findings["recipe.adalora-too-short"].severity is Severity.ERROR
    plain = found(data=chats(*[300] * rows))
    assert "recipe.adalora-too-short" not in plain
