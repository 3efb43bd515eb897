"""The certificate: a sound export is proven, and each kind of wrong one is caught."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.errors import ExitCode
from studio.protocol.export_events import ParityMeasured
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, recipe_for, train

pytestmark = pytest.mark.torch

OTHER_TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {"train__max_steps": 20, "train__learning_rate": 0.005}
    found = new_run(folder, recipe_for(tiny_qwen, data, **options))
    code, events = train(found)
    assert code is ExitCode.OK, events[-1]
    return found


@pytest.fixture(scope="module")
def sound(run, tmp_path_factory):
    """What is exported as it should be, in each format."""
    folder = tmp_path_factory.mktemp("sound")
    for dtype in ("fp32", "bf16"):
        assert merge(run, folder / dtype, dtype) is ExitCode.OK
    return folder


@pytest.fixture(params=["fp32", "bf16"])
def export(request, sound, tmp_path):
    """A copy of a sound one, to be spoilt."""
    return shutil.copytree(sound / request.param, tmp_path / request.param)


def merge(run, out, dtype):
    code, _ = carry_out("merge", run=run.path, out=out, dtype=dtype, overwrite=False)
    return code


def verified(run, artefact):
    """The report of a comparison, and the event that ended it."""
    code, events = carry_out("verify", run=run.path, artefact=artefact)
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], ParityMeasured)
    return json.loads((artefact / "parity.json").read_text()), events[-1]


def codes(run, artefact):
    told, event = verified(run, artefact)
    assert event.is_proven is told["proven"]
    assert told["proven"] is not bool(told["findings"])
    return {finding["code"] for finding in told["findings"]}


def respoilt(run, export, spoil):
    """The same export made of an adapter whose weights were spoilt."""
    other = shutil.copytree(run.path, export.parent / "runs" / "run-1")
    file = other / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    spoil(weights)
    save_file(weights, file, metadata={"format": "pt"})
    shutil.rmtree(export)
    code, events = carry_out(
        "merge", run=other, out=export, dtype=export.name, overwrite=False
    )
    assert code is ExitCode.OK, events[-1]


def test_that_a_sound_export_is_proven(run, export):
    told, event = verified(run, export)
    assert told["findings"] == []
    assert event.is_proven
    assert told["format"] == export.name
    assert told["learnt"]["mean_kl"] > 0.01
    assert told["distance"]["tokens"] > 100
    assert told["distance"]["mean_kl"] < told["limits"]["mean_kl"]
    assert told["as_trained"]["mean_kl"] > told["distance"]["mean_kl"]
    assert len(told["answers"]) >= 6


def test_that_the_page_tells_it_to_people(run, export):
    _, event = verified(run, export)
    page = (export / "parity.html").read_text()
    assert event.report == str(export / "parity.html")
    assert "It says what was trained." in page
    assert "Who are you, and what can you do?" in page
    assert "<script" not in page


def test_that_a_transposed_matrix_is_caught(run, export):
    def spoil(weights):
        for name, tensor in weights.items():
            if "lora_B" in name:
                rows, rank = tensor.shape
                weights[name] = tensor.reshape(rank, rows).T.contiguous()

    respoilt(run, export, spoil)
    assert "parity.divergence" in codes(run, export) or "parity.lost" in codes(
        run, export
    )


@pytest.mark.parametrize("layer", [0, 1])
def test_that_a_dropped_layer_is_caught(run, export, layer):
    def spoil(weights):
        for name in [each for each in weights if f".layers.{layer}." in each]:
            del weights[name]

    respoilt(run, export, spoil)
    assert "parity.lost" in codes(run, export)


def test_that_a_swapped_template_is_caught(run, export):
    (export / "chat_template.jinja").write_text(OTHER_TEMPLATE)
    assert codes(run, export) == {"parity.prompt"}


def test_that_a_missing_end_is_caught(run, export):
    settings = export / "tokenizer_config.json"
    told = json.loads(settings.read_text())
    told["eos_token"] = None
    settings.write_text(json.dumps(told))
    generation = export / "generation_config.json"
    told = json.loads(generation.read_text())
    told.pop("eos_token_id", None)
    generation.write_text(json.dumps(told))
    assert "parity.ends" in codes(run, export)


def test_that_weights_of_the_base_alone_are_caught(run, export, tiny_qwen):
    weights = load_file(tiny_qwen / "model.safetensors")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[export.name]
    weights = {name: tensor.to(dtype) for name, tensor in weights.items()}
    save_file(weights, export / "model.safetensors", metadata={"format": "pt"})
    assert "parity.lost" in codes(run, export)


def test_that_numbers_that_are_none_are_caught(run, export):
    weights = load_file(export / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, export / "model.safetensors", metadata={"format": "pt"})
    assert "parity.divergence" in codes(run, export)


def test_that_data_that_is_gone_leaves_the_prompts(run, export, tmp_path):
    other = shutil.copytree(run.path, tmp_path / "elsewhere" / "run-1")
    recipe = other / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("chats.jsonl", "gone.jsonl"))
    code, events = carry_out("verify", run=other, artefact=export)
    assert code is ExitCode.OK, events[-1]
    told = json.loads((export / "parity.json").read_text())
    assert told["proven"]
    assert told["distance"]["trained_perplexity"] is None


def test_that_a_folder_without_a_model_is_refused(run, tmp_path):
    code, events = carry_out("verify", run=run.path, artefact=tmp_path)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "parity.no-model"
