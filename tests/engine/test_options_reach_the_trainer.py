"""Every option of the recipe changes something that training is made of.

A key that reaches nothing is a control that does nothing; the table below must name
each key of the option table, and what is observed must change with it.
"""

import math
from itertools import count
from types import SimpleNamespace
from unittest import mock

import pytest
from trl.trainer import utils as trl_utils

from studio.domain.recipe import OPTIONS
from studio.engine import progress
from studio.engine.methods import common, training
from studio.engine.model_places import place_of
from studio.protocol.events import CheckpointSaved, EvalFinished, StepFinished
from studio.storage.models import ModelState
from tests.engine import tiny
from tests.engine.helpers import Heard, new_run, of_kind, recipe_for


class Built:
    """A run that is ready to train."""

    def __init__(self, folder, recipe):
        self.heard = Heard()
        directory = new_run(folder, recipe)
        place = place_of(recipe.model.name)
        assert place.state is ModelState.READY
        self.run = training.load_run(self.heard.session, directory, recipe, place)
        self.trainer = training.build_trainer(self.run)
        self.args = self.trainer.args
        base = getattr(self.run.model, "get_base_model", lambda: self.run.model)()
        self.layer = base.model.layers[0].self_attn.q_proj

    def batch(self):
        return next(iter(self.trainer.get_train_dataloader()))

    def optimizer(self):
        return self.trainer.create_optimizer()

    def optimized(self):
        groups = self.optimizer().param_groups
        return [weight for group in groups for weight in group["params"]]

    def rates(self, steps=8):
        self.trainer.create_optimizer_and_scheduler(steps)
        rates = []
        for _ in range(steps):
            rates.append(self.trainer.lr_scheduler.get_last_lr()[0])
            self.trainer.optimizer.step()
            self.trainer.lr_scheduler.step()
        return rates

    def trained(self):
        self.trainer.train()
        return self.heard.events()

    def adapter(self):
        weights = [p for p in self.run.model.parameters() if p.requires_grad]
        return [p.detach().float().sum().item() for p in weights]

    def close(self):
        self.heard.close()


def optimizer_traits(built):
    optimizer = built.optimizer()
    group = optimizer.param_groups[0]
    return (
        type(optimizer).__name__,
        group.get("fused"),
        getattr(optimizer, "is_paged", False),
        getattr(getattr(optimizer, "args", None), "optim_bits", None),
    )


def forward_counts(built):
    """How often the first layer runs in one step: twice when it is recomputed."""
    calls = []
    first = built.run.model.get_base_model().model.layers[0].input_layernorm
    first.register_forward_hook(lambda *_: calls.append(1))
    built.trainer.train()
    return len(calls)


def steps_done(built):
    built.trainer.train()
    return built.trainer.state.global_step


def first_loss(built, step=1):
    return of_kind(built.trained(), StepFinished)[step - 1].loss


def checkpoints_left(built):
    built.trained()
    return len(list(built.run.directory.checkpoints_path.iterdir()))


def checkpoints_of_two_minutes_a_step(built):
    clock = SimpleNamespace(monotonic=count(10**9, 60).__next__)
    with mock.patch.object(progress, "time", clock):
        return len(of_kind(built.trained(), CheckpointSaved))


# key -> (a value other than the default, what shows it)
CASES = {
    "model.name": ("OTHER", lambda b: type(b.run.model.get_base_model()).__name__),
    "model.precision": ("fp4", lambda b: b.layer.weight.quant_type),
    "model.double_quant": (False, lambda b: b.layer.weight.quant_state.nested),
    "model.compute_dtype": ("bf16", lambda b: b.layer.base_layer.compute_dtype),
    "model.attention": (
        "eager",
        lambda b: b.run.model.get_base_model().config._attn_implementation,
    ),
    "model.stretch": (
        2.0,
        lambda b: b.run.model.get_base_model().config.rope_parameters.get("factor"),
    ),
    "lora.rank": (2, lambda b: b.layer.lora_A["default"].weight.shape),
    "lora.alpha": (4, lambda b: b.layer.scaling["default"]),
    "lora.variant": ("rslora", lambda b: b.layer.scaling["default"]),
    "lora.dropout": (0.5, lambda b: str(b.layer.lora_dropout["default"])),
    "lora.targets": (("q_proj",), lambda b: len(b.adapter())),
    "lora.adapter_dtype": ("fp32", lambda b: b.layer.lora_A["default"].weight.dtype),
    "lora.plus_ratio": (
        4.0,
        lambda b: [group["lr"] for group in b.optimizer().param_groups],
    ),
    "lora.train_norms": (True, lambda b: {p.dtype for p in b.optimized()}),
    "lora.train_embeddings": (True, lambda b: max(p.numel() for p in b.optimized())),
    "data.path": ("OTHER", lambda b: len(b.run.data.training)),
    "data.format": ("text", lambda b: b.run.data.training[0].input_ids),
    "data.columns": (
        ("question=other",),
        lambda b: b.run.data.training[0].input_ids,
    ),
    "data.loss_on": ("everything", lambda b: b.run.data.training[0].labels),
    "data.held_out": (0.5, lambda b: len(b.run.data.held_out)),
    "data.held_out_file": (
        "OTHER",
        lambda b: [r.input_ids for r in b.run.data.held_out],
    ),
    "data.group": ("author", lambda b: [row.input_ids for row in b.run.data.held_out]),
    "data.mix": ("OTHER", lambda b: len(b.trainer.train_dataset)),
    "data.prompts": (("Why?",), lambda b: b.run.data.prompts),
    "train.method": ("dpo", lambda b: type(b.trainer).__name__),
    "train.beta": (0.5, lambda b: first_loss(b, 3)),
    "train.weights": ("all", lambda b: type(b.run.model).__name__),
    "train.sequence_length": (24, lambda b: b.batch()["input_ids"].shape[1]),
    "train.micro_batch": (2, lambda b: b.batch()["input_ids"].shape[0]),
    "train.accumulation": (3, lambda b: b.args.gradient_accumulation_steps),
    "train.packing": (True, lambda b: "position_ids" in b.batch()),
    "train.epochs": (2.0, steps_done),
    "train.max_steps": (1, steps_done),
    "train.learning_rate": (0.5, lambda b: b.optimizer().param_groups[0]["lr"]),
    "train.schedule": ("linear", lambda b: b.rates()),
    "train.floor": (0.5, lambda b: b.rates()),
    "train.restarts": (1, lambda b: b.rates()),
    "train.decay_share": (0.5, lambda b: b.rates()),
    "train.warmup": (0.5, lambda b: b.rates()),
    "train.warmup_steps": (3, lambda b: b.rates()),
    "train.neftune": (50.0, first_loss),
    "train.label_smoothing": (0.2, first_loss),
    "train.weight_decay": (
        0.5,
        lambda b: [group["weight_decay"] for group in b.optimizer().param_groups],
    ),
    "train.clipping": (0.001, lambda b: b.args.max_grad_norm),
    "train.optimizer": ("adamw_8bit", optimizer_traits),
    "train.checkpointing": (True, forward_counts),
    "train.offload": (True, lambda b: b.args.activation_checkpointing_kwargs),
    "train.save_steps": (1, lambda b: len(of_kind(b.trained(), CheckpointSaved))),
    "train.save_minutes": (1, checkpoints_of_two_minutes_a_step),
    "train.keep_checkpoints": (2, checkpoints_left),
    "train.eval_steps": (1, lambda b: len(of_kind(b.trained(), EvalFinished))),
    "train.patience": (1, steps_done),
    "train.keep_best": (True, lambda b: len(of_kind(b.trained(), CheckpointSaved))),
    "train.seed": (7, lambda b: b.adapter()),
}
# Rows that several formats, and several columns, could be read from.
AMBIGUOUS = [
    {"question": f"Is {n} even?", "answer": "Perhaps.", "other": "Why?", "text": "So."}
    for n in range(12)
]
# Rows that two authors wrote in turn.
GROUPED = [
    {"question": f"Is {n} even?", "answer": "Perhaps.", "author": n % 2}
    for n in range(12)
]
JUDGED = [
    {"prompt": f"Is {n} even?", "chosen": "Perhaps.", "rejected": "Go away."}
    for n in range(12)
]
# Where the quick recipe's own value would hide the effect.
BESIDES = {
    "train.epochs": {"train__max_steps": 0, "train__epochs": 1.0},
    "train.max_steps": {"train__max_steps": 2},
    "train.save_steps": {"train__max_steps": 2},
    "train.keep_checkpoints": {"train__save_steps": 1},
    "train.eval_steps": {"train__max_steps": 3},
    # At such a rate the loss soon rises.
    "train.patience": {
        "train__eval_steps": 1,
        "train__max_steps": 12,
        "train__learning_rate": 1.0,
    },
    "train.keep_best": {"train__eval_steps": 1, "train__max_steps": 3},
    "train.decay_share": {
        "train__schedule": "hold_and_decay",
        "train__max_steps": 8,
    },
    "train.checkpointing": {"train__max_steps": 1},
    "train.offload": {"train__checkpointing": True},
    "train.accumulation": {"train__max_steps": 1},
    "data.group": {"data__held_out": 0.5},
    # Behind the warm-up's first step nothing is learnt yet, and all betas are alike.
    "train.beta": {"train__method": "dpo", "train__max_steps": 3},
    "train.weights": {"model__precision": "fp32"},
}


@pytest.fixture
def others(tmp_path, tiny_qwen):
    """Another model and another data file."""
    return {
        "model.name": str(tiny_qwen),
        "data.path": str(tiny.write_chats(tmp_path / "other.jsonl", tiny.chats(12))),
        "data.held_out_file": str(
            tiny.write_chats(tmp_path / "held.jsonl", tiny.chats(5))
        ),
        "data.mix": (f"{tiny.write_chats(tmp_path / 'mixed.jsonl')}=0.5",),
    }


def observed(folder, recipe, observe):
    built = Built(folder, recipe)
    try:
        return observe(built)
    finally:
        built.close()


def test_that_the_table_names_every_option():
    assert list(CASES) == list(OPTIONS)


@pytest.mark.parametrize("key", CASES)
def test_that_an_option_reaches_the_training(
    tmp_path, tiny_model, chat_file, others, key
):
    value, observe = CASES[key]
    if key in {"data.format", "data.columns"}:
        chat_file = tiny.write_chats(tmp_path / "ambiguous.jsonl", AMBIGUOUS)
    if key == "data.group":
        chat_file = tiny.write_chats(tmp_path / "grouped.jsonl", GROUPED)
    if key in {"train.method", "train.beta"}:
        chat_file = tiny.write_chats(tmp_path / "judged.jsonl", JUDGED)
    recipe = recipe_for(tiny_model, chat_file, **BESIDES.get(key, {}))
    changed = recipe.with_value(key, others[key] if value == "OTHER" else value)
    assert changed.value(key) != recipe.value(key)
    assert observed(tmp_path, changed, observe) != observed(tmp_path, recipe, observe)


@pytest.mark.parametrize(("variant", "scale"), [("lora", 16 / 4), ("rslora", 16 / 2)])
def test_that_a_kind_of_adapter_scales_by_its_rule(
    tmp_path, tiny_model, chat_file, variant, scale
):
    """Section 3.2 of Kalajdzievski (2023): alpha / sqrt(rank) keeps ranks alike."""
    recipe = recipe_for(
        tiny_model, chat_file, lora__rank=4, lora__alpha=16, lora__variant=variant
    )
    scaling = observed(tmp_path, recipe, lambda b: b.layer.scaling["default"])
    assert scaling == pytest.approx(scale)


@pytest.mark.parametrize("name", OPTIONS["train.optimizer"].choices)
def test_that_each_optimizer_is_another_one(tmp_path, tiny_model, chat_file, name):
    recipe = recipe_for(tiny_model, chat_file, train__optimizer=name)
    traits = observed(tmp_path, recipe, optimizer_traits)
    expected = {
        "adamw_fused": ("AdamW", True, False, None),
        "adamw_foreach": ("AdamW", None, False, None),
        "adamw_8bit": ("AdamW", None, False, 8),
        "paged_adamw_32bit": ("AdamW", None, True, 32),
        "paged_adamw_8bit": ("AdamW", None, True, 8),
        "lion": ("Lion", None, False, 32),
        "lion_8bit": ("Lion", None, False, 8),
        "paged_lion": ("Lion", None, True, 32),
        "paged_lion_8bit": ("Lion", None, True, 8),
        "adafactor": ("Adafactor", None, False, None),
    }
    assert traits == expected[name]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.0, 1.0, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7]),
    ],
)
def test_that_the_learning_rate_takes_its_course(
    tmp_path, tiny_model, chat_file, schedule, expected
):
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__learning_rate=1.0,
        train__schedule=schedule,
        train__warmup=0.1,
    )
    rates = observed(tmp_path, recipe, lambda b: b.rates())
    assert rates == pytest.approx(expected)


def cosine(share):
    return (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize(
    ("options", "course"),
    [
        ({"floor": 0.25}, lambda n: 0.25 + 0.75 * cosine(n / 9)),
        ({"restarts": 2}, lambda n: cosine(n % 3 / 3)),
        (
            {"schedule": "linear", "floor": 0.1},
            lambda n: 0.1 + 0.9 * (1 - n / 9),
        ),
        ({"schedule": "polynomial"}, lambda n: (1 - n / 9) ** 2),
        (
            {"schedule": "polynomial", "floor": 0.5},
            lambda n: 0.5 + 0.5 * (1 - n / 9) ** 2,
        ),
        ({"schedule": "inverse_sqrt"}, lambda n: (1 + n) ** -0.5),
        (
            {"schedule": "hold_and_decay"},
            lambda n: 1.0 if n <= 7 else 1 - math.sqrt((n - 7) / 2),
        ),
        (
            {"schedule": "hold_and_decay", "decay_share": 0.5},
            lambda n: 1.0 if n <= 4 else 1 - math.sqrt((n - 4) / 5),
        ),
        (
            {"schedule": "hold_and_decay", "decay_share": 1.0},
            lambda n: 1 - math.sqrt(n / 9),
        ),
    ],
)
def test_that_a_schedule_takes_its_course_after_one_step_of_warm_up(
    tmp_path, tiny_model, chat_file, options, course
):
    chosen = {f"train__{name}": value for name, value in options.items()}
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__learning_rate=1e-3,
        train__warmup=0.1,
        train__max_steps=10,
        **chosen,
    )
    assert not recipe.contradictions()
    rates = observed(tmp_path, recipe, lambda b: b.rates(10))
    expected = [0.0, *(1e-3 * course(step) for step in range(9))]
    assert rates == pytest.approx(expected, abs=1e-9)


def test_that_a_held_rate_rises_from_its_floor_and_falls_back_to_it(
    tmp_path, tiny_model, chat_file
):
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__learning_rate=1e-3,
        train__schedule="hold_and_decay",
        train__decay_share=0.4,
        train__floor=0.1,
        train__warmup_steps=2,
        train__max_steps=10,
    )
    assert not recipe.contradictions()
    rates = observed(tmp_path, recipe, lambda b: b.rates(10))
    falling = [1e-3 * (0.1 + 0.9 * (1 - math.sqrt(n / 4))) for n in range(4)]
    assert rates == pytest.approx([1e-4, 5.5e-4, *[1e-3] * 4, *falling], abs=1e-9)


def test_that_a_long_warm_up_is_done_before_a_rate_falls(
    tmp_path, tiny_model, chat_file
):
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__learning_rate=1e-3,
        train__schedule="hold_and_decay",
        train__warmup_steps=8,
        train__decay_share=0.5,
        train__max_steps=10,
    )
    rates = observed(tmp_path, recipe, lambda b: b.rates(10))
    rising = [1e-3 * n / 8 for n in range(8)]
    falling = [1e-3, 1e-3 * (1 - math.sqrt(1 / 2))]
    assert rates == pytest.approx([*rising, *falling], abs=1e-9)


@pytest.mark.parametrize(("epochs", "accumulation"), [(1.0, 1), (1.5, 2), (2.0, 4)])
def test_that_a_run_has_as_many_steps_as_the_recipe_says(
    tmp_path, tiny_model, chat_file, epochs, accumulation
):
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__max_steps=0,
        train__epochs=epochs,
        train__accumulation=accumulation,
    )
    assert observed(tmp_path, recipe, steps_done) == recipe.total_steps(36)


@pytest.mark.parametrize(
    ("options", "autocast"),
    [
        ({"model__compute_dtype": "bf16"}, False),
        ({"model__compute_dtype": "bf16", "lora__adapter_dtype": "fp32"}, True),
        ({"model__precision": "fp32", "model__compute_dtype": "bf16"}, True),
        ({"model__precision": "fp32", "lora__adapter_dtype": "fp32"}, False),
    ],
)
def test_that_nothing_is_cast_on_the_fly_unless_formats_differ(
    tmp_path, tiny_model, chat_file, options, autocast
):
    recipe = recipe_for(tiny_model, chat_file, **options)
    traits = observed(tmp_path, recipe, lambda b: (b.args.bf16, b.args.fp16))
    assert traits == (autocast, False)


def test_that_what_the_trainer_sees_is_what_was_labelled(
    tmp_path, tiny_model, chat_file
):
    built = Built(tmp_path, recipe_for(tiny_model, chat_file))
    batch = built.batch()
    built.close()
    rows = {tuple(row.input_ids): row.labels for row in built.run.data.training}
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    for ids, labels, length in zip(
        batch["input_ids"], batch["labels"], lengths, strict=True
    ):
        assert rows[tuple(ids[:length].tolist())] == labels[:length].tolist()
        assert set(labels[length:].tolist()) <= {-100}


def test_that_the_trainer_writes_and_reports_nothing_by_itself(
    tmp_path, tiny_model, chat_file
):
    built = Built(tmp_path, recipe_for(tiny_model, chat_file))
    built.close()
    assert built.args.report_to == []
    assert built.args.save_strategy == "no"
    assert not built.args.logging_nan_inf_filter
    assert not built.args.push_to_hub
    assert built.args.hub_token is None
    names = {
        type(callback).__name__ for callback in built.trainer.callback_handler.callbacks
    }
    assert names == {"DefaultFlowCallback", "StateKeeper", "StepReporter"}


def test_that_the_size_of_a_tile_does_not_change_the_loss(
    tmp_path, tiny_model, chat_file, monkeypatch
):
    built = Built(tmp_path, recipe_for(tiny_model, chat_file))
    batch = built.batch()
    losses = []
    for tile in (32_768, 64):  # the tiny vocabulary in one tile, and in seven
        monkeypatch.setattr(trl_utils, common.TILE_NAME, tile)
        losses.append(built.trainer.compute_loss(built.run.model, dict(batch)).item())
    built.close()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
