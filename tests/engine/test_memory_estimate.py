import json

import pytest

from studio.domain.errors import ExitCode
from studio.domain.memory.estimate import Basis, Level
from studio.domain.recipe import Recipe
from studio.engine import memory_estimate
from studio.protocol.codec import heard_estimate
from studio.protocol.events import MemoryEstimated, RunFailed
from studio.storage.recipes import save_recipe
from tests.engine.helpers import carry_out

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 400,
    "max_position_embeddings": 512,
}
MIXTURE = CONFIG | {
    "model_type": "mixtral",
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
CARD = 24 << 30


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    return tmp_path


def estimated(folder, config=CONFIG, card=CARD, **options):
    """The verb's exit code and last word, for a folder with nothing but a config."""
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text(json.dumps(config))
    recipe = Recipe().with_value("train.sequence_length", 128)
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    save_recipe(folder / "recipe.toml", recipe)
    code, events = carry_out(
        "estimate-memory",
        recipe=folder / "recipe.toml",
        model=model,
        card_bytes=card,
        capability=None,
    )
    return code, events[-1]


def test_that_a_config_alone_can_be_priced(home):
    code, said = estimated(home)
    assert code is ExitCode.OK
    found = heard_estimate(said)
    assert found.basis is Basis.DRY_RUN
    assert 0 < found.bytes_up_to(Level.ALLOCATED) < found.peak_bytes


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "qwen2"},
        {"model_type": "gemma3_text", "head_dim": 16, "sliding_window": 64},
        {"model_type": "gpt_neox"},
        {"model_type": "phi3", "pad_token_id": 0},
        {"model_type": "granite"},
    ],
    ids=str,
)
def test_that_other_architectures_are_built_by_transformers(home, changes):
    code, said = estimated(home, CONFIG | changes)
    assert code is ExitCode.OK, said
    assert heard_estimate(said).bytes_up_to(Level.ALLOCATED) > 0


def test_that_experts_stay_in_16_bit(home):
    code, said = estimated(home, MIXTURE)
    assert code is ExitCode.OK, said
    held = {part.name: part.bytes for part in said.parts}
    # Fused experts are no linear layers, which is all that the quantizer looks for.
    experts = 2 * 4 * (3 * 64 * 128) * 2
    assert held["Base weights, not quantised"] > experts


def test_that_the_same_estimate_is_kept(home, monkeypatch):
    _, first = estimated(home)

    def rehearsed(*_):
        raise AssertionError("it was rehearsed again")

    monkeypatch.setattr(memory_estimate, "_rehearsed", rehearsed)
    _, second = estimated(home, data__path="elsewhere.jsonl", train__seed=7)
    assert second.parts == first.parts


def test_that_a_changed_recipe_is_rehearsed_anew(home):
    _, first = estimated(home)
    _, second = estimated(home, lora__rank=64)
    assert second.parts != first.parts


def test_that_a_torn_estimate_is_made_anew(home):
    estimated(home)
    (kept,) = (home / "home" / "cache" / "estimates").iterdir()
    kept.write_bytes(b"{")
    code, said = estimated(home)
    assert code is ExitCode.OK
    assert isinstance(said, MemoryEstimated)


def test_that_a_model_which_nobody_knows_is_named(home):
    code, said = estimated(home, CONFIG | {"model_type": "no-such-model"})
    assert code is ExitCode.BAD_INPUT
    assert isinstance(said, RunFailed)
    assert "can't be loaded" in said.message


def test_that_formats_which_contradict_each_other_are_refused(home):
    code, said = estimated(home, model__precision="bf16", model__compute_dtype="fp16")
    assert code is ExitCode.BAD_INPUT
    assert "can't hold together" in said.message
