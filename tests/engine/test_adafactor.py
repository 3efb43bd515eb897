"""Adafactor learns at the rate it is given, and keeps and takes what is priced."""

from math import prod

import pytest
import torch

from studio.domain.memory.on_paper.tape import BLOCK
from studio.domain.memory.on_paper.weights import rounded, state_tensors
from studio.domain.memory.part_names import STATES
from studio.domain.train_options import Optimizer
from studio.engine.adapters import attach
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.rehearsal import rehearse, run_of
from studio.engine.dry_run.steps import Steps
from studio.engine.methods import training
from studio.engine.model_loading import load_model
from studio.engine.model_places import place_of
from studio.engine.trained_weights import train_all
from studio.engine.training_state import put_states, read_state
from tests.engine.helpers import Heard, new_run, recipe_for, train
from tests.engine.test_dry_run import held_by_name, subject_of, take_step

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*generation:UserWarning"),
]

ADAPTER = {"train__optimizer": "adafactor", "train__accumulation": 1}
WHOLE = {**ADAPTER, "train__weights": "all", "model__precision": "fp32"}
BF16 = {"model__precision": "bf16", "model__compute_dtype": "bf16"}
WAYS = {
    "adapter": {**ADAPTER, "model__compute_dtype": "bf16"},
    "fp32 adapter": {**ADAPTER, "lora__adapter_dtype": "fp32"},
    "whole": WHOLE,
    "whole, bf16": {**WHOLE, **BF16},
}


def loaded(subject, folder):
    """A real model, with the weights in it that are trained."""
    recipe = subject.recipe
    base = load_model(folder, recipe.model, subject.formats, torch.device("cpu"))
    return train_all(base) if recipe.trains_all else attach(base, recipe.lora)


@pytest.fixture
def stepped(tiny_qwen, tmp_path):
    """A real trainer that has taken a step, with what was rehearsed."""

    def step(way):
        subject = subject_of(tiny_qwen, **WAYS[way])
        model = loaded(subject, tiny_qwen)
        trainer = training.build_trainer(run_of(subject, model, tmp_path))
        Steps(Recorder(), subject, model, trainer).take()
        return subject, trainer

    return step


@pytest.mark.parametrize("way", WAYS)
def test_that_states_are_priced_to_the_byte(way, stepped):
    subject, trainer = stepped(way)
    total = 0
    for weight, state in trainer.optimizer.state.items():
        kept = [each for each in state.values() if isinstance(each, torch.Tensor)]
        priced, _ = state_tensors(tuple(weight.shape), 4, Optimizer.ADAFACTOR)
        assert sorted(rounded(each.nbytes) for each in kept) == sorted(priced)
        assert {each.dtype for each in kept} == {torch.float32}
        total += sum(each.nbytes for each in kept)
    assert held_by_name(rehearse(subject))[STATES] == total


def test_that_states_of_matrices_are_next_to_nothing():
    matrix, vector = (4096, 4096), (4096,)
    kept, _ = state_tensors(matrix, 2, Optimizer.ADAFACTOR)
    assert sum(kept) == BLOCK + 2 * 4 * 4096
    assert sum(kept) < 0.002 * sum(state_tensors(matrix, 2, Optimizer.ADAMW_FUSED)[0])
    assert sum(state_tensors(vector, 2, Optimizer.ADAFACTOR)[0]) == BLOCK + 4 * 4096
    experts = (8, 512, 256)
    kept, _ = state_tensors(experts, 2, Optimizer.ADAFACTOR)
    assert sum(kept) == BLOCK + 4 * 8 * (512 + 256)
    assert prod(experts) > sum(kept)


def test_that_a_step_without_memory_allocates_what_a_real_one_does(tiny_qwen, tmp_path):
    from studio.engine.dry_run.fake_model import outline
    from studio.engine.dry_run.rehearsal import load, without_memory

    subject = subject_of(tiny_qwen, **WAYS["whole, bf16"])
    bare = outline(subject.config, subject.recipe.model, subject.formats)
    with without_memory(subject) as recorder:
        model = load(bare, subject, recorder)
        fake = take_step(subject, recorder, model, tmp_path)
    with Recorder() as recorder:
        model = loaded(subject, tiny_qwen)
        real = take_step(subject, recorder, model, tmp_path)
    assert fake == real


@pytest.fixture
def moved(tmp_path, tiny_model, chat_file):
    """How far the weights move in a first step, by the rate."""
    heard = Heard()

    def move(rate):
        recipe = recipe_for(
            tiny_model,
            chat_file,
            train__optimizer="adafactor",
            train__learning_rate=rate,
            train__warmup=0.0,
            train__max_steps=1,
            lora__adapter_dtype="fp32",
        )
        place = place_of(recipe.model.name)
        run = training.load_run(heard.session, new_run(tmp_path, recipe), recipe, place)
        trainer = training.build_trainer(run)
        trainer.train()
        weights = trainer.model.named_parameters()
        lengths = {
            n: w.norm() / w.numel() ** 0.5 for n, w in weights if ".lora_B." in n
        }
        return torch.stack(list(lengths.values())).detach()

    yield move
    heard.close()


def test_that_it_steps_as_far_as_the_rate_says(moved):
    """Of B, which begins at nought, the step is all there is."""
    small, large = moved(1e-3), moved(4e-3)
    torch.testing.assert_close(large, 4 * small, rtol=1e-3, atol=0)
    # A step is held to a root mean square of the rate (Shazeer and Stern 2018, section
    # 6), whatever the gradient's length.
    assert bool((small <= 1.001e-3).all())
    assert bool((small > 0.3e-3).all())


def test_that_states_wider_than_their_weights_are_put_back_bit_for_bit(
    tmp_path, tiny_model, chat_file
):
    options = {"model__precision": "nf4", "model__compute_dtype": "bf16"}
    options["train__optimizer"] = "adafactor"
    recipe = recipe_for(tiny_model, chat_file, train__save_steps=4, **options)
    run = new_run(tmp_path, recipe)
    train(run)
    (folder,) = run.checkpoints_path.iterdir()
    given = read_state(folder)["optimizer"]
    heard = Heard()
    again = training.load_run(
        heard.session, new_run(tmp_path, recipe), recipe, place_of(str(tiny_model))
    )
    trainer = training.build_trainer(again)
    put_states(trainer.create_optimizer(), given)
    heard.close()
    told = trainer.optimizer.state_dict()
    assert told["param_groups"] == given["param_groups"]
    assert told["state"].keys() == given["state"].keys()
    narrow = 0
    for place, state in given["state"].items():
        held = told["state"][place]
        assert held["step"] == state["step"]
        for name in ("RMS", "exp_avg_sq_row", "exp_avg_sq_col"):
            assert held[name].dtype is torch.float32
            assert torch.equal(held[name], state[name])
            narrow += not torch.equal(state[name].bfloat16().float(), state[name])
    assert narrow  # BF16 would have lost digits
