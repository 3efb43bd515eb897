"""Trained experts are merged one by one, with the bits of peft's own merge."""

import json
from itertools import pairwise

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.errors import StudioError
from studio.domain.recipe_options import LoraOptions, LoraVariant
from studio.engine.adapters import attach
from studio.engine.base_files import INDEX
from studio.engine.merging.plan import plan_of
from studio.engine.merging.streaming import _read
from studio.engine.random_weights import write_random_model
from tests.engine import tiny
from tests.engine.test_streamed_merge import assert_same_model, streamed, whole

pytestmark = [
    pytest.mark.torch,
    # peft 0.21 looks for the rank of fused experts among modules; they are parameters.
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning"),
]

# One of each way in which transformers numbers, names and surrounds experts.
FAMILIES = {
    **tiny.MIXTURES,
    "deepseek_v3": {
        "n_routed_experts": 4,
        "moe_intermediate_size": 32,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 16,
        "v_head_dim": 16,
    },
    "glm4_moe": {
        "n_routed_experts": 4,
        "moe_intermediate_size": 32,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
        "head_dim": 16,
    },
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_intermediate_size": 32, "moe_k": 2},
    "minimax_m2": {"num_local_experts": 4, "head_dim": 16, "rotary_dim": 16},
}
STACKED = {
    "gpt_oss": {"num_local_experts": 4, "head_dim": 16},
    "llama4_text": {
        "num_local_experts": 4,
        "head_dim": 16,
        "intermediate_size_mlp": 64,
    },
}


def base_of(folder, family, *, dtype=torch.float32, shard="1GB", experts=4, **changes):
    torch.manual_seed(1)
    shape = {**tiny.SHAPE, "vocab_size": 300, "num_experts_per_tok": 2}
    own = (FAMILIES | STACKED)[family]
    if experts != 4:
        own = own | {name: experts for name in own if name.endswith("experts")}
    shape |= {"tie_word_embeddings": False, **own, **changes}
    config = AutoConfig.for_model(family, **shape)
    model = AutoModelForCausalLM.from_config(config).to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def filled(adapted, folder):
    """An adapter of random numbers; without any its B would be nought."""
    torch.manual_seed(2)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(folder)
    return folder


def adapter_of(folder, base, variant=LoraVariant.LORA, rank=6):
    """An adapter as the engine puts it on a mixture."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    options = LoraOptions(rank=rank, alpha=20, variant=variant)
    return filled(attach(model, options), folder)


def stack_files(base):
    """Let a base's files hold stacks, as the model does."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    file = base / "model.safetensors"
    save_file(dict(model.state_dict()), file, metadata={"format": "pt"})
    return file


def experts_of(shards):
    return [
        piece
        for shard in shards
        for piece in shard.pieces
        if piece.target and piece.target.experts
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_that_experts_are_merged_to_peft_s_own_bits(tmp_path, family):
    base = base_of(tmp_path / "base", family)
    adapter = adapter_of(tmp_path / "adapter", base)
    pieces = experts_of(plan_of(base, adapter))
    assert {len(piece.place.shape) for piece in pieces} == {2}
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


@pytest.mark.parametrize(
    ("hidden", "inner", "rank"), [(256, 768, 16), (512, 208, 33), (1024, 336, 1)]
)
def test_that_wider_experts_have_the_same_bits_alone(tmp_path, hidden, inner, rank):
    changes = {"hidden_size": hidden, "moe_intermediate_size": inner}
    base = base_of(tmp_path / "base", "qwen3_moe", num_hidden_layers=1, **changes)
    adapter = adapter_of(tmp_path / "adapter", base, rank=rank)
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_the_scale_of_a_rank_stabilised_adapter_is_kept(tmp_path):
    base = base_of(tmp_path / "base", "qwen3_moe")
    adapter = adapter_of(tmp_path / "adapter", base, LoraVariant.RSLORA)
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_that_experts_are_rounded_once_at_the_end(tmp_path, dtype):
    base = base_of(tmp_path / "base", "mixtral", dtype=torch.bfloat16)
    adapter = adapter_of(tmp_path / "adapter", base)
    streamed(base, adapter, tmp_path / "out", dtype)
    expected = whole(base, adapter, dtype)
    assert_same_model(tmp_path / "out", base, expected, dtype)


def test_that_more_than_ten_experts_keep_their_numbers(tmp_path):
    """In the order of letters the tenth comes before the second."""
    base = base_of(tmp_path / "base", "olmoe", experts=12)
    adapter = adapter_of(tmp_path / "adapter", base)
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_experts_of_one_stack_may_lie_in_several_files(tmp_path):
    base = base_of(tmp_path / "base", "olmoe", shard="20KB", experts=12)
    adapter = adapter_of(tmp_path / "adapter", base)
    shards = plan_of(base, adapter)
    held = [{piece.target.name for piece in experts_of([shard])} for shard in shards]
    assert any(one & other for one, other in pairwise(held))
    streamed(base, adapter, tmp_path / "out")
    before = json.loads((base / INDEX).read_text())["weight_map"]
    assert json.loads((tmp_path / "out" / INDEX).read_text())["weight_map"] == before
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_files_with_whole_stacks_keep_them(tmp_path):
    base = base_of(tmp_path / "base", "qwen3_moe")
    file = stack_files(base)
    adapter = adapter_of(tmp_path / "adapter", base)
    pieces = experts_of(plan_of(base, adapter))
    assert {len(piece.place.shape) for piece in pieces} == {3}
    found = streamed(base, adapter, tmp_path / "out")
    assert found.keys() == load_file(file).keys()
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


@pytest.mark.parametrize("family", STACKED)
def test_that_stacks_that_are_published_whole_are_merged(tmp_path, family):
    """An adapter from elsewhere: the engine leaves these experts alone."""
    base = base_of(tmp_path / "base", family)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    wanted = LoraConfig(
        task_type="CAUSAL_LM",
        r=4,
        target_modules=["q_proj"],
        target_parameters=["experts.gate_up_proj", "experts.down_proj"],
    )
    adapter = filled(get_peft_model(model, wanted), tmp_path / "adapter")
    assert experts_of(plan_of(base, adapter))
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_a_stack_with_a_missing_expert_is_refused(tmp_path):
    base = base_of(tmp_path / "base", "mixtral")
    adapter = adapter_of(tmp_path / "adapter", base)
    file = base / "model.safetensors"
    weights = load_file(file)
    lost = "model.layers.1.block_sparse_moe.experts.2.w3.weight"
    del weights[lost]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(StudioError) as refused:
        plan_of(base, adapter)
    assert refused.value.finding.code == "merge.rearranged"
    assert "layers.1.mlp.experts.gate_up_proj" in refused.value.finding.what


@pytest.mark.parametrize("stacked", [False, True])
def test_that_one_expert_is_held_at_a_time(tmp_path, monkeypatch, stacked):
    base = base_of(tmp_path / "base", "olmoe", experts=12)
    if stacked:
        stack_files(base)
    adapter = adapter_of(tmp_path / "adapter", base)
    read = []

    def watched(source, begin, size):
        read.append(size)
        return _read(source, begin, size)

    monkeypatch.setattr("studio.engine.merging.streaming._CHUNK_BYTES", 4096)
    monkeypatch.setattr("studio.engine.merging.streaming._read", watched)
    streamed(base, adapter, tmp_path / "out")
    hidden, inner = tiny.SHAPE["hidden_size"], tiny.SHAPE["intermediate_size"]
    assert max(read) == 4 * hidden * inner * (2 if stacked else 1)


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe"])
def test_that_a_random_model_can_be_written_as_it_is_published(tmp_path, family):
    base = base_of(tmp_path / "base", family)
    write_random_model(base, tmp_path / "random", as_published=True)
    own = load_file(base / "model.safetensors")
    (file,) = (tmp_path / "random").glob("*.safetensors")
    made = load_file(file)
    assert {name: each.shape for name, each in made.items()} == {
        name: each.shape for name, each in own.items()
    }
