"""Adapters that can't become one are refused by name, and nothing is left behind."""

import json
import os
import shutil
from argparse import Namespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.combining import Way
from studio.domain.errors import ExitCode
from studio.engine.tokenizer_loading import load_tokenizer
from tests.bench.killed_merges import carried_out, contents
from tests.engine import tiny
from tests.engine.adapters import run_with_adapter, write_adapter
from tests.engine.helpers import new_run, recipe_for
from tests.engine.test_combining import combine, combined


@pytest.fixture(scope="module")
def one(tiny_qwen, tmp_path_factory):
    """A run with an adapter, which stays as it is."""
    return run_with_adapter(tmp_path_factory.mktemp("runs"), tiny_qwen, 1).path


@pytest.fixture
def other(tiny_qwen, tmp_path):
    """Writes another adapter, by peft's options."""

    def write(**options):
        return write_adapter(tmp_path / "other", tiny_qwen, 2, **options)

    return write


def refused(one, other, folder, **options):
    """What the refusal says; nothing may be left."""
    code, events = combine(folder / "out" / "both", one, other, **options)
    assert code is ExitCode.BAD_INPUT, events[-1]
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())
    return events[-1]


def changed_config(folder, **values):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ({"use_dora": True}, "combine.dora"),
        ({"told": {"lora_bias": True}}, "combine.kind"),
        ({"modules_to_save": ["lm_head"]}, "combine.beside"),
        ({"trainable_token_indices": [3]}, "combine.kind"),
        ({"target_modules": ["embed_tokens"]}, "combine.beside"),
        ({"told": {"init_lora_weights": "pissa"}}, "combine.other-base"),
        ({"told": {"init_lora_weights": "pissa_niter_4"}}, "combine.other-base"),
        ({"told": {"base_model_name_or_path": "acme/else"}}, "combine.bases"),
    ],
)
def test_that_a_kind_that_adds_up_to_nothing_is_refused(
    kind, code, one, other, tmp_path
):
    said = refused(one, other(**kind), tmp_path)
    assert said.kind == code
    assert said.advice


@pytest.mark.parametrize("how", [way.value for way in Way if way.needs_one_rank])
def test_that_ranks_that_differ_are_refused_where_they_must_agree(
    how, one, other, tmp_path
):
    said = refused(one, other(r=6), tmp_path, how=how)
    assert said.kind == "combine.ranks"
    assert "cat" in said.advice


def test_that_ranks_count_layer_by_layer(one, other, tmp_path):
    named = other(r=2, rank_pattern={".*": 4}, alpha_pattern={".*": 8})
    assert combined(tmp_path / "both", one, named, how="linear").rank == 4


def test_that_commits_of_the_base_must_agree_if_both_are_told(
    one, other, tiny_qwen, tmp_path
):
    folder = other()
    changed_config(folder, revision="a" * 40)
    third = write_adapter(tmp_path / "third", tiny_qwen, 3)
    changed_config(third, revision="b" * 40)
    assert refused(folder, third, tmp_path).kind == "combine.bases"
    combined(tmp_path / "both", one, folder)
    told = (tmp_path / "both" / "adapter" / "adapter_config.json").read_text()
    assert json.loads(told)["revision"] == "a" * 40


def test_that_folders_of_one_name_may_be_different_bases(one, tiny_qwen, tmp_path):
    elsewhere = shutil.copytree(tiny_qwen, tmp_path / "else" / tiny_qwen.name)
    run = run_with_adapter(tmp_path / "runs", elsewhere, 2)
    assert refused(one, run.path, tmp_path).kind == "combine.bases"


def test_that_layers_of_other_sizes_are_of_another_base(one, tmp_path):
    wide = tiny.make_model(tmp_path / "tiny-qwen", "qwen", intermediate_size=96)
    folder = write_adapter(tmp_path / "other", wide, 2)
    said = refused(one, folder, tmp_path)
    assert said.kind == "combine.bases"
    assert "another size" in said.message


def test_that_one_adapter_named_twice_is_refused(one, tmp_path):
    assert refused(one, one / "adapter", tmp_path).kind == "combine.twice"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"template": tiny.CHATML + "."}, "combine.templates"),
        ({"special": ("<none>", "<|im_start|>", tiny.END)}, "combine.tokenizers"),
    ],
)
def test_that_other_words_are_refused(change, code, one, other, tmp_path):
    folder = other()
    tiny.make_tokenizer(**change).save_pretrained(folder)
    assert refused(one, folder, tmp_path).kind == code


def test_that_a_word_more_is_no_other_tokenizer(one, other, tmp_path):
    folder = other()
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<more>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert combined(tmp_path / "both", one, folder).rank == 8


def test_that_one_tokenizer_serves_all(other, one, tmp_path):
    folder = other()
    for file in folder.glob("*token*"):
        file.unlink()
    (folder / "chat_template.jinja").unlink()
    combined(tmp_path / "both", folder, one)
    kept = load_tokenizer(tmp_path / "both" / "adapter")
    assert kept.get_vocab() == load_tokenizer(one / "adapter").get_vocab()


def test_that_the_base_has_a_tokenizer_where_no_adapter_has(other, tiny_qwen, tmp_path):
    folders = [other(), write_adapter(tmp_path / "third", tiny_qwen, 3)]
    for folder in folders:
        for file in (*folder.glob("*token*"), folder / "chat_template.jinja"):
            file.unlink()
    assert refused(*folders, tmp_path).kind == "combine.no-tokenizer"
    combined(tmp_path / "both", *folders, base=str(tiny_qwen))
    assert load_tokenizer(tmp_path / "both" / "adapter").chat_template


def test_that_positions_must_be_at_one_scale(one, tiny_qwen, tmp_path):
    run = run_with_adapter(
        tmp_path / "runs", tiny_qwen, 2, recipe={"model__stretch": 2.0}
    )
    assert refused(one, run.path, tmp_path).kind == "combine.stretches"


def test_that_a_card_tells_the_scale_of_an_exported_adapter(
    one, other, tiny_qwen, tmp_path
):
    folder = other()
    with (folder / "README.md").open("a") as card:
        card.write("\nThe base's rotary positions were divided by 2: load it so.\n")
    assert refused(one, folder, tmp_path).kind == "combine.stretches"
    run = run_with_adapter(
        tmp_path / "runs", tiny_qwen, 3, recipe={"model__stretch": 2.0}
    )
    combined(tmp_path / "both", folder, run.path)
    card = (tmp_path / "both" / "adapter" / "README.md").read_text()
    assert "positions were divided by 2:" in card


@pytest.mark.parametrize("has_run", [True, False])
def test_that_what_makes_good_4_bits_is_refused(has_run, one, tiny_qwen, tmp_path):
    run = run_with_adapter(
        tmp_path / "runs", tiny_qwen, 2, recipe={"lora__variant": "loftq"}
    )
    place = run.path
    if not has_run:
        place = shutil.copytree(run.adapter_path, tmp_path / "exported")
        with (place / "README.md").open("a") as card:
            card.write("\nThe adapter makes good what NF4 loses: load it in NF4.\n")
    assert refused(one, place, tmp_path).kind == "combine.repairs-base"


def test_that_a_whole_model_is_refused(one, tiny_qwen, tmp_path):
    options = {"train__weights": "all", "model__precision": "fp32"}
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, "any.jsonl", **options))
    assert refused(one, run.path, tmp_path).kind == "combine.whole"


def test_that_a_run_without_an_adapter_is_refused(one, tiny_qwen, tmp_path):
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, "any.jsonl"))
    assert refused(one, run.path, tmp_path).kind == "run.no-adapter"
    assert refused(one, tmp_path / "runs", tmp_path).kind == "combine.no-adapter"


def test_that_pickles_are_refused(one, other, tmp_path):
    folder = other()
    held = load_file(folder / "adapter_model.safetensors")
    torch.save(held, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    assert refused(one, folder, tmp_path).kind == "run.no-adapter"


@pytest.mark.parametrize("broken", ["nan", "rank", "config", "half"])
def test_that_broken_adapters_are_refused(broken, one, other, tmp_path):
    folder = other()
    weights = folder / "adapter_model.safetensors"
    held = load_file(weights)
    name = next(iter(held))
    match broken:
        case "nan":
            held[name][0, 0] = torch.nan
        case "rank":
            changed_config(folder, r=5)
        case "config":
            (folder / "adapter_config.json").write_text("{")
        case "half":
            del held[name]
    save_file(held, weights)
    codes = {"nan": "combine.not-finite", "config": "combine.config"}
    expected = codes.get(broken, "combine.broken")
    assert refused(one, folder, tmp_path).kind == expected


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe"])
def test_that_adapters_of_experts_are_refused(family, tmp_path):
    base = tiny.make_mixture(tmp_path / family, family)
    folders = [
        write_adapter(
            tmp_path / str(seed),
            base,
            seed,
            target_modules=["q_proj"],
            target_parameters=["experts.gate_up_proj", "experts.down_proj"],
        )
        for seed in (1, 2)
    ]
    assert refused(*folders, tmp_path).kind == "combine.experts"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"weights": "1"}, "combine.weights"),
        ({"weights": "1,0"}, "combine.weights"),
        ({"weights": "1,nan"}, "combine.weights"),
        ({"weights": "1,much"}, "combine.weights"),
        ({"density": 0.0}, "combine.density"),
        ({"density": 1.5}, "combine.density"),
        ({"rank": 4}, "combine.rank"),
        ({"rank": -1, "how": "svd"}, "combine.rank"),
        ({"how": "mean"}, "combine.way"),
    ],
)
def test_that_an_order_that_makes_no_sense_is_refused(
    options, code, one, other, tmp_path
):
    assert refused(one, other(), tmp_path, **options).kind == code


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_that_a_killed_combination_leaves_nothing_or_all(one, other, tmp_path):
    given = {"how": "dare_ties", "weights": "1,1", "density": 0.5, "seed": 3, "rank": 0}
    given |= {"base": "", "overwrite": True, "adapters": [one, other()]}
    places = ("combine", "save")

    def order(name):
        return Namespace(verb="combine", out=tmp_path / "out" / name, **given)

    code, count = carried_out(order("whole"), places)
    assert code == 0
    expected = contents(tmp_path / "out" / "whole")
    for at in (1, 2, count // 2, *range(count - 5, count + 1)):
        code, _ = carried_out(order("killed"), places, at)
        assert code == -9
        out = tmp_path / "out" / "killed"
        assert not out.exists() or contents(out) == expected
    code, _ = carried_out(order("killed"), places)
    assert code == 0
    assert contents(out) == expected
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"whole", "killed"}
