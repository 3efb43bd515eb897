"""Rows that are packed together don't see each other, or the run is refused."""

import itertools

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.decoder.families import FAMILIES
from studio.domain.packing import best_fit
from studio.domain.recipe_options import Attention
from studio.engine.chat_rendering import IGNORED, TrainingRow
from studio.engine.evaluation import padded
from studio.engine.packing import (
    FlatBatch,
    PackedBatch,
    collator_for,
    example,
    packed,
    refuse_leaks,
    rows_for,
)
from studio.engine.row_store import PackedRow
from studio.protocol.events import EvalFinished, RunFailed, StepFinished
from tests.engine import tiny
from tests.engine.helpers import Heard, new_run, of_kind, recipe_for, train
from tests.engine.test_options_reach_the_trainer import Built, observed

WORDS = 97
WINDOW = 8  # shorter than a chat, so that windows end within one
LENGTHS = (11, 23, 5, 17)
SHAPE = {
    **tiny.SHAPE,
    "vocab_size": WORDS,
    "head_dim": 16,
    "num_hidden_layers": 3,
}
GPT2 = {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 128}
# What a tiny model of a family says beside the shape that most share.
SAYS = {
    "mistral": {"sliding_window": WINDOW},
    "phi3": {"sliding_window": WINDOW},
    "starcoder2": {"sliding_window": WINDOW},
    "gemma2": {"sliding_window": WINDOW},
    "gemma3_text": {
        "sliding_window": WINDOW,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "smollm3": {"no_rope_layer_interval": 2},
    "gpt2": GPT2,
    "gpt_bigcode": GPT2,
    "mixtral": {**tiny.MIXTURES["mixtral"], "num_experts_per_tok": 2},
    "qwen3_moe": {**tiny.MIXTURES["qwen3_moe"], "num_experts_per_tok": 2},
    "olmoe": {**tiny.MIXTURES["olmoe"], "num_experts_per_tok": 2},
}
# Families that the formula doesn't know, whose layers remember or bias by distance.
LEAKING = {
    "mamba": {"state_size": 8, "hidden_size": 64, "num_hidden_layers": 2},
    "bloom": {"hidden_size": 64, "n_head": 4, "n_layer": 2},
    "falcon": {
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "alibi": True,
    },
}


def tiny_of(family, attention="eager"):
    torch.manual_seed(0)
    own = GPT2 if SAYS.get(family) is GPT2 else SHAPE
    if family in LEAKING:
        own = {}
    says = {**own, **SAYS.get(family, LEAKING.get(family, {}))}
    tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(family, **{**says, "vocab_size": WORDS, **tokens})
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    # Larger than at birth, so that attention decides and not the residual stream.
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
    return model.eval()


def texts(seed=0):
    chance = torch.Generator().manual_seed(seed)
    made = [torch.randint(3, WORDS, (n,), generator=chance).tolist() for n in LENGTHS]
    return [TrainingRow(ids, list(ids)) for ids in made]


def logits(model, **batch):
    batch.pop("labels", None)
    batch.pop("tokens", None)
    with torch.no_grad():
        return model(**batch, use_cache=False).logits


def of_each(rows, scores):
    """The logits of each chat in packed rows' logits."""
    found = []
    for row, score in zip(rows, scores, strict=True):
        found += score[: sum(row.lengths)].split(list(row.lengths))
    return found


def alone(model, rows):
    return [logits(model, input_ids=torch.tensor([row.input_ids]))[0] for row in rows]


def two_packs(rows):
    """Two rows of unlike length, so that one is padded."""
    return [packed(rows[:3]), packed(rows[3:])]


# Gemma 2 caps its scores, so that SDPA is refused before.
@pytest.mark.parametrize(
    ("family", "attention"),
    [
        (family, attention)
        for family in FAMILIES
        for attention in ("sdpa", "eager")
        if (family, attention) != ("gemma2", "sdpa")
    ],
)
def test_that_a_packed_chat_scores_as_it_does_alone(family, attention):
    model, rows = tiny_of(family, attention), texts()
    packs = two_packs(rows)
    scores = logits(model, **PackedBatch(0)([example(row) for row in packs]))
    for got, wanted in zip(of_each(packs, scores), alone(model, rows), strict=True):
        scale = wanted.abs().max()
        assert (got - wanted).abs().max() <= 1e-5 * scale
        assert scale > 0.01


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text", "gpt2"])
def test_that_joined_chats_score_as_they_do_alone(family):
    # As FlashAttention gets them; here the mask is made of the positions.
    model, rows = tiny_of(family, "sdpa"), texts()
    batch = FlatBatch()([example(row) for row in two_packs(rows)])
    scores = logits(model, **batch)[0].split(list(LENGTHS))
    for got, wanted in zip(scores, alone(model, rows), strict=True):
        assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text", "gpt2"])
def test_that_no_chat_moves_another(family, attention):
    model, rows, others = tiny_of(family, attention), texts(), texts(seed=1)
    changed = [rows[0], others[1], *rows[2:]]
    before, after = (
        of_each(packs, logits(model, **PackedBatch(0)([example(p) for p in packs])))
        for packs in (two_packs(rows), two_packs(changed))
    )
    for place in (0, 2, 3):
        assert torch.equal(before[place], after[place])
    assert not torch.allclose(before[1], after[1])


def test_that_a_batch_without_positions_would_mix_chats():
    # What the tests above would see if packing did nothing.
    model, rows = tiny_of("llama", "sdpa"), texts()
    whole = packed(rows)
    scores = logits(model, input_ids=torch.tensor([whole.input_ids]))
    second = of_each([whole], scores)[1]
    wanted = alone(model, rows)[1]
    assert (second - wanted).abs().max() > 0.01 * wanted.abs().max()


def test_that_where_one_chat_begins_flash_attention_is_told():
    batch = FlatBatch()([example(row) for row in two_packs(texts())])
    assert batch["cu_seq_lens_q"].tolist() == [0, 11, 34, 39, 56]
    assert batch["cu_seq_lens_q"].dtype is torch.int32
    assert batch["max_length_q"] == batch["max_length_k"] == 23
    assert batch["position_ids"][0, [0, 11, 34, 39]].tolist() == [0, 0, 0, 0]
    assert "attention_mask" not in batch


def test_that_each_kernel_gets_the_batch_it_needs(tiny_model, chat_file):
    recipe = recipe_for(tiny_model, chat_file)
    flash = recipe.with_value("model.attention", Attention.FLASH)
    assert isinstance(collator_for(recipe, 0), PackedBatch)
    assert isinstance(collator_for(flash, 0), FlatBatch)


def test_that_the_first_token_of_a_chat_is_not_learnt_from_the_one_before():
    row = packed(texts())
    starts = [0, 11, 34, 39]
    assert all(row.labels[at] == IGNORED for at in starts)
    assert sum(label == IGNORED for label in row.labels) == len(starts)
    assert row.trained_tokens == sum(each.trained_tokens for each in texts())


def test_that_what_pads_a_row_is_neither_read_nor_learnt():
    batch = PackedBatch(7)([example(row) for row in two_packs(texts())])
    assert batch["input_ids"].shape == (2, 39)
    assert set(batch["input_ids"][1, 17:].tolist()) == {7}
    assert set(batch["labels"][1, 17:].tolist()) == {IGNORED}
    assert batch["position_ids"][1, 16:19].tolist() == [16, 0, 1]
    assert batch["tokens"] == sum(LENGTHS)


def packing(model, data, **options):
    return recipe_for(model, data, train__packing=True, **options)


def test_that_every_row_is_packed_once_and_in_whole(tmp_path, tiny_model, chat_file):
    built = Built(tmp_path, packing(tiny_model, chat_file, train__epochs=1.0))
    loader = list(built.trainer.get_train_dataloader())
    built.close()
    seen = []
    for batch in loader:
        for ids, at in zip(batch["input_ids"], batch["position_ids"], strict=True):
            bounds = [*(at == 0).nonzero().flatten().tolist(), len(ids)]
            pairs = itertools.pairwise(bounds)
            seen += [tuple(ids[start:stop].tolist()) for start, stop in pairs]
    wanted = [tuple(row.input_ids) for row in built.run.data.training]
    assert sorted(s for s in seen if set(s) != {0}) == sorted(wanted)
    assert max(batch["input_ids"].shape[1] for batch in loader) <= 128


@pytest.mark.parametrize("rows", [1, 4])
def test_that_the_loss_is_that_of_the_rows_one_by_one(
    tmp_path, tiny_model, chat_file, rows
):
    built = Built(tmp_path, packing(tiny_model, chat_file, train__micro_batch=rows))
    trainer, model = built.trainer, built.run.model.eval()
    packs = rows_for(built.run.recipe, built.run.data.training)[:rows]
    batch = trainer.data_collator([example(pack) for pack in packs])
    with torch.no_grad():
        whole = trainer.compute_loss(model, batch).item()
        chats = [chat for pack in packs for chat in parted(pack)]
        device = next(model.parameters()).device
        scored = [model(**padded([c], device), fused_lm_head=True) for c in chats]
    built.close()
    losses = [-each.log_probs.sum().item() for each in scored]
    tokens = sum(chat.trained_tokens for chat in chats)
    assert len(chats) > len(packs)
    assert whole == pytest.approx(sum(losses) / tokens, rel=1e-5)


def parted(pack):
    bounds = torch.tensor([0, *pack.lengths]).cumsum(0).tolist()
    for start, stop in itertools.pairwise(bounds):
        yield TrainingRow(pack.input_ids[start:stop], pack.labels[start:stop])


def test_that_checkpointing_does_not_change_what_is_learnt(
    tmp_path, tiny_model, chat_file
):
    def losses(*, checkpointing):
        recipe = packing(tiny_model, chat_file, train__checkpointing=checkpointing)
        code, events = train(new_run(tmp_path, recipe))
        assert code == 0
        return [event.loss for event in of_kind(events, StepFinished)]

    assert losses(checkpointing=True) == pytest.approx(losses(checkpointing=False))


def test_that_steps_follow_the_packs_and_tokens_are_the_chats_own(
    tmp_path, tiny_model, chat_file
):
    recipe = packing(
        tiny_model, chat_file, train__max_steps=0, train__epochs=1.0, lora__rank=2
    )
    built = Built(tmp_path, recipe)
    rows = built.run.data.training
    packs = rows_for(recipe, rows)
    built.trainer.train()
    built.close()
    assert len(packs) < len(rows)
    assert built.trainer.state.global_step == recipe.total_steps(len(packs))
    assert built.trainer.state.log_history[-2]["num_tokens"] == sum(
        len(row.input_ids) for row in rows
    )


def test_that_the_held_out_loss_is_measured_as_without_packing(
    tmp_path, tiny_model, chat_file
):
    def first_loss(*, is_packed):
        recipe = recipe_for(tiny_model, chat_file, train__packing=is_packed)
        _, events = train(new_run(tmp_path, recipe))
        return of_kind(events, EvalFinished)[0].loss

    assert first_loss(is_packed=True) == first_loss(is_packed=False)


def test_that_packing_learns(tmp_path, tiny_model, chat_file):
    recipe = packing(tiny_model, chat_file, train__micro_batch=1, train__max_steps=12)
    code, events = train(new_run(tmp_path, recipe))
    before, after = (event.loss for event in of_kind(events, EvalFinished))
    assert code == 0
    assert after < before - 0.5


def test_that_packed_rows_come_in_an_order_by_chance(tmp_path, tiny_model, chat_file):
    recipe = packing(tiny_model, chat_file)
    strategy = observed(tmp_path, recipe, lambda b: b.args.train_sampling_strategy)
    assert strategy == "random"


@pytest.mark.parametrize("family", LEAKING)
def test_that_a_model_which_would_mix_packed_rows_is_refused(
    tmp_path, chat_file, family
):
    folder = tmp_path / family
    tokenizer = tiny.make_tokenizer()
    model = tiny_of(family)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    options = {"model__attention": "eager", "model__precision": "fp32"}
    if family == "mamba":
        options["lora__targets"] = ("in_proj",)
    recipe = packing(folder, chat_file, **options, lora__adapter_dtype="fp32")
    code, events = train(new_run(tmp_path, recipe))
    failed = of_kind(events, RunFailed)[0]
    assert code != 0
    assert "leak into each other" in failed.message
    assert "train.packing" in failed.advice
    assert not of_kind(events, StepFinished)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model__precision": "int8"},
        {"model__compute_dtype": "bf16"},
        {"model__compute_dtype": "bf16", "model__attention": "eager"},
    ],
    ids=str,
)
def test_that_a_model_which_keeps_rows_apart_is_not_refused(
    tmp_path, tiny_qwen, chat_file, options
):
    heard = Heard()
    recipe = packing(tiny_qwen, chat_file, **options)
    built = Built(tmp_path, recipe)
    state = torch.get_rng_state()
    refuse_leaks(built.trainer, built.run.formats)
    assert torch.equal(torch.get_rng_state(), state)
    assert built.run.model.training
    built.close()
    heard.close()


def test_that_what_is_packed_stays_packed(tiny_model, chat_file):
    rows = rows_for(packing(tiny_model, chat_file), texts())
    assert rows_for(packing(tiny_model, chat_file), rows) is rows
    assert all(isinstance(row, PackedRow) for row in rows)
    assert rows_for(recipe_for(tiny_model, chat_file), texts()) == texts()
    assert len(rows) == len(best_fit(LENGTHS, 128)) == 1
