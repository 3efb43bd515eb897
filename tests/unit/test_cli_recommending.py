"""`snugtune recommend`: what it answers, writes and refuses."""

import json

import pytest

from studio.cli import recommending
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB
from studio.domain.recommend.policy import Goal
from studio.storage.recipes import load_recipe
from tests.bench.formula_grid import ARCHITECTURES


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(ARCHITECTURES["qwen2.5-7b"]))
    return str(tmp_path)


@pytest.fixture
def data(tmp_path):
    rows = [{"question": "a" * 60 * n, "answer": "b" * 30 * n} for n in range(1, 41)]
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_that_a_recommendation_holds_what_programs_were_promised(model, data):
    found = recommending.find(model, data, "RTX 4090", Goal.QUALITY, None)
    document = recommending.document(found)
    assert document["fits"] is True
    assert document["recipe"]["train"]["sequence_length"] >= 40 * 90 / 3
    assert document["recipe"]["data"]["path"] == str(data)
    peak = document["peak"]
    assert sum(part["bytes"] for part in peak["components"]) == peak["bytes"]["device"]
    assert peak["bytes"]["device"] <= document["budget_bytes"]
    assert document["alternatives"] == []
    for reason in document["reasons"]:
        group, _, name = reason["option"].partition(".")
        assert document["recipe"][group][name] == reason["value"]
        assert reason["why"]
    low, high = document["time"]["step_seconds"]
    assert 0 < low < high
    assert document["time"]["steps"] > 0
    assert json.dumps(document)


def test_that_a_model_that_is_too_large_gets_no_recipe_but_ways_out(model):
    found = recommending.find(model, None, "4", Goal.QUALITY, None)
    document = recommending.document(found)
    assert document["fits"] is False
    assert document["recipe"] is None
    assert document["missing_bytes"] > GIB // 2
    assert {"card", "model"} <= {each["kind"] for each in document["alternatives"]}


def test_that_a_given_option_stays(model):
    given = ["lora.rank=64", "train.checkpointing=false"]
    found = recommending.find(model, None, "RTX 4090", Goal.SPEED, given)
    assert found.proposal.recipe.lora.rank == 64
    assert not found.proposal.recipe.train.checkpointing
    whys = {each.key: each.why for each in found.proposal.reasons}
    assert whys["lora.rank"] == "It was given and stays."


@pytest.fixture
def ten_billion(tmp_path):
    config = dict(ARCHITECTURES["llama-3.1-8b"], num_hidden_layers=42)
    (tmp_path / "config.json").write_text(json.dumps(config))
    return str(tmp_path)


def test_that_training_every_weight_of_ten_billion_is_answered_with_what_it_takes(
    ten_billion, capsys
):
    given = ["compat.full_training=true"]
    found = recommending.find(ten_billion, None, "RTX 4090", Goal.QUALITY, given)
    document = recommending.document(found)
    assert document["fits"] is False
    # 16-bit weights and gradients, and two states of 8 bits, less the card.
    assert document["missing_bytes"] > 10e9 * 6 - 24 * GIB
    first, *others = document["alternatives"]
    assert (first["kind"], first["name"]) == ("unlock", "compat.full_training")
    assert "compat" not in first["recipe"]
    cards = {each["name"]: each for each in others if each["kind"] == "card"}
    assert cards["A100 80GB"]["usd_an_hour"] > 0
    recommending.say(found)
    told = capsys.readouterr()
    assert "Nothing fits RTX 4090" in told.out
    assert "An adapter in place of every weight" in told.out
    assert "A100 80GB: " in told.out
    assert "Training ignores compat.full_training" in told.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["train.eval_steps=20", "data.held_out=0"], "train.eval_steps measures on"),
        (["compat.full_training=1", "model.precision=nf4"], "can't hold together"),
        (["model.attention=flash"], "FlashAttention does not run on T4"),
        (["lora.targets=wings"], "no linear layer called “wings”"),
        (["lora.variant=dora"], "No formula prices DoRA"),
        (["lora.variant=adalora"], "No formula prices AdaLoRA"),
    ],
)
def test_that_given_options_which_could_not_be_trained_are_refused(model, given, words):
    with pytest.raises(StudioError, match=words):
        recommending.find(model, None, "T4", Goal.QUALITY, given)


def test_that_a_recipe_is_written_once(model, tmp_path):
    found = recommending.find(model, None, "RTX 4090", Goal.QUALITY, None)
    file = tmp_path / "recipe.toml"
    recommending.save(found, file)
    assert load_recipe(file) == found.proposal.recipe
    with pytest.raises(StudioError, match="left alone"):
        recommending.save(found, file)


def test_that_nothing_is_written_when_nothing_fits(model, tmp_path):
    found = recommending.find(model, None, "4", Goal.QUALITY, None)
    with pytest.raises(StudioError, match="No recipe fits"):
        recommending.save(found, tmp_path / "recipe.toml")
    assert not (tmp_path / "recipe.toml").exists()


def test_that_a_person_reads_verdict_reasons_time_and_ways_out(model, data, capsys):
    recommending.say(recommending.find(model, data, "RTX 4090", Goal.SPEED, None))
    said = capsys.readouterr().out
    assert said.startswith("Fits: ")
    assert "The run: " in said
    assert "not measured" in said
    recommending.say(recommending.find(model, data, "4", Goal.QUALITY, None))
    said = capsys.readouterr().out
    assert "Nothing fits" in said
    assert "What would fit:" in said
    assert all(len(line) <= 100 for line in said.splitlines())


@pytest.mark.parametrize(
    ("gpu", "vram", "words"),
    [
        ("4090", 8.0, "Give one of the two"),
        ("", -3.0, "above 0"),
        ("", 0.0, "above 0"),
        ("", float("nan"), "above 0"),
        ("", float("inf"), "above 0"),
    ],
)
def test_that_a_memory_no_card_has_and_two_cards_are_refused(gpu, vram, words):
    with pytest.raises(StudioError, match=words) as refused:
        recommending.card_of(gpu, vram)
    assert refused.value.finding.where == "--vram"


def test_that_a_card_is_meant_by_its_name_or_its_memory():
    assert recommending.card_of("RTX 4090", None) == "RTX 4090"
    assert recommending.card_of("", 23.5) == "23.5 GiB"
