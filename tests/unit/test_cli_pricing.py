import json
import re
from dataclasses import replace

import pytest

from studio.cli import explaining, pricing
from studio.domain.errors import StudioError
from studio.domain.expert_findings import DROPOUT_ON_EXPERTS
from studio.domain.hardware import GIB, MIB
from studio.domain.memory.estimate import Basis, Level
from studio.domain.recipe import Recipe
from studio.protocol.codec import (
    decode_event,
    encode,
    heard_estimate,
    told_estimate,
)

CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return Recipe().with_value("model.name", str(tmp_path))


def test_that_a_folder_with_nothing_but_a_config_is_priced(recipe):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    assert priced.device.total_bytes == 24 * GIB
    assert 4 * GIB < priced.estimate.peak_bytes < 12 * GIB


def test_that_the_document_holds_what_programs_were_promised(recipe):
    document = pricing.document(pricing.estimate(recipe, "24 GiB", Basis.FORMULA))
    assert document["basis"] == "formula"
    assert set(document["peak_bytes"]) == {"allocated", "reserved", "device"}
    for level, (low, high) in document["range_bytes"].items():
        assert low < document["peak_bytes"][level] < high
    parts = document["components"]
    assert all(set(part) == {"name", "bytes", "phase"} for part in parts)
    assert sum(part["bytes"] for part in parts) == document["peak_bytes"]["device"]
    assert document["seconds"] > 0
    assert json.dumps(document)


def test_that_an_explanation_names_parts_and_savings(recipe, capsys):
    changed = recipe.with_value("train.checkpointing", False)
    priced = pricing.estimate(changed, "24", Basis.FORMULA, explain=True)
    pricing.say(priced)
    explaining.explain(priced)
    said = capsys.readouterr().out
    assert "Base weights, quantised" in said
    assert re.search(r"Recompute .* saves .* train.checkpointing=true", said)
    assert re.search(r"16-bit weights .* costs .* model.precision=bf16", said)
    assert "On a card of 24.00 GiB" in said


def test_that_an_explanation_shows_no_zero_of_what_is_small(tmp_path, capsys):
    small = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 256}
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | small))
    recipe = Recipe().with_value("model.name", str(tmp_path))
    priced = pricing.estimate(recipe, "24", Basis.FORMULA, explain=True)
    pricing.say(priced)
    explaining.explain(priced)
    said = capsys.readouterr().out
    assert re.search(r"Checkpointed activations  forward +[\d.]+ MiB", said)
    assert re.search(r"load +[\d.]+ MiB", said)
    assert not re.search(r"\b0\.00 [GM]iB", said)


def test_that_switches_without_an_effect_are_told_in_a_line(recipe, capsys):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    explaining.explain(replace(priced, savings=()))
    said = capsys.readouterr().out
    told = "No switch that can be priced saves or costs as much as 0.01 GiB."
    assert said.splitlines()[-1] == told
    assert "Effect, by formula" not in said
    explaining.explain(priced)
    assert "No switch" not in capsys.readouterr().out


def test_that_what_is_missing_by_little_is_told_in_mib(recipe, capsys):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    estimate = replace(priced.estimate, runs_out=True)
    short = replace(priced.device, free_bytes=estimate.peak_bytes - 3 * MIB)
    pricing.say(replace(priced, estimate=estimate, device=short))
    said = " ".join(capsys.readouterr().out.split())
    assert "it does not fit: 3.00 MiB are missing." in said


def test_that_switches_stand_by_saving_and_are_the_differences(recipe):
    priced = pricing.estimate(recipe, "T4", Basis.FORMULA, explain=True)
    saved = [saving.saves_bytes for saving in priced.savings]
    assert saved == sorted(saved, reverse=True)
    for saving in priced.savings:
        alone = pricing.estimate(saving.switch.recipe, "T4", Basis.FORMULA)
        now, then = priced.estimate.peak_bytes, alone.estimate.peak_bytes
        assert saving.saves_bytes == now - then != 0
    told = pricing.document(priced)["switches"]
    assert [switch["saves_bytes"] for switch in told] == saved
    assert json.dumps(told)


def test_that_a_formula_has_no_step_to_draw(recipe, tmp_path):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    with pytest.raises(StudioError, match="Only a dry run"):
        explaining.draw(priced, tmp_path / "step.svg")
    assert not (tmp_path / "step.svg").exists()


def test_that_an_estimate_survives_the_wire(recipe):
    estimate = pricing.estimate(recipe, "24", Basis.FORMULA).estimate
    heard = heard_estimate(decode_event(encode(told_estimate(estimate))))
    assert heard.components == estimate.components
    assert heard.peak(Level.DEVICE) == estimate.peak(Level.DEVICE)
    assert heard.basis is estimate.basis


def test_that_what_fits_on_less_than_its_peak_says_how(recipe, capsys):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    peak, least = priced.estimate.peak_bytes, priced.estimate.least_bytes
    between = replace(priced.device, free_bytes=(peak + least) // 2)
    pricing.say(replace(priced, device=between))
    said = " ".join(capsys.readouterr().out.split())
    assert "it fits tightly, once torch has given blocks back" in said
    pricing.say(replace(priced, device=replace(between, free_bytes=peak)))
    assert "given blocks back" not in capsys.readouterr().out


def test_that_what_does_not_fit_says_what_is_missing(recipe, capsys):
    priced = pricing.estimate(recipe, "24", Basis.FORMULA)
    short = replace(priced.device, free_bytes=priced.estimate.peak_bytes - 2 * GIB)
    pricing.say(replace(priced, device=short))
    said = " ".join(capsys.readouterr().out.split())
    assert "it does not fit: 2.00 GiB are missing." in said


@pytest.mark.parametrize(
    ("gpu", "basis", "words"),
    [
        ("RTX 9090", Basis.FORMULA, "Did you mean RTX 5090"),
        ("A100", Basis.FORMULA, "A100 40GB, A100 80GB"),
        ("-3", Basis.FORMULA, "such as --gpu 24"),
        ("24", Basis.MEASURED, "Nothing was measured for this recipe"),
    ],
)
def test_that_what_cannot_be_priced_is_refused_in_a_sentence(recipe, gpu, basis, words):
    with pytest.raises(StudioError) as refused:
        pricing.estimate(recipe, gpu, basis)
    assert words in refused.value.finding.sentence()


def test_that_a_model_without_a_config_is_named(tmp_path):
    recipe = Recipe().with_value("model.name", "nobody/nothing")
    with pytest.raises(StudioError) as refused:
        pricing.estimate(recipe, "24", Basis.FORMULA)
    assert "before it is on this machine" in refused.value.finding.sentence()


def test_that_dropout_on_experts_is_refused_in_the_words_of_the_check(tmp_path):
    experts = {"num_local_experts": 8, "num_experts_per_tok": 2}
    config = CONFIG | experts | {"model_type": "mixtral"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    recipe = Recipe().with_value("model.name", str(tmp_path))
    assert pricing.estimate(recipe, "80", Basis.FORMULA).estimate.peak_bytes > 0
    with pytest.raises(StudioError) as refused:
        pricing.estimate(recipe.with_value("lora.dropout", 0.1), "80", Basis.FORMULA)
    assert refused.value.finding == DROPOUT_ON_EXPERTS
