import json

import pytest

from studio.domain.errors import ExitCode
from studio.domain.memory.estimate import Basis, Level
from studio.domain.recipe import Recipe
from studio.engine import memory_estimate
from studio.protocol.codec import heard_estimate
from studio.protocol.events import MemoryEstimated, MemoryNotEstimated, RunFailed
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
        also=[],
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


def saved(folder, name, **options):
    recipe = Recipe().with_value("train.sequence_length", 128)
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    save_recipe(folder / name, recipe)
    return folder / name


def test_that_several_recipes_are_answered_one_by_one(home):
    _, alone = estimated(home, lora__rank=32)
    rank, clash = saved(home, "rank.toml", lora__rank=32), home / "clash.toml"
    saved(home, "clash.toml", model__precision="bf16", model__compute_dtype="fp16")
    code, events = carry_out(
        "estimate-memory",
        recipe=saved(home, "recipe.toml"),
        also=[clash, rank],
        model=home / "model",
        card_bytes=CARD,
        capability=None,
    )
    assert code is ExitCode.OK
    first, refused, second = events[1:]
    assert [event.recipe for event in events[1:]] == [0, 1, 2]
    assert [event.left for event in events[1:]] == [2, 1, 0]
    assert isinstance(refused, MemoryNotEstimated)
    assert "can't hold together" in refused.finding.what
    assert second.parts == alone.parts
    assert first.parts != second.parts


def test_that_a_rehearsal_leaves_no_trace_in_the_next(home, monkeypatch):
    paths = [saved(home, f"{rank}.toml", lora__rank=rank) for rank in (8, 16)]
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text(json.dumps(CONFIG))

    def parts_of(home_name, recipe, *also):
        monkeypatch.setenv("SNUGTUNE_HOME", str(home / home_name))
        _, events = carry_out(
            "estimate-memory",
            recipe=recipe,
            also=list(also),
            model=home / "model",
            card_bytes=CARD,
            capability=None,
        )
        return [event.parts for event in events[1:]]

    assert parts_of("forth", *paths) == parts_of("back", *reversed(paths))[::-1]


def test_that_the_timeline_is_one_step_and_reaches_its_peak(home):
    _, said = estimated(home, train__accumulation=4)
    timeline = heard_estimate(said).timeline
    phases = [phase for phase, _, _ in timeline.stretches()]
    assert phases == ["forward", "backward"] * 2 + ["optimizer step"]
    assert len(timeline.allocated) <= 210
    for phase in ("forward", "backward", "optimizer step"):
        highest = max(
            max(timeline.allocated[first:last])
            for name, first, last in timeline.stretches()
            if name == phase
        )
        assert highest == said.phase_peaks[phase]
    assert all(
        reserved >= allocated
        for allocated, reserved in zip(
            timeline.allocated, timeline.reserved, strict=True
        )
    )


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


def test_that_no_cache_of_a_card_is_drawn_for_a_processor(home):
    _, on_card = estimated(home)
    assert on_card.timeline.reserved != on_card.timeline.allocated
    _, on_processor = estimated(home, card=None)
    assert on_processor.timeline.reserved == on_processor.timeline.allocated


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_size": 3},
        CONFIG | {"num_attention_heads": 0},
        CONFIG | {"hidden_size": "wide"},
        CONFIG | {"num_hidden_layers": -1, "hidden_size": -64},
        {"model_type": "vit"},
    ],
    ids=str,
)
def test_that_a_config_which_describes_no_model_is_refused_in_words(home, config):
    code, said = estimated(home, config)
    assert code is ExitCode.BAD_INPUT, said
    assert isinstance(said, RunFailed)


@pytest.mark.parametrize(
    ("name", "number", "told"),
    [
        ("num_hidden_layers", 100_000_000, "100,000,000 as num_hidden_layers"),
        ("num_hidden_layers", -3, "-3 as num_hidden_layers"),
        ("num_hidden_layers", 0, "0 as num_hidden_layers"),
        ("hidden_size", 0, "0 as hidden_size"),
        ("vocab_size", 1 << 31, "2,147,483,648 as vocab_size"),
    ],
)
def test_that_a_count_of_no_model_is_named_before_anything_is_built(
    home, name, number, told
):
    # Each layer is built, without memory for its weights: so many would take all.
    code, said = estimated(home, CONFIG | {name: number})
    assert code is ExitCode.BAD_INPUT
    assert isinstance(said, RunFailed)
    assert told in said.message
