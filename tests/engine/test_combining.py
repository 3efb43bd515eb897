"""Adapters that become one: exactly where that is promised, and silent of the machine.

Deltas are worked out here by hand: s B A, with B outputs x r and A r x inputs.
"""

import json
import re
import warnings
from pathlib import Path

import pytest
import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from studio.cli import main
from studio.domain.combining import Way
from studio.domain.errors import ExitCode
from studio.engine.model_loading import load_plain
from studio.protocol.events import Warned
from studio.protocol.export_events import Combined, Merged
from studio.storage.push_files import pushable
from studio.system.paths import projects_dir
from tests.engine import tiny
from tests.engine.adapters import DIGEST, run_with_adapter, write_adapter
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train

PREFIX = "base_model.model."
WAYS = [way.value for way in Way]


def combine(out, *adapters, **options):
    weights = ",".join(["0.7", "0.3", "0.2"][: len(adapters)])
    given = {"how": "cat", "weights": weights, "density": 0.5, "seed": 0, "rank": 0}
    given |= {"base": "", "overwrite": False, **options}
    return carry_out(
        "combine", adapters=[Path(each) for each in adapters], out=out, **given
    )


def combined(out, *adapters, **options):
    code, events = combine(out, *adapters, **options)
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Combined)
    return events[-1]


def deltas(folder):
    """What an adapter adds to each layer, in fp64."""
    config = json.loads((folder / "adapter_config.json").read_text())
    held = load_file(folder / "adapter_model.safetensors")
    found = {}
    for name, a in held.items():
        if ".lora_A." not in name:
            continue
        b = held[name.replace(".lora_A.", ".lora_B.")]
        module = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        scale = alpha_of(config, module) / rank_of(config, a)
        found[module] = scale * (b.double() @ a.double())
    return found


def alpha_of(config, module):
    patterns = config["alpha_pattern"].items()
    named = [
        value for word, value in patterns if re.match(rf"(.*\.)?({word})$", module)
    ]
    return named[0] if named else config["lora_alpha"]


def rank_of(config, a):
    return len(a) ** 0.5 if config["use_rslora"] else len(a)


def summed(*weighted):
    """The weighted sum of what adapters add."""
    found = {}
    for folder, weight in weighted:
        for module, delta in deltas(folder).items():
            found[module] = found.get(module, 0) + weight * delta
    return found


def distance(folder, wanted):
    made = deltas(folder)
    assert set(made) == set(wanted)
    off = sum((made[module] - wanted[module]).square().sum() for module in wanted)
    return float((off / sum(each.square().sum() for each in wanted.values())) ** 0.5)


@pytest.fixture(scope="module")
def two(tiny_qwen, tmp_path_factory):
    """Two runs of one base, with data of their own."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = {"model__precision": "fp32"}
    return [
        run_with_adapter(folder, tiny_qwen, seed, recipe=recipe, data=f"{seed}.jsonl")
        for seed in (1, 2)
    ]


@pytest.fixture
def wanted(two):
    return summed((two[0].adapter_path, 0.7), (two[1].adapter_path, 0.3))


def test_that_concatenation_is_the_weighted_sum(two, wanted, tmp_path):
    said = combined(tmp_path / "both", *(run.path for run in two))
    assert said.rank == 8
    assert distance(tmp_path / "both" / "adapter", wanted) < 1e-6
    assert said.distance < 1e-6


@pytest.mark.parametrize(
    "kinds",
    [
        ({"r": 4}, {"r": 6, "lora_alpha": 32}),
        ({"use_rslora": True}, {"use_rslora": True}),
        ({"use_rslora": True}, {"r": 2}),
        ({"target_modules": ["q_proj"]}, {"target_modules": ["q_proj", "up_proj"]}),
        ({"target_modules": ["q_proj"]}, {"target_modules": r".*\.up_proj"}),
        (
            {"rank_pattern": {"q_proj": 6}, "alpha_pattern": {"q_proj": 3}},
            {"layers_to_transform": [1], "target_modules": ["q_proj"]},
        ),
    ],
)
def test_that_it_is_so_whatever_their_ranks_scales_and_layers(
    kinds, tiny_qwen, tmp_path
):
    one, other = (
        write_adapter(tmp_path / str(seed), tiny_qwen, seed, **kind)
        for seed, kind in enumerate(kinds)
    )
    said = combined(tmp_path / "both", one, other, weights="1.5,-0.5")
    sums = summed((one, 1.5), (other, -0.5))
    assert distance(tmp_path / "both" / "adapter", sums) < 1e-6
    assert said.distance < 1e-6
    config = PeftConfig.from_pretrained(tmp_path / "both" / "adapter")
    assert config.r == config.lora_alpha == said.rank
    assert not config.use_rslora
    assert not config.rank_pattern


@pytest.mark.parametrize("how", ["cat", "svd"])
def test_that_peft_loads_it_as_the_base_with_both(
    how, two, wanted, tiny_qwen, tmp_path
):
    combined(
        tmp_path / "both", *(run.path for run in two), how=how, rank=8 * (how == "svd")
    )
    ids = torch.arange(5, 25).reshape(1, -1)
    base = AutoModelForCausalLM.from_pretrained(tiny_qwen)
    model = PeftModel.from_pretrained(base, tmp_path / "both" / "adapter")
    with torch.no_grad():
        said = model(input_ids=ids).logits
    plain = AutoModelForCausalLM.from_pretrained(tiny_qwen)
    for module, delta in wanted.items():
        plain.get_submodule(module).weight.data += delta.float()
    with torch.no_grad():
        expected = plain(input_ids=ids).logits
        before = AutoModelForCausalLM.from_pretrained(tiny_qwen)(input_ids=ids).logits
    assert (expected - before).abs().max() > 0.1
    assert (said - expected).abs().max() < 1e-5


@pytest.mark.parametrize("how", WAYS)
def test_that_each_way_gives_what_peft_gives_on_the_whole_model(
    how, two, tiny_qwen, tmp_path
):
    # Entries that are dropped at random differ by the order of the layers.
    density = 1.0 if how.startswith("dare") else 0.5
    said = combined(
        tmp_path / "both", *(run.path for run in two), how=how, density=density
    )
    base = AutoModelForCausalLM.from_pretrained(tiny_qwen)
    whole = PeftModel.from_pretrained(base, two[0].adapter_path, "one")
    whole.load_adapter(two[1].adapter_path, "two")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The density 1.0")
        whole.add_weighted_adapter(
            ["one", "two"], [0.7, 0.3], "both", combination_type=how, density=density
        )
    found = deltas(tmp_path / "both" / "adapter")
    for module, delta in found.items():
        layer = whole.base_model.model.get_submodule(module)
        theirs = layer.get_delta_weight("both").detach().double()
        assert (delta - theirs).norm() < 1e-5 * theirs.norm()
    assert said.how == how


@pytest.mark.parametrize("how", WAYS)
def test_that_the_told_distance_is_the_true_one(how, two, wanted, tmp_path):
    said = combined(tmp_path / "both", *(run.path for run in two), how=how)
    found = distance(tmp_path / "both" / "adapter", wanted)
    assert said.distance == pytest.approx(found, rel=1e-3, abs=1e-6)
    document = json.loads((tmp_path / "both" / "adapter" / "combined.json").read_text())
    assert document["distance"] == said.distance


def test_that_linear_is_as_far_from_the_sum_as_the_sum_is_large(two, tmp_path):
    said = combined(tmp_path / "both", *(run.path for run in two), how="linear")
    assert 0.5 < said.distance < 2
    card = (tmp_path / "both" / "adapter" / "README.md").read_text()
    assert "It differs from the weighted sum" in card


def test_that_a_cut_to_full_rank_is_the_sum_and_a_lower_one_near(two, tmp_path):
    paths = [run.path for run in two]
    whole = combined(tmp_path / "whole", *paths, how="svd", rank=8)
    half = combined(tmp_path / "half", *paths, how="svd", rank=4)
    assert (whole.rank, half.rank) == (8, 4)
    assert whole.distance < 1e-5 < half.distance < 0.7


def test_that_a_cut_counts_an_adapter_without_the_layer_as_nothing(tiny_qwen, tmp_path):
    one = write_adapter(tmp_path / "1", tiny_qwen, 1, target_modules=["q_proj"])
    other = write_adapter(tmp_path / "2", tiny_qwen, 2, target_modules=["up_proj"])
    said = combined(tmp_path / "both", one, other, how="svd", rank=2)
    assert said.rank == 2
    said = combined(tmp_path / "all", one, other, how="svd", rank=4)
    assert said.distance < 1e-5


@pytest.mark.parametrize("how", [way for way in WAYS if Way(way).draws])
def test_that_a_seed_repeats_what_is_drawn(how, two, tmp_path):
    paths = [run.path for run in two]
    weights = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        combined(tmp_path / name, *paths, how=how, seed=seed, density=0.4)
        folder = tmp_path / name / "adapter"
        weights.append((folder / "adapter_model.safetensors").read_bytes())
        assert json.loads((folder / "combined.json").read_text())["seed"] == seed
        assert f"density 0.4, seed {seed}" in (folder / "README.md").read_text()
    assert weights[0] == weights[1] != weights[2]


def test_that_it_says_where_it_comes_from(two, tmp_path):
    combined(tmp_path / "both", *(run.path for run in two), how="ties")
    folder = tmp_path / "both" / "adapter"
    card = (folder / "README.md").read_text()
    told = json.loads((folder / "combined.json").read_text())
    assert (told["how"], told["density"], told["base"]) == ("ties", 0.5, "tiny-qwen")
    for run, weight, each in zip(two, (0.7, 0.3), told["adapters"], strict=True):
        assert (each["name"], each["weight"]) == (run.name, weight)
        assert each["sha256"] in card
        (data,) = each["data"]
        assert data["sha256"] == DIGEST
        assert f"`{data['name']}`, SHA-256 `{DIGEST}`" in card
    assert "# LoRA adapter of tiny-qwen" in card


def test_that_all_of_it_can_be_pushed(two, tmp_path):
    said = combined(tmp_path / "both", *(run.path for run in two))
    found = pushable(Path(said.adapter))
    assert {file.name for file in found.files} == {
        file.name for file in Path(said.adapter).iterdir()
    }


def test_that_it_can_be_combined_again(two, tiny_qwen, tmp_path):
    paths = [run.path for run in two]
    first = combined(tmp_path / "both", *paths)
    third = write_adapter(tmp_path / "third", tiny_qwen, 3, data="3.jsonl")
    combined(tmp_path / "all", first.path, third, weights="1,1")
    told = json.loads((tmp_path / "all" / "adapter" / "combined.json").read_text())
    data = [[each["name"] for each in part["data"]] for part in told["adapters"]]
    assert data == [["1.jsonl", "2.jsonl"], ["3.jsonl"]]
    folders = (run.adapter_path for run in two)
    sums = summed(*zip((*folders, third), (0.7, 0.3, 1), strict=True))
    assert distance(tmp_path / "all" / "adapter", sums) < 1e-6


def test_that_nothing_of_the_machine_lies_in_it(two, tiny_qwen, tmp_path):
    combined(tmp_path / "both", *(run.path for run in two))
    files = list((tmp_path / "both" / "adapter").iterdir())
    kinds = {".safetensors", ".json", ".jinja", ".md"}
    assert {file.suffix for file in files} <= kinds
    for file in files:
        content = file.read_bytes()
        for place in (tmp_path, tiny_qwen.parent, two[0].path.parent):
            assert str(place).encode() not in content, file.name
    config = json.loads(
        (tmp_path / "both" / "adapter" / "adapter_config.json").read_text()
    )
    assert config["base_model_name_or_path"] == tiny_qwen.name


def test_that_no_weight_of_the_base_is_needed(two, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("the base was looked at")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    monkeypatch.setattr("studio.engine.base_files.weight_files", fail)
    monkeypatch.setattr("studio.engine.model_loading.load_weights", fail)
    assert combined(tmp_path / "both", *(run.path for run in two)).rank == 8


def test_that_it_merges_into_base_and_sum(two, wanted, tiny_qwen, tmp_path):
    said = combined(tmp_path / "both", *(run.path for run in two))
    options = {"out": tmp_path / "merged", "dtype": "fp32", "overwrite": False}
    code, events = carry_out("merge", run=Path(said.path), **options)
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Merged)
    base = load_plain(tiny_qwen, torch.float32)
    merged = load_plain(options["out"], torch.float32)
    for name, weight in base.named_parameters():
        delta = wanted.get(name.removesuffix(".weight"), torch.zeros(()))
        off = merged.get_parameter(name).double() - (weight.double() + delta)
        assert off.abs().max() < 1e-6


def test_that_runs_that_held_their_base_otherwise_are_doubted(two, tiny_qwen, tmp_path):
    other = run_with_adapter(tmp_path / "runs", tiny_qwen, 9)
    code, events = combine(tmp_path / "both", two[0].path, other.path)
    assert code is ExitCode.OK
    (doubt,) = of_kind(events, Warned)
    assert doubt.finding.code == "combine.precisions"
    assert "FP32 and NF4" in doubt.finding.what


@pytest.mark.parametrize("option", [{}, {"overwrite": True}])
def test_that_what_lies_there_is_spared(option, two, tmp_path):
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "mine").touch()
    code, events = combine(tmp_path / "both", *(run.path for run in two), **option)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "combine.place-taken"
    assert [each.name for each in (tmp_path / "both").iterdir()] == ["mine"]


def test_that_an_earlier_combination_makes_room_if_it_may(two, tmp_path):
    paths = [run.path for run in two]
    combined(tmp_path / "both", *paths)
    code, events = combine(tmp_path / "both", *paths, how="linear")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "combine.place-taken"
    said = combined(tmp_path / "both", *paths, how="linear", overwrite=True)
    assert said.rank == 4
    code, events = combine(
        tmp_path / "both", tmp_path / "both", paths[0], overwrite=True
    )
    assert events[-1].kind == "combine.place-taken"
    code, events = combine(two[0].path, *paths, overwrite=True)
    assert events[-1].kind == "combine.place-taken"
    assert two[0].adapter_path.is_dir()


@pytest.mark.parametrize("variant", ["pissa", "adalora", "rslora"])
def test_that_what_trained_kinds_leave_adds_up(variant, two, tiny_qwen, tmp_path):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {"lora__variant": variant, "train__max_steps": 12}
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, data, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    said = combined(tmp_path / "both", run.path, two[0].path)
    sums = summed((run.adapter_path, 0.7), (two[0].adapter_path, 0.3))
    assert distance(tmp_path / "both" / "adapter", sums) < 1e-6
    assert said.distance < 1e-6


def test_that_checkpoints_of_a_run_can_be_combined(tiny_qwen, tmp_path):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {"train__max_steps": 4, "train__save_steps": 2}
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, data, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    early = run.checkpoints_path / "step-2"
    said = combined(tmp_path / "both", early, run.path, weights="0.5,0.5")
    sums = summed((early, 0.5), (run.adapter_path, 0.5))
    assert distance(Path(said.adapter), sums) < 1e-6
    told = json.loads((Path(said.adapter) / "combined.json").read_text())
    assert [each["name"] for each in told["adapters"]] == ["run-1 step-2", "run-1"]
    assert told["adapters"][0]["data"] == told["adapters"][1]["data"] != []
    assert told["base"] == tiny_qwen.name


def test_that_it_can_be_asked_exported_and_verified_as_a_run(two, tmp_path):
    both = Path(combined(tmp_path / "both", *(run.path for run in two)).path)
    asked = {"prompt": ["Which?"], "max_new_tokens": 4, "base": False}
    code, events = carry_out("generate", source=both, **asked)
    assert code is ExitCode.OK, events[-1]
    given = {
        "dtype": "bf16",
        "form": "",
        "overwrite": False,
        "to": ["adapter", "merged"],
    }
    out = tmp_path / "out"
    code, events = carry_out(
        "export", run=both, out=out, even_if_different=False, **given
    )
    assert code is ExitCode.OK, events[-1]
    made = {each.kind: each for each in events[-1].artefacts}
    assert made["merged"].is_proven
    card = (out / "adapter" / "README.md").read_text()
    assert card.count("## Base") == card.count("## How to load it") == 1
    assert "## Recipe" not in card
    assert "Combined with Snugtune from 2 adapters (cat)" in card
    merged_card = (out / "merged" / "README.md").read_text()
    assert "Combined with Snugtune" in merged_card
    assert "library_name: peft" not in merged_card
    code, events = carry_out("verify", run=both, artefact=out / "merged")
    assert code is ExitCode.OK, events[-1]
    assert events[-1].is_proven


def test_that_it_is_measured_with_data_that_is_named(two, tmp_path):
    both = Path(combined(tmp_path / "both", *(run.path for run in two)).path)
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    given = {"columns": [], "rows": 3, "also": [], "max_new_tokens": 4}
    given |= {"lowercase": False, "out": None}
    code, events = carry_out("evaluate", run=both, data=data, **given)
    assert code is ExitCode.OK, events[-1]
    code, events = carry_out("evaluate", run=both, data=None, **given)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "evaluation.no-data"


def test_that_a_projects_runs_are_no_place_for_it(two, tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    out = projects_dir() / "one" / "runs" / "both"
    code, events = combine(out, *(run.path for run in two))
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "combine.place-taken"


@pytest.mark.parametrize("command", ["show", "resume", "pause", "cancel"])
def test_that_it_is_no_run_to_those_who_ask_for_its_training(
    command, two, tmp_path, capsys
):
    both = combined(tmp_path / "both", *(run.path for run in two)).path
    assert main([command, both]) == ExitCode.BAD_INPUT
    assert "combined adapters" in capsys.readouterr().err
