"""The small model that comes as a wheel: converted, adapted, merged."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open

from studio.domain.errors import ExitCode
from studio.domain.recipe_options import LoraOptions
from studio.domain.run import Phase
from studio.engine.adapter_files import put_adapter, save_adapter
from studio.engine.adapters import attach
from studio.engine.model_card import Facts
from studio.engine.model_loading import load_plain
from studio.engine.model_places import place_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import ModelPrepared, PhaseChanged, Progress
from studio.protocol.export_events import Merged
from studio.storage.models import ModelState
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for

pytestmark = [
    pytest.mark.slow,
    # gguf 0.19 sets shapes of arrays in a way that numpy 2.5 will not take.
    pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning"),
]

NAME = "SmolLM2-135M-Instruct"
PROMPTS = [
    "What is Brie?",
    "Count to ten.",
    "Zähle bis drei.",
    "def add(a, b):",
    "1. First\n\n2. Second",
    "Who wrote Faust?",
    "Once upon a time",
    "🧀?",
    "Name three blue cheeses and what to drink with each of them.",
    "x",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's home that the model is converted in, once."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("SNUGTUNE_HOME", str(home))
        # Whatever this machine's own cache holds, the wheel is what is tested.
        patch.setenv("HF_HUB_CACHE", str(home / "no-hub"))
        yield home


@pytest.fixture(scope="module")
def prepared(home):
    before = place_of(NAME)
    assert before.state is ModelState.CONVERTIBLE
    code, events = carry_out("prepare-model", name=NAME)
    assert code is ExitCode.OK, events[-1]
    return Path(events[-1].path), before, events


def test_that_the_conversion_is_told_and_leaves_a_model_that_is_ready(prepared):
    folder, _, events = prepared
    assert [event.phase for event in of_kind(events, PhaseChanged)] == [
        Phase.PREPARING_MODEL
    ]
    last = of_kind(events, Progress)[-1]
    assert last.done == last.total > 0
    assert isinstance(events[-1], ModelPrepared)
    place = place_of(NAME)
    assert (place.state, place.folder) == (ModelState.READY, folder)
    assert [entry.name for entry in folder.parent.iterdir()] == [NAME]


def test_that_a_model_is_converted_once(prepared):
    folder, _, _ = prepared
    written = (folder / "model.safetensors").stat().st_mtime_ns
    code, events = carry_out("prepare-model", name=NAME)
    assert code is ExitCode.OK
    assert of_kind(events, Progress) == []
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


def test_that_the_weights_are_the_file_s_own_numbers(prepared):
    folder, before, _ = prepared
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(before.gguf).tensors}
    same = {
        "blk.3.ffn_down.weight": "model.layers.3.mlp.down_proj.weight",
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
    }
    with safe_open(folder / "model.safetensors", "np") as weights:
        for theirs, ours in same.items():
            tensor = tensors[theirs]
            exact = gguf.dequantize(tensor.data, tensor.tensor_type)
            written = weights.get_tensor(ours)
            assert written.dtype == np.float32
            assert np.array_equal(written, exact.reshape(written.shape))


def test_that_digits_are_read_one_by_one(prepared):
    tokenizer = load_tokenizer(prepared[0])
    tokens = tokenizer.tokenize("a\n\n12 b  3")
    assert tokens == ["a", "ĊĊ", "1", "2", "Ġb", "ĠĠ", "3"]
    assert tokenizer.model_max_length == 8192


def test_that_the_model_says_nothing_of_where_it_came_from(prepared):
    for file in prepared[0].iterdir():
        assert str(prepared[1].gguf.parent).encode() not in file.read_bytes()
    assert "quantization_config" not in (prepared[0] / "config.json").read_text()


@pytest.fixture(scope="module")
def adapted(prepared, tmp_path_factory):
    """A run whose adapter is random and as loud as after training."""
    folder, place, _ = prepared
    recipe = recipe_for(NAME, "chats.jsonl")
    run = new_run(tmp_path_factory.mktemp("runs"), recipe)
    torch.manual_seed(3)
    model = attach(load_plain(folder, torch.float32), LoraOptions(rank=8))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.004)
    facts = Facts(
        place=place,
        recipe=recipe,
        data_sha256="0" * 64,
        rows=1,
        steps=1,
        of=1,
        losses={},
        versions={},
    )
    save_adapter(model, load_tokenizer(folder), facts, run.adapter_path)
    return run


def logits(model, tokenizer, prompt):
    messages = [{"role": "user", "content": prompt}]
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        return model(**encoded).logits[0]


def test_that_the_merged_model_says_what_base_and_adapter_say(
    adapted, prepared, tmp_path
):
    out = tmp_path / "merged"
    code, events = carry_out(
        "merge", run=adapted.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Merged)
    tokenizer = load_tokenizer(out)
    base = load_plain(prepared[0], torch.float32)
    alone = [logits(base, tokenizer, prompt) for prompt in PROMPTS]
    both = put_adapter(base, adapted.adapter_path)
    merged = load_plain(out, torch.float32)
    for prompt, without in zip(PROMPTS, alone, strict=True):
        expected = logits(both, tokenizer, prompt)
        off = (logits(merged, tokenizer, prompt) - expected)[-1].abs().max()
        assert off < 1e-4, prompt
        assert (without - expected).abs().max() > 0.1, prompt
    # fp32 itself rounds logits of 45 by nearly as much; computed in fp64, what is
    # left is the merge's own error, and that is small at every token.
    both, merged = both.double(), merged.double()
    for prompt in PROMPTS:
        expected = logits(both, tokenizer, prompt)
        off = (logits(merged, tokenizer, prompt) - expected).abs().max()
        assert off < 1e-4, prompt
