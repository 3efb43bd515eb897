"""AdaLoRA spreads a rank as peft does, and hands over an adapter that all can read."""

import json
from contextlib import closing
from types import SimpleNamespace

import pytest
import torch
from peft import AdaLoraConfig, get_peft_model
from safetensors.torch import load_file

from studio.cli.run_show import document
from studio.domain.adaptive_rank import Course
from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe import OPTIONS, Recipe
from studio.engine import training_run, training_state
from studio.engine.adapter_files import put_adapter
from studio.engine.adapters import attach, set_dtype
from studio.engine.adaptive_rank.allocation import RankAllocator
from studio.engine.adaptive_rank.directions import directions_of, ranks_of
from studio.engine.adaptive_rank.orthogonality import WEIGHT, add_gradient
from studio.engine.devices import formats_of
from studio.engine.methods import training
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.events import RunFailed
from studio.protocol.export_events import Merged
from studio.services.run_journal import snapshot_of
from tests.engine import tiny
from tests.engine.helpers import Heard, carry_out, new_run, of_kind, recipe_for, train
from tests.engine.test_adapter_kinds import CPU, logits, off

pytestmark = pytest.mark.torch

RANK, HELD, STEPS = 4, 6, 16
ADALORA = {
    "lora__variant": "adalora",
    "lora__rank": RANK,
    "lora__adapter_dtype": "fp32",
    "train__max_steps": STEPS,
}
BASES = {
    "fp32": {"model__precision": "fp32"},
    "bf16": {
        "model__precision": "bf16",
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "bf16",
    },
    "nf4": {"model__precision": "nf4"},
    "int8": {"model__precision": "int8"},
}
# How far other roundings may be off: of products in 16 bits, and of inputs to 8.
COARSE = {"bf16": 0.15, "int8": 0.03}


def adapted(model, **options):
    options = {"lora.variant": "adalora", "lora.rank": RANK, **options}
    lora = Recipe().with_values(options).lora
    return attach(load_plain(model, torch.float32), lora)


def pepped(model, weight=WEIGHT, total=30):
    """The same by peft: its AdaLoRA, whose course is that of ours."""
    course = Course(total)
    config = AdaLoraConfig(
        task_type="CAUSAL_LM",
        init_r=HELD,
        target_r=RANK,
        lora_alpha=32,
        tinit=course.first,
        tfinal=total - course.last,
        total_step=total,
        orth_reg_weight=weight,
        target_modules="all-linear",
    )
    return get_peft_model(load_plain(model, torch.float32), config)


def pairs(ours, peft):
    """(ours, peft's) of every trained weight, by name in peft's model."""
    theirs = dict(peft.named_parameters())
    for each in directions_of(ours):
        place = f"base_model.model.{each.name}"
        yield each.first, theirs[f"{place}.lora_A.default"]
        yield each.weights, theirs[f"{place}.lora_E.default"]
        yield each.second, theirs[f"{place}.lora_B.default"]


def make_alike(ours, peft, chance):
    with torch.no_grad():
        for mine, other in pairs(ours, peft):
            mine.copy_(torch.randn(mine.shape, generator=chance))
            other.copy_(mine.view_as(other))


@pytest.fixture
def chance():
    return torch.Generator().manual_seed(3)


def test_that_it_begins_as_nothing(tiny_qwen):
    tokenizer = load_tokenizer(tiny_qwen)
    plain = logits(load_plain(tiny_qwen, torch.float32), tokenizer)
    assert torch.equal(logits(adapted(tiny_qwen), tokenizer), plain)


def test_that_it_computes_what_pefts_adalora_does(tiny_qwen, chance):
    ours, peft = adapted(tiny_qwen), pepped(tiny_qwen)
    make_alike(ours, peft, chance)
    with torch.no_grad():
        for each in directions_of(ours):
            each.weights.mul_(0.01)
        for mine, other in pairs(ours, peft):
            other.copy_(mine.view_as(other))
    tokenizer = load_tokenizer(tiny_qwen)
    # peft divides by the rank and a hundred-thousandth.
    assert off(logits(ours, tokenizer), logits(peft, tokenizer)) < 1e-3
    assert off(logits(ours, tokenizer), logits(adapted(tiny_qwen), tokenizer)) > 0.1


def test_that_directions_are_kept_apart_as_by_peft(tiny_qwen, chance):
    """Its own loss has the term; the difference to one without is the term alone."""
    ours, peft = adapted(tiny_qwen), pepped(tiny_qwen)
    make_alike(ours, peft, chance)
    ids = torch.arange(24)[None]
    found = {}
    for weight in (0.0, WEIGHT):
        peft.peft_config["default"].orth_reg_weight = weight
        peft.zero_grad()
        peft(input_ids=ids, labels=ids).loss.backward()
        found[weight] = [x.grad.clone() for _, x in pairs(ours, peft)]
    for mine, _ in pairs(ours, peft):
        mine.grad = torch.zeros_like(mine)
    add_gradient(directions_of(ours))
    differences = [b - a for a, b in zip(*found.values(), strict=True)]
    for (mine, _), term in zip(pairs(ours, peft), differences, strict=True):
        assert torch.allclose(mine.grad, term.view_as(mine), atol=1e-5)
    largest = max(mine.grad.abs().max() for mine, _ in pairs(ours, peft))
    assert largest > 1e-3


def test_that_a_scaled_gradient_gets_a_scaled_term(tiny_qwen):
    layers = directions_of(adapted(tiny_qwen))
    found = []
    for scale in (1.0, 1024.0):
        for each in layers:
            each.first.grad = torch.zeros_like(each.first)
        add_gradient(layers, scale)
        found.append(layers[0].first.grad)
    assert torch.allclose(found[1], 1024 * found[0])
    assert found[0].norm() > 0


def test_that_directions_that_are_apart_already_are_left_alone(tiny_qwen):
    layers = directions_of(adapted(tiny_qwen))
    for each in layers:
        torch.nn.init.orthogonal_(each.first)
        torch.nn.init.orthogonal_(each.second)
        each.first.grad = torch.zeros_like(each.first)
        each.second.grad = torch.zeros_like(each.second)
    add_gradient(layers)
    for each in layers:
        assert each.first.grad.isfinite().all()
        assert (each.first @ each.first.grad.T).abs().max() < 0.1


def test_that_the_same_directions_go_as_by_peft(tiny_qwen, chance):
    total = 30
    ours, peft = adapted(tiny_qwen), pepped(tiny_qwen, total=total)
    make_alike(ours, peft, chance)
    allocator = RankAllocator(ours, RANK, total)
    taken = set()
    for step in range(1, total + 1):
        with torch.no_grad():
            for mine, other in pairs(ours, peft):
                mine.add_(torch.randn(mine.shape, generator=chance), alpha=0.1)
                other.copy_(mine.view_as(other))
                mine.grad = torch.randn(mine.shape, generator=chance)
                other.grad = mine.grad.view_as(other)
        allocator.after_step(step)
        peft.base_model.update_and_allocate(step)
        for mine, other in pairs(ours, peft):
            assert torch.equal(mine == 0, other.view_as(mine) == 0), step
        taken.add(sum(ranks_of(ours).values()))
    assert max(taken) == HELD * len(directions_of(ours))
    assert min(taken) == RANK * len(directions_of(ours))
    assert len(set(ranks_of(ours).values())) > 1


def test_that_what_was_taken_away_may_come_back_until_ranks_are_final(tiny_qwen):
    model = adapted(tiny_qwen)
    allocator = RankAllocator(model, RANK, 100)
    course = Course(100)
    layers = directions_of(model)

    def step(number, strong):
        for each in layers:
            for part in (each.first, each.weights, each.second):
                part.data.fill_(1.0)
                part.grad = torch.full_like(part, 1e-3)
            each.weights.grad[strong] = 1.0 + number % 2  # what is steady counts little
        allocator.after_step(number)
        return [each.weights.nonzero().flatten().tolist() for each in layers]

    for number in range(course.first + 1, course.last - 20):
        kept = step(number, slice(0, RANK))
    assert all(each[:RANK] == list(range(RANK)) for each in kept)
    assert all(HELD - 1 not in each for each in kept)
    for number in range(course.last - 20, course.last + 1):
        kept = step(number, slice(2, HELD))
    final = kept
    assert final == [list(range(2, HELD))] * len(layers)
    assert step(course.last + 1, slice(0, RANK)) == final


def test_that_layers_which_nothing_is_taught_are_neither_judged_nor_counted(tiny_qwen):
    model = adapted(tiny_qwen)
    idle, *taught = directions_of(model)
    allocator = RankAllocator(model, RANK, 10)
    for step in range(1, 11):
        for each in taught:
            for part in (each.first, each.weights, each.second):
                part.data.normal_()
                part.grad = torch.randn_like(part)
        add_gradient(allocator.layers)
        allocator.after_step(step)
    ranks = ranks_of(model)
    assert ranks.pop(idle.name) == 0
    assert sum(ranks.values()) == RANK * len(taught)


def test_that_weights_of_directions_stay_in_fp32(tiny_qwen):
    model = adapted(tiny_qwen)
    set_dtype(model, torch.bfloat16)
    for each in directions_of(model):
        assert each.weights.dtype is torch.float32
        assert each.first.dtype is each.second.dtype is torch.bfloat16


def ready(folder, model, **options):
    data = tiny.write_chats(folder / "chats.jsonl")
    recipe = recipe_for(model, data, **{**ADALORA, **options})
    heard = Heard()
    directory = new_run(folder, recipe)
    run = training.load_run(heard.session, directory, recipe, place_of(str(model)))
    return heard, run, training.build_trainer(run)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize("name", OPTIONS["train.optimizer"].choices)
def test_that_every_optimizer_tells_of_its_steps(name, tmp_path, tiny_model):
    heard, run, trainer = ready(tmp_path, tiny_model, train__optimizer=name)
    with closing(heard):
        optimizer = trainer.create_optimizer()
        for weight in run.model.parameters():
            if weight.requires_grad:
                weight.grad = torch.ones_like(weight)
        assert trainer.allocator.tensors() == []
        optimizer.step()
        assert len(trainer.allocator.tensors()) == 6 * len(trainer.allocator.layers)


@pytest.mark.parametrize("name", ["adamw_fused", "adamw_foreach", "adafactor"])
def test_that_a_step_which_a_scaler_leaves_out_tells_nothing(
    name, tmp_path, tiny_model
):
    heard, run, trainer = ready(tmp_path, tiny_model, train__optimizer=name)
    with closing(heard):
        optimizer = trainer.create_optimizer()
        scaler = torch.amp.GradScaler("cpu")
        for weight in run.model.parameters():
            if weight.requires_grad:
                weight.grad = torch.full_like(weight, torch.inf)
        scaler.scale(torch.ones(()))
        scaler.step(optimizer)
        assert trainer.allocator.tensors() == []


def test_that_the_term_counts_once_a_step(tmp_path, tiny_model, monkeypatch):
    counted = []
    monkeypatch.setattr(
        training_state, "add_gradient", lambda *given: counted.append(given[1])
    )
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {"train__accumulation": 3, "train__micro_batch": 2}
    run = new_run(tmp_path, recipe_for(tiny_model, data, **ADALORA, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    assert counted == [1.0] * STEPS


@pytest.fixture(scope="module", params=BASES)
def trained(request, tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("adalora")
    data = tiny.write_chats(folder / "chats.jsonl")
    recipe = recipe_for(tiny_qwen, data, **{**ADALORA, **BASES[request.param]})
    heard = Heard()
    directory = new_run(folder, recipe)
    run = training.load_run(heard.session, directory, recipe, place_of(str(tiny_qwen)))
    before = logits(run.model, run.tokenizer)
    training.build_trainer(run).train()
    run.finish(STEPS, stopped=False)
    return SimpleNamespace(
        run=run,
        path=directory.adapter_path,
        before=before,
        after=logits(run.model, run.tokenizer),
        events=heard.events(),
    )


def tolerance(trained):
    return COARSE.get(trained.run.recipe.model.precision.value, 1e-4)


def test_that_layers_keep_different_ranks_and_the_asked_one_on_average(trained):
    ranks = ranks_of(trained.run.model)
    assert sum(ranks.values()) == RANK * len(ranks)
    assert len(set(ranks.values())) > 1
    assert max(ranks.values()) <= HELD
    (told,) = of_kind(trained.events, RanksSpread)
    assert (told.step, told.ranks) == (STEPS, ranks)


def test_that_what_is_handed_over_says_what_was_trained(trained, tiny_qwen):
    recipe = trained.run.recipe
    base = load_model(tiny_qwen, recipe.model, formats_of(recipe, CPU), CPU)
    said = logits(put_adapter(base, trained.path), load_tokenizer(trained.path))
    assert off(said, trained.after) < tolerance(trained)
    assert off(trained.after, trained.before) > 0.5


def test_that_what_is_handed_over_is_plain_lora_of_one_rank(trained):
    config = json.loads((trained.path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == (
        "LORA",
        HELD,
        32,
    )
    assert not config["rank_pattern"]
    assert not config["alpha_pattern"]
    ranks = ranks_of(trained.run.model)
    weights = load_file(trained.path / "adapter_model.safetensors")
    assert len(weights) == 2 * len(ranks)
    for name, rank in ranks.items():
        first = weights[f"base_model.model.{name}.lora_A.weight"]
        second = weights[f"base_model.model.{name}.lora_B.weight"]
        assert first.dtype == second.dtype == trained.run.formats.adapter
        assert first.shape[0] == second.shape[1] == HELD
        assert int(first.abs().sum(1).count_nonzero()) == rank
        assert int(second.abs().sum(0).count_nonzero()) == rank
    card = (trained.path / "README.md").read_text()
    assert f"AdaLoRA spread a rank of {RANK} on average" in card
    assert f"LoRA of rank {HELD}" in card


def test_that_it_is_merged_and_compared_as_any_other(trained, tiny_qwen, tmp_path):
    out, run = tmp_path / "merged", trained.run.directory
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Merged)
    assert "AdaLoRA spread" not in (out / "README.md").read_text()
    apart = put_adapter(load_plain(tiny_qwen, torch.float32), trained.path)
    tokenizer = load_tokenizer(out)
    merged = logits(load_plain(out, torch.float32), tokenizer)
    assert off(merged, logits(apart, tokenizer)) < 1e-4
    code, events = carry_out("verify", run=run.path, artefact=out)
    assert code is ExitCode.OK, events[-1]
    assert json.loads((out / "parity.json").read_text())["findings"] == []


def test_that_the_best_steps_own_ranks_are_told(tmp_path, tiny_model, monkeypatch):
    losses = iter([3.0, 2.8, 2.6, 2.4, 2.2, 2.0, *[2.5] * STEPS])
    monkeypatch.setattr(training_run, "held_out_loss", lambda *_: next(losses))
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {
        **ADALORA,
        "train__eval_steps": 1,
        "train__keep_best": True,
    }
    run = new_run(tmp_path, recipe_for(tiny_model, data, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    (told,) = of_kind(events, RanksSpread)
    snapshot = snapshot_of(run)
    assert told.step == snapshot.saved_step == 5 < Course(STEPS).last
    assert document(run, snapshot)["final"]["ranks"] == told.ranks
    assert sum(told.ranks.values()) > RANK * len(told.ranks)
    weights = load_file(run.adapter_path / "adapter_model.safetensors")
    for name, rank in told.ranks.items():
        first = weights[f"base_model.model.{name}.lora_A.weight"]
        assert int(first.abs().sum(1).count_nonzero()) == rank


def test_that_a_run_of_few_passes_is_refused(tmp_path, tiny_model):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {**ADALORA, "train__max_steps": 0, "train__epochs": 1.0}
    run = new_run(tmp_path, recipe_for(tiny_model, data, **options))
    code, events = train(run)
    assert code is ExitCode.BAD_INPUT
    (failed,) = of_kind(events, RunFailed)
    assert failed.kind == "recipe.adalora-too-short"
    assert "this run has 9" in failed.message


def test_that_ranks_of_another_adapter_are_refused(tiny_qwen):
    allocator = RankAllocator(adapted(tiny_qwen), RANK, 10)
    state = {**allocator.state(), "final": {"somewhere": torch.ones(HELD).bool()}}
    with pytest.raises(ValueError, match="another adapter"):
        allocator.put(state)


@pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning")
def test_that_experts_are_refused(tmp_path):
    model = tmp_path / "mixture"
    tiny.make_mixture(model, "mixtral")
    with pytest.raises(StudioError, match="experts"):
        adapted(model)
