"""What llama.cpp's own programs make of an export, where they are on the machine.

They are found as a user's are: in the folder that SNUGTUNE_LLAMA_CPP names, else on the
path. The converter is the fetched one, which is made to know the tests' tokenizer.
"""

import json
import os
import shutil
from functools import cache
from types import SimpleNamespace

import gguf
import numpy as np
import pytest

from studio.domain.dataset import Turn
from studio.domain.errors import ExitCode
from studio.engine.parity import gguf_file
from studio.engine.parity.artefacts import GgufArtefact
from studio.engine.parity.llama_program import usable_server
from studio.engine.parity.words import rendered
from studio.engine.tokenizer_loading import load_tokenizer
from studio.storage.plugin_code import code_of
from studio.storage.plugins import exporter_plugin
from studio.system.llama_cpp import find_llama_cpp
from studio.system.resources import plugin_root
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, recipe_for, train
from tests.engine.knowing_converter import make_checkout
from tests.engine.test_parity_dates import DATED

_FOUND = find_llama_cpp()
pytestmark = [
    pytest.mark.skipif(
        _FOUND.quantizer is None or usable_server() is None,
        reason="llama-server and llama-quantize are neither in the folder that "
        "SNUGTUNE_LLAMA_CPP names nor on the path",
    ),
    # gguf 0.19 sets shapes of arrays in a way that numpy 2.5 will not take.
    pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning"),
]

PLUGIN = exporter_plugin(plugin_root(), "gguf")
FORMS = ("f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m")
# Twice as wide as other tests' models: rows fill blocks of 256, or only of 32.
SHAPES = {"fitting": 256, "falling_back": 96}


def part(name):
    return code_of("GGUF", PLUGIN.module.with_name(f"{name}.py"), (), "")


def quiet(stage, done, total, unit):
    assert 0 <= done <= total


@pytest.fixture(scope="module", params=SHAPES)
def base(request, tmp_path_factory):
    width = SHAPES[request.param]
    folder = tmp_path_factory.mktemp("base") / request.param
    changes = {"hidden_size": width, "intermediate_size": 2 * width}
    return tiny.make_model(folder, **changes)


@pytest.fixture(scope="module")
def programs(base, tmp_path_factory):
    """The user's own programs beside a converter that knows the base's tokenizer."""
    folder = tmp_path_factory.mktemp("llama.cpp") / "checkout"
    make_checkout(part("installing").installed(quiet), folder, base)
    path = os.pathsep.join(
        str(each.parent) for each in (_FOUND.quantizer, _FOUND.server)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNUGTUNE_LLAMA_CPP", str(folder))
        patch.setenv("PATH", f"{path}{os.pathsep}{os.environ['PATH']}")
        yield find_llama_cpp()


@pytest.fixture(scope="module")
def run(base, programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {"train__max_steps": 20, "train__learning_rate": 0.005}
    options |= {"model__precision": "fp32", "data__held_out": 0.1}
    found = new_run(folder, recipe_for(base, data, **options))
    code, events = train(found)
    assert code is ExitCode.OK, events[-1]
    return found


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    merged = out / "merged"
    code, events = carry_out(
        "merge", run=run.path, out=merged, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]

    @cache
    def make(form):
        folder = out / form
        folder.mkdir()
        proof = part("exporter").export(merged, folder, form, quiet)
        (file,) = folder.glob("*.gguf")
        return SimpleNamespace(folder=folder, file=file, proof=proof)

    return make


def verified(run, artefact):
    code, events = carry_out("verify", run=run.path, artefact=artefact)
    assert code is ExitCode.OK, events[-1]
    (report,) = artefact.parent.glob("*.parity.json")
    return json.loads(report.read_text(encoding="utf-8")), events[-1]


@pytest.mark.parametrize("form", FORMS)
def test_that_the_real_server_proves_an_export(exported, form):
    made = exported(form)
    assert made.proof.findings == ()
    assert dict(made.proof.figures)["Run by"] == usable_server().title
    assert gguf_file.format_of(made.file) == form


def test_that_the_real_server_says_what_was_trained(run, exported):
    told, event = verified(run, exported("f16").file)
    assert event.is_proven, told["findings"]
    assert told["reader"] == usable_server().title
    assert told["learnt"]["mean_kl"] > 0.01
    assert told["distance"]["mean_kl"] < 0.01 * told["learnt"]["mean_kl"]


def test_that_the_real_server_renders_and_splits_chats_alike(run, exported):
    ours = load_tokenizer(run.adapter_path)
    chat = [Turn("user", "Which cheese,\n“ripe”?"), Turn("assistant", " Brie.")]
    chat += [Turn("user", "  and 2,345 more é…  ")]
    with GgufArtefact(exported("f16").file).opened(256) as speaker:
        for turns in (chat[:1], chat):
            assert speaker.asked(turns) == rendered(ours, turns)


def test_that_a_date_of_the_day_is_told_and_not_red(exported, tmp_path):
    source = shutil.copytree(exported("f16").folder.parent / "merged", tmp_path / "m")
    template = source / "chat_template.jinja"
    template.write_text(DATED + template.read_text(encoding="utf-8"), encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    proof = part("exporter").export(source, out, "q8_0", quiet)
    (told,) = proof.findings
    assert told.code == "parity.date"
    assert "26 Jul 2024" in told.what
    assert proof.is_passed
    (file,) = out.glob("*.gguf")
    swap_template(file)
    wrong = part("hearing").heard(source, file, quiet)
    assert {each.code for each in wrong.findings} == {"parity.prompt"}


@pytest.fixture
def copy(exported, tmp_path):
    """A sound file, to be spoilt."""
    return shutil.copy(exported("q8_0").file, tmp_path / "spoilt.gguf")


def drop_layer(file):
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name.startswith("blk.1.") and len(tensor.shape) > 1:
            tensor.data[:] = 0


def turn_over(file):
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name == "blk.0.ffn_down.weight":
            tensor.data[:] = tensor.data[::-1].copy()


def swap_template(file):
    field = gguf.GGUFReader(file, "r+").fields["tokenizer.chat_template"]
    other = bytes(field.parts[-1]).replace(b"<|im_start|>", b"<|im_begin|>")
    field.parts[-1][:] = np.frombuffer(other, dtype=np.uint8)


def forget_end(file):
    field = gguf.GGUFReader(file, "r+").fields["tokenizer.ggml.eos_token_id"]
    field.parts[1][:] = np.frombuffer(b"tokenizer.ggml.xxx_token_id", dtype=np.uint8)


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (drop_layer, {"parity.divergence", "parity.lost"}),
        (turn_over, {"parity.divergence", "parity.lost", "parity.agreement"}),
        (swap_template, {"parity.prompt"}),
        (forget_end, {"parity.ends"}),
    ],
)
def test_that_a_wrong_file_is_red_by_the_real_server(run, copy, spoil, codes):
    spoil(copy)
    told, event = verified(run, copy)
    assert told["reader"] == usable_server().title
    found = {finding["code"] for finding in told["findings"]}
    assert found & codes, found
    assert not event.is_proven
