"""DPO and KTO compare with the model as it was, however an adapter starts."""

import math
from contextlib import closing

import pytest
import torch
from trl.trainer.utils import use_adapter

from studio.domain.errors import ExitCode
from studio.domain.memory.estimate import Level
from studio.domain.memory.outside_formula import outside_formula
from studio.engine.methods import training
from studio.engine.model_places import place_of
from studio.engine.training_state import trained_weights
from studio.protocol.events import EvalFinished
from tests.engine import tiny
from tests.engine.helpers import Heard, new_run, of_kind, recipe_for, train
from tests.engine.test_adapter_kinds import logits
from tests.engine.test_dry_run import CARD, estimate, subject_of
from tests.engine.test_judged_methods import ROWS

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*generation:UserWarning"),
]

NF4 = {"model__precision": "nf4", "model__compute_dtype": "bf16"}
BOTH = {"lora__train_norms": True, "lora__train_embeddings": True}
STARTS = {
    "pissa": {"model__precision": "fp32", "lora__variant": "pissa"},
    "pissa in nf4": {**NF4, "lora__variant": "pissa"},
    "loftq": {**NF4, "lora__variant": "loftq", "lora__adapter_dtype": "fp32"},
    "norms": {**NF4, "lora__train_norms": True},
    "embeddings": {"lora__train_embeddings": True, "lora__adapter_dtype": "fp32"},
    "loftq, all beside": {**NF4, **BOTH, "lora__variant": "loftq"},
    "adalora": {**NF4, "lora__variant": "adalora"},
}


def asked(model, method, folder, **options):
    file = tiny.write_chats(folder / f"{method}.jsonl", ROWS[method])
    values = {"train__method": method, "train__max_steps": 12, **options}
    return recipe_for(model, file, **values)


@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("start", STARTS)
def test_that_the_model_before_training_stays_what_it_was(
    start, method, tmp_path, tiny_qwen
):
    recipe = asked(tiny_qwen, method, tmp_path, **STARTS[start])
    assert not recipe.contradictions()
    with closing(Heard()) as heard:
        run = training.load_run(
            heard.session, new_run(tmp_path, recipe), recipe, place_of(str(tiny_qwen))
        )
        trainer = training.build_trainer(run)
        before = logits(run.model, run.tokenizer)
        trainer.train()
        if run.formats.autocast:
            # The trainer casts on the fly from now on.
            run.model.forward = run.model._original_forward
        after = logits(run.model, run.tokenizer)
        learnt = {n: w.clone() for n, w in trained_weights(run.model).items()}
        with use_adapter(run.model, None):
            reference = logits(run.model, run.tokenizer)
        again = logits(run.model, run.tokenizer)
    assert torch.equal(reference, before)
    assert not torch.equal(after, before)
    assert torch.equal(again, after)
    assert "ref" not in run.model.peft_config
    for name, weight in trained_weights(run.model).items():
        assert torch.equal(weight, learnt[name]), name


@pytest.mark.parametrize("start", STARTS)
def test_that_nothing_has_gained_before_the_first_step(start, tmp_path, tiny_qwen):
    run = new_run(tmp_path, asked(tiny_qwen, "dpo", tmp_path, **STARTS[start]))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    before, *_, after = (each.loss for each in of_kind(events, EvalFinished))
    assert before == pytest.approx(math.log(2), abs=1e-6)
    assert after < before


@pytest.mark.parametrize("start", [name for name in STARTS if name != "adalora"])
def test_that_what_is_held_is_priced_by_the_dry_run_alone(start, tiny_qwen):
    values = {"model__compute_dtype": "bf16", "lora__rank": 64, **STARTS[start]}
    values = {**values, "train__micro_batch": 2, "train__method": "dpo"}
    subject = subject_of(tiny_qwen, CARD, **values)
    assert outside_formula(subject.recipe) is not None
    odds = subject_of(tiny_qwen, CARD, **{**values, "train__method": "orpo"})
    held = [estimate(each).bytes_up_to(Level.ALLOCATED) for each in (subject, odds)]
    assert held[0] > held[1]
