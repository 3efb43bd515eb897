"""Answers on a processor need no copy of the head for each prompt."""

import pytest
import torch

from studio.domain.recipe import Recipe
from studio.engine.devices import formats_of
from studio.engine.generation import answers
from studio.engine.model_loading import load_model
from studio.engine.tokenizer_loading import load_tokenizer

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
PROMPTS = ("Brie?", "Which cheese belongs on a pizza?", "Why?")


@pytest.fixture
def recipe():
    chosen = {"model.compute_dtype": "bf16", "lora.adapter_dtype": "bf16"}
    return Recipe().with_values(chosen)


def test_that_the_head_is_handed_rows_in_one_piece(tiny_model, recipe):
    formats = formats_of(recipe, CPU)
    model = load_model(tiny_model, recipe.model, formats, CPU)
    seen = []
    head = model.get_output_embeddings()
    head.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    said = list(answers(model, load_tokenizer(tiny_model), PROMPTS, formats, 3))
    assert len(said) == len(PROMPTS)
    assert len(seen[0]) == len(PROMPTS)
    assert all(hidden.is_contiguous() for hidden in seen)


def test_that_the_logits_are_those_of_the_same_rows(tiny_model, recipe):
    model = load_model(tiny_model, recipe.model, formats_of(recipe, CPU), CPU)
    head = model.get_output_embeddings()
    whole = torch.randn(3, 7, head.in_features, dtype=head.weight.dtype)
    rows = whole[:, -1:, :]
    assert not rows.is_contiguous()
    with torch.no_grad():
        expected = rows.float() @ head.weight.float().T
        assert torch.allclose(head(rows).float(), expected, atol=1e-2, rtol=2e-2)
