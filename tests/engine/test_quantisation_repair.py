"""LoftQ starts closer to the base than 4 bits are, and hands over what it trained."""

import json
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
import torch

from studio.domain.errors import ExitCode, StudioError
from studio.engine.adapter_files import put_adapter
from studio.engine.base_files import BaseTensors
from studio.engine.devices import formats_of
from studio.engine.methods import training
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.starting.held_layers import held_by
from studio.engine.starting.layers import base_of
from studio.engine.starting.loftq import four_bit_layers
from studio.engine.starting.low_rank import principal
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.export_events import Merged
from tests.engine import tiny
from tests.engine.helpers import Heard, carry_out, new_run, of_kind, recipe_for
from tests.engine.test_adapter_kinds import CPU, logits, off

pytestmark = pytest.mark.torch

LOFTQ = {
    "lora__variant": "loftq",
    "lora__adapter_dtype": "fp32",
    "lora__rank": 16,
    "train__max_steps": 8,
}
BASES = {
    "nf4": {"model__precision": "nf4"},
    "nf4, single": {"model__precision": "nf4", "model__double_quant": False},
    "fp4": {"model__precision": "fp4"},
}


@contextmanager
def run_of(folder, model, **options):
    data = tiny.write_chats(folder / "chats.jsonl")
    recipe = recipe_for(model, data, **{**LOFTQ, **options})
    run = new_run(folder, recipe)
    with closing(Heard()) as heard:
        yield training.load_run(heard.session, run, recipe, place_of(str(model)))


@pytest.fixture(scope="module", params=BASES)
def trained(request, tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("loftq")
    with run_of(folder, tiny_qwen, **BASES[request.param]) as run:
        layers = [
            (name, held_by(base_of(layer)), layer.get_delta_weight("default").clone())
            for name, layer in four_bit_layers(run.model)
        ]
        before = logits(run.model, run.tokenizer)
        training.build_trainer(run).train()
        run.finish(8, stopped=False)
        after = logits(run.model, run.tokenizer)
        return SimpleNamespace(run=run, layers=layers, before=before, after=after)


def test_that_each_layer_starts_with_the_best_product_for_what_it_lost(
    trained, tiny_qwen
):
    """Eckart and Young (1936): no product is closer than the singular vectors'.

    Randomised iteration may miss a hundredth; a wrong scale misses far more.
    """
    plain = load_plain(tiny_qwen, torch.float32)
    assert trained.layers
    for name, held, delta in trained.layers:
        lost = plain.get_parameter(f"{name}.weight") - held
        best = torch.linalg.svdvals(lost)[16:].norm()
        assert (lost - delta).norm() <= 1.01 * best
        assert (lost - delta).norm() < lost.norm()


def test_that_the_model_starts_closer_to_its_base_than_4_bits_are(trained, tiny_qwen):
    recipe = trained.run.recipe
    tokenizer = trained.run.tokenizer
    plain = logits(load_plain(tiny_qwen, torch.float32), tokenizer)
    base = load_model(tiny_qwen, recipe.model, formats_of(recipe, CPU), CPU)
    quantised = logits(base, tokenizer)
    assert (trained.before - plain).norm() < (quantised - plain).norm()


def test_that_the_adapter_on_a_fresh_base_says_what_was_trained(trained, tiny_qwen):
    recipe = trained.run.recipe
    base = load_model(tiny_qwen, recipe.model, formats_of(recipe, CPU), CPU)
    path = trained.run.directory.adapter_path
    said = logits(put_adapter(base, path), load_tokenizer(path))
    assert off(trained.after, trained.before) > 0.1
    assert off(said, trained.after) < 1e-5  # the same sums in 32 bits


def test_that_a_merged_model_says_what_was_trained(trained, tmp_path):
    code, events = carry_out(
        "merge",
        run=trained.run.directory.path,
        out=tmp_path / "merged",
        dtype="fp32",
        overwrite=False,
    )
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, Merged)
    assert "load the base" not in (tmp_path / "merged" / "README.md").read_text()
    tokenizer = load_tokenizer(tmp_path / "merged")
    merged = logits(load_plain(tmp_path / "merged", torch.float32), tokenizer)
    assert off(merged, trained.after) < 1e-3  # 32-bit sums in another order


def test_that_its_merge_is_judged_beside_what_was_trained(trained, tmp_path):
    out = tmp_path / "merged"
    run = trained.run.directory.path
    code, events = carry_out("merge", run=run, out=out, dtype="fp32", overwrite=False)
    assert code is ExitCode.OK, events[-1]
    code, events = carry_out("verify", run=run, artefact=out)
    assert code is ExitCode.OK, events[-1]
    told = json.loads((out / "parity.json").read_text())
    assert told["findings"] == []
    # The base as it was trained on is what the merged weights were made from.
    assert told["as_trained"]["mean_kl"] < 1e-6


def test_that_the_card_says_how_the_base_is_to_be_held(trained):
    card = (trained.run.directory.adapter_path / "README.md").read_text()
    held = trained.run.recipe.model.precision.value.upper()
    assert f"load the base in {held}." in card


def test_that_the_random_state_is_a_plain_adapters(tmp_path, tiny_qwen):
    with run_of(tmp_path, tiny_qwen, lora__variant="lora"):
        plain = torch.get_rng_state()
    with run_of(tmp_path, tiny_qwen):
        assert torch.equal(torch.get_rng_state(), plain)


@pytest.mark.parametrize(
    "found", [lambda _: None, torch.neg, torch.t], ids=["none", "others", "turned"]
)
def test_that_weights_which_are_not_a_layers_own_are_refused(
    found, tmp_path, tiny_qwen, monkeypatch
):
    read = BaseTensors.read

    def wrongly(self, name):
        own = read(self, name)
        return found(own) if "q_proj" in name else own

    monkeypatch.setattr(BaseTensors, "read", wrongly)
    with (
        pytest.raises(StudioError, match="q_proj"),
        run_of(tmp_path, tiny_qwen),
    ):
        pytest.fail("It was loaded.")


@pytest.mark.parametrize("shape", [(48, 96), (96, 48)])
def test_that_a_matrix_of_low_rank_is_found_whole(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape[0], 5) @ torch.randn(5, shape[1])
    left, right = principal(matrix, 5)
    assert (left @ right - matrix).norm() < 1e-4 * matrix.norm()
