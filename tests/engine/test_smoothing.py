"""Smoothed labels reach loss and gradients as the full logits would give them."""

import pytest
import torch
from transformers.trainer_pt_utils import LabelSmoother

from studio.domain.errors import StudioError
from studio.domain.memory.outside_formula import outside_formula
from studio.engine.smoothing import smooth
from tests.engine.helpers import recipe_for
from tests.engine.test_options_reach_the_trainer import Built

pytestmark = pytest.mark.torch
SHARE = 0.2


def gradients(built, loss):
    built.run.model.zero_grad()
    loss.backward()
    named = built.run.model.named_parameters()
    return {name: w.grad.clone() for name, w in named if w.grad is not None}


@pytest.mark.parametrize("packs", [False, True])
def test_that_the_loss_is_that_of_all_logits(tmp_path, tiny_model, chat_file, packs):
    recipe = recipe_for(
        tiny_model,
        chat_file,
        train__label_smoothing=SHARE,
        train__packing=packs,
        model__precision="fp32",
        lora__adapter_dtype="fp32",
    )
    built = Built(tmp_path, recipe)
    batch = built.batch()
    ours = built.trainer.compute_loss(built.run.model, dict(batch))
    mine = gradients(built, ours)
    asked = {k: v for k, v in batch.items() if k in {"input_ids", "position_ids"}}
    asked["attention_mask"] = batch.get("attention_mask")
    logits = built.run.model(**asked, use_cache=False).logits
    theirs = LabelSmoother(epsilon=SHARE)(
        {"logits": logits}, batch["labels"], shift_labels=True
    )
    expected = gradients(built, theirs)
    built.close()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert mine.keys() == expected.keys()
    for name, grad in mine.items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-4, atol=1e-6)


def test_that_what_is_measured_is_not_smoothed(tmp_path, tiny_model, chat_file):
    losses = []
    for share in (0.0, SHARE):
        recipe = recipe_for(tiny_model, chat_file, train__label_smoothing=share)
        built = Built(tmp_path, recipe)
        built.trainer.compute_loss(built.run.model, built.batch())
        built.run.evaluate(0)
        losses.append(built.run.losses[0])
        built.close()
    assert losses[0] == losses[1]


def test_that_a_model_that_caps_its_logits_is_refused(tmp_path, tiny_model, chat_file):
    built = Built(tmp_path, recipe_for(tiny_model, chat_file))
    built.run.model.config.final_logit_softcapping = 30.0
    with pytest.raises(StudioError, match="caps its logits"):
        smooth(built.trainer, SHARE)
    built.close()


def test_that_no_formula_claims_to_price_it(tiny_model, chat_file):
    smoothed = recipe_for(tiny_model, chat_file, train__label_smoothing=SHARE)
    assert outside_formula(smoothed) is not None
