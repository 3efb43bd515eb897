"""A model merged tensor by tensor has the very bits of one that peft merged whole."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, PeftModelForCausalLM, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.errors import StudioError
from studio.domain.hardware import MIB
from studio.engine.base_files import INDEX
from studio.engine.merging.arithmetic import AdapterParts
from studio.engine.merging.plan import plan_of
from studio.engine.merging.streaming import merge_shard, merged_bytes, write_index
from studio.storage.safetensors_headers import read_header
from tests.engine import tiny

pytestmark = pytest.mark.torch

MODELS = {
    "llama": {"tie_word_embeddings": True},
    "qwen3": {"tie_word_embeddings": False},
    "gemma2": {"tie_word_embeddings": True, "head_dim": 16},
    "phi3": {"tie_word_embeddings": False, "pad_token_id": 0},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "gpt_neox": {"rotary_pct": 0.25},
}
SECOND = r".*\.1\..*"  # layers of the second block
KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pattern": {"rank_pattern": {SECOND: 4}, "alpha_pattern": {SECOND: 7}},
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def base_of(folder, family, *, dtype=torch.float32, shard="1GB"):
    torch.manual_seed(1)
    shape = {} if family == "gpt2" else tiny.SHAPE
    options = {**shape, "vocab_size": 300, **MODELS[family]}
    config = AutoConfig.for_model(family, **options)
    model = AutoModelForCausalLM.from_config(config).to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def adapter_of(folder, base, kind="lora", dtype=torch.float32):
    """An adapter of random numbers; without any its B would be nought."""
    torch.manual_seed(2)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    options = {"r": 8, "lora_alpha": 20, "target_modules": "all-linear", **KINDS[kind]}
    options["fan_in_fan_out"] = model.config.model_type == "gpt2"
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
    for name, parameter in adapted.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
            parameter.data = parameter.data.to(dtype)
    adapted.save_pretrained(folder)
    return folder


def streamed(base, adapter, out, dtype="fp32"):
    """Merge by the plan; what it writes, by name."""
    shards = plan_of(base, adapter)
    out.mkdir()
    read = []
    parts, count = AdapterParts(adapter), SimpleNamespace(add=read.append)
    for shard in shards:
        merge_shard(shard, parts, out / shard.path.name, DTYPES[dtype], count)
    write_index(shards, out, DTYPES[dtype])
    files = sorted(out.glob("*.safetensors"))
    held = [read_header(file) for file in files]
    weights = sum(t.size_bytes for each in held for t in each.tensors.values())
    assert weights == merged_bytes(shards, DTYPES[dtype])
    held = sum(piece.place.size_bytes for shard in shards for piece in shard.pieces)
    assert sum(read) * MIB == pytest.approx(held)
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def whole(base, adapter, dtype="fp32"):
    """The same by peft, as transformers would save it."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = PeftModelForCausalLM.from_pretrained(model, str(adapter))
    return adapted.merge_and_unload().to(DTYPES[dtype])


def assert_same_model(out, base, expected, dtype="fp32"):
    """What was written loads as a model with the expected one's bits."""
    for name in ("config.json", "generation_config.json"):
        if (base / name).exists():
            shutil.copy(base / name, out)
    found = AutoModelForCausalLM.from_pretrained(out, dtype=DTYPES[dtype]).state_dict()
    assert found.keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", MODELS)
def test_that_it_has_the_bits_of_peft_s_own_merge(tmp_path, family, kind):
    base = base_of(tmp_path / "base", family)
    adapter = adapter_of(tmp_path / "adapter", base, kind)
    before = {file.name: file.read_bytes() for file in base.iterdir()}
    streamed(base, adapter, tmp_path / "out")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))
    assert {file.name: file.read_bytes() for file in base.iterdir()} == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("held", [torch.float32, torch.bfloat16, torch.float16])
def test_that_formats_are_rounded_once_at_the_end(tmp_path, held, dtype):
    base = base_of(tmp_path / "base", "llama", dtype=held)
    adapter = adapter_of(tmp_path / "adapter", base, dtype=torch.bfloat16)
    found = streamed(base, adapter, tmp_path / "out", dtype)
    assert {tensor.dtype for tensor in found.values()} == {DTYPES[dtype]}
    expected = whole(base, adapter, dtype)
    assert_same_model(tmp_path / "out", base, expected, dtype)


def test_that_several_files_stay_several(tmp_path):
    base = base_of(tmp_path / "base", "qwen3", shard="100KB")
    adapter = adapter_of(tmp_path / "adapter", base)
    streamed(base, adapter, tmp_path / "out")
    names = {file.name for file in base.glob("*.safetensors")}
    assert len(names) > 2
    assert {file.name for file in (tmp_path / "out").glob("*.safetensors")} == names
    before = json.loads((base / INDEX).read_text())["weight_map"]
    assert json.loads((tmp_path / "out" / INDEX).read_text())["weight_map"] == before
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_tensors_larger_than_a_chunk_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.engine.merging.streaming._CHUNK_BYTES", 4096)
    base = base_of(tmp_path / "base", "llama", dtype=torch.bfloat16)
    adapter = adapter_of(tmp_path / "adapter", base)
    streamed(base, adapter, tmp_path / "out", "fp32")
    assert_same_model(tmp_path / "out", base, whole(base, adapter))


def test_that_numbers_that_are_none_are_refused(tmp_path):
    base = base_of(tmp_path / "base", "llama")
    adapter = adapter_of(tmp_path / "adapter", base)
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    next(tensor for name, tensor in weights.items() if "lora_B" in name)[0] = float(
        "nan"
    )
    save_file(weights, file)
    with pytest.raises(StudioError, match="no numbers"):
        streamed(base, adapter, tmp_path / "out")


def test_that_an_index_that_leads_out_of_its_folder_is_not_followed(tmp_path):
    base = base_of(tmp_path / "base", "qwen3", shard="100KB")
    adapter = adapter_of(tmp_path / "adapter", base)
    secret = tmp_path / "secret.safetensors"
    save_file({"secret": torch.ones(2)}, secret)
    index = json.loads((base / INDEX).read_text())
    index["weight_map"]["secret"] = "../secret.safetensors"
    (base / INDEX).write_text(json.dumps(index))
    with pytest.raises(StudioError):
        plan_of(base, adapter)


def test_that_a_part_that_belongs_nowhere_is_refused(tmp_path):
    base = base_of(tmp_path / "base", "llama")
    adapter = adapter_of(tmp_path / "adapter", base)
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    weights["base_model.model.model.layers.9.mlp.up_proj.lora_A.weight"] = torch.ones(2)
    save_file(weights, file)
    with pytest.raises(StudioError) as refused:
        plan_of(base, adapter)
    assert refused.value.finding.code == "merge.unknown-part"


def test_that_a_weight_in_another_form_is_refused(tmp_path):
    base = base_of(tmp_path / "base", "llama")
    adapter = adapter_of(tmp_path / "adapter", base)
    file = base / "model.safetensors"
    weights = load_file(file)
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].to(torch.float8_e4m3fn)
    save_file(weights, file)
    with pytest.raises(StudioError) as refused:
        plan_of(base, adapter)
    assert refused.value.finding.code == "merge.rearranged"
    assert name in refused.value.finding.what


def test_that_a_folder_without_weights_is_refused(tmp_path):
    base = base_of(tmp_path / "base", "llama")
    adapter = adapter_of(tmp_path / "adapter", base)
    (base / "model.safetensors").unlink()
    with pytest.raises(StudioError, match="can't be loaded"):
        plan_of(base, adapter)
