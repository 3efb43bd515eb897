"""The B matrices of adapters learn at their own rate, and nothing else does."""

import pytest
import torch

from studio.domain.memory.estimate import Level
from studio.engine.dry_run.rehearsal import rehearse
from studio.engine.lora_plus import quicken
from studio.engine.methods import training
from studio.engine.model_places import place_of
from studio.protocol.events import StepFinished
from tests.engine import tiny
from tests.engine.helpers import Heard, new_run, of_kind, recipe_for, train
from tests.engine.test_dry_run import (
    CARD,
    estimate,
    fake_step,
    held_by_name,
    real_step,
    subject_of,
)
from tests.engine.test_judged_methods import ROWS

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*generation:UserWarning"),
]

RATE = 1e-2
RATIO = 8.0


@pytest.fixture
def built(tmp_path, tiny_model, chat_file):
    """A trainer of a recipe with a faster B, by its further options."""
    heard = Heard()

    def build(**options):
        values = {"lora__plus_ratio": RATIO, "train__learning_rate": RATE, **options}
        recipe = recipe_for(tiny_model, chat_file, **values)
        place = place_of(recipe.model.name)
        run = training.load_run(heard.session, new_run(tmp_path, recipe), recipe, place)
        return training.build_trainer(run)

    yield build
    heard.close()


def rates(trainer):
    """Of each trained weight its rate and decay, by its name."""
    groups = trainer.create_optimizer().param_groups
    held = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in groups
        for weight in group["params"]
    }
    return {
        name: held.pop(id(weight))
        for name, weight in trainer.model.named_parameters()
        if weight.requires_grad
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train__optimizer": "adamw_8bit"},
        {"train__optimizer": "lion"},
        {"lora__variant": "dora", "lora__adapter_dtype": "fp32"},
        {"lora__variant": "pissa", "lora__adapter_dtype": "fp32"},
        {"lora__train_norms": True, "lora__train_embeddings": True},
    ],
    ids=str,
)
def test_that_only_b_learns_faster_and_decays_as_before(built, options):
    found = rates(built(train__weight_decay=0.5, **options))
    plain = rates(built(train__weight_decay=0.5, lora__plus_ratio=1.0, **options))
    assert {name for name in found if ".lora_A." in name}
    for name, (rate, decay) in found.items():
        assert plain[name] == (RATE, decay)
        assert rate == RATE * (RATIO if ".lora_B." in name else 1.0), name


@pytest.mark.parametrize("method", ROWS)
def test_that_every_method_lets_b_learn_faster(method, tmp_path, tiny_model):
    file = tiny.write_chats(tmp_path / f"{method}.jsonl", ROWS[method])
    recipe = recipe_for(
        tiny_model,
        file,
        train__method=method,
        train__learning_rate=RATE,
        lora__plus_ratio=RATIO,
    )
    heard = Heard()
    place = place_of(recipe.model.name)
    run = training.load_run(heard.session, new_run(tmp_path, recipe), recipe, place)
    found = rates(training.build_trainer(run))
    heard.close()
    for letter, rate in (("A", RATE), ("B", RATE * RATIO)):
        told = [each for name, (each, _) in found.items() if f".lora_{letter}." in name]
        assert told
        assert set(told) == {rate}


def test_that_lengths_of_dora_are_among_what_learns_at_the_plain_rate(built):
    found = rates(built(lora__variant="dora", lora__adapter_dtype="fp32"))
    lengths = {name for name in found if "magnitude" in name}
    assert lengths
    assert {found[name][0] for name in lengths} == {RATE}


def test_that_weights_without_decay_keep_their_group():
    a, b, vector = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    model = torch.nn.Module()
    model.lora_A, model.lora_B = (torch.nn.ParameterDict({"x": w}) for w in (a, b))
    whole = torch.nn.Module()
    whole.layer = model
    whole.bias = vector
    groups = [
        {"params": [b, a], "weight_decay": 0.5},
        {"params": [vector], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    quicken(optimizer, whole, RATIO)
    told = [
        (group["lr"], group["weight_decay"], len(group["params"]))
        for group in optimizer.param_groups
    ]
    assert told == [(RATE, 0.5, 1), (RATE, 0.0, 1), (RATE * RATIO, 0.5, 1)]
    assert optimizer.param_groups[0]["params"][0] is a
    assert optimizer.param_groups[2]["params"][0] is b


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train__floor": 0.25},
        {"train__schedule": "polynomial", "train__floor": 0.5},
        {"train__schedule": "hold_and_decay", "train__floor": 0.2},
        {"train__schedule": "inverse_sqrt"},
    ],
    ids=str,
)
def test_that_both_rates_follow_the_schedule(built, options):
    trainer = built(train__max_steps=8, **options)
    trainer.create_optimizer_and_scheduler(8)
    for _ in range(8):
        plain, *others = trainer.lr_scheduler.get_last_lr()
        assert others[-1] == pytest.approx(RATIO * plain)
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert plain < RATE


def test_that_b_moves_by_the_ratio_as_far_in_the_first_step(built):
    """Whatever the gradient, AdamW's first step is as long as its rate."""
    moved = []
    for ratio in (1.0, RATIO):
        trainer = built(lora__plus_ratio=ratio, train__max_steps=1, train__warmup=0.0)
        trainer.train()
        weights = trainer.model.named_parameters()
        moved.append([w.abs().max().item() for n, w in weights if ".lora_B." in n])
    for plain, faster in zip(*moved, strict=True):
        assert faster / plain == pytest.approx(RATIO, rel=1e-2)


def test_that_the_journal_tells_the_plain_rate(tmp_path, tiny_model, chat_file):
    told = []
    for ratio in (1.0, RATIO):
        recipe = recipe_for(tiny_model, chat_file, lora__plus_ratio=ratio)
        _, events = train(new_run(tmp_path, recipe))
        told.append([step.lr for step in of_kind(events, StepFinished)])
    assert told[0] == told[1]
    assert max(told[1]) == recipe.train.learning_rate


@pytest.mark.parametrize(
    "optimizer", ["adamw_fused", "adamw_foreach", "adamw_8bit", "adafactor"]
)
def test_that_a_step_without_memory_allocates_what_a_real_one_does(
    optimizer, tiny_qwen, tmp_path
):
    subject = subject_of(tiny_qwen, train__optimizer=optimizer, lora__plus_ratio=RATIO)
    assert fake_step(subject, tmp_path) == real_step(subject, tiny_qwen, tmp_path)


@pytest.mark.parametrize("optimizer", ["adamw_fused", "lion_8bit"])
def test_that_it_takes_no_more_memory(optimizer, tiny_qwen):
    options = {"model__compute_dtype": "bf16", "train__optimizer": optimizer}
    plain = subject_of(tiny_qwen, CARD, **options)
    plus = subject_of(tiny_qwen, CARD, lora__plus_ratio=RATIO, **options)
    assert held_by_name(rehearse(plus)) == held_by_name(rehearse(plain))
    for level in (Level.ALLOCATED, Level.RESERVED):
        assert estimate(plus).bytes_up_to(level) == estimate(plain).bytes_up_to(level)
