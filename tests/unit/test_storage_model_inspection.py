"""What a folder tells of its model; strangers' broken files get sentences."""

import json
import os
import struct

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.families import FAMILIES
from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.storage.model_inspection import inspect
from studio.storage.safetensors_headers import read_header

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 32,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}
WEIGHTS = ModelArchitecture.from_config(LLAMA).parameters


def tensors(entries=WEIGHTS, form="BF16", width=2):
    return {
        "w": {"dtype": form, "shape": [entries], "data_offsets": [0, entries * width]}
    }


def safetensors(header, held=2 * WEIGHTS, length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(held)


def write(folder, **files):
    """Files by name, dots as double underscores; JSON unless bytes or text."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def whole(tmp_path):
    return write(
        tmp_path / "model",
        config__json=LLAMA,
        model__safetensors=safetensors({"__metadata__": {"format": "pt"}} | tensors()),
        tokenizer_config__json={"chat_template": "{{ messages }}"},
        README__md="---\nlicense: apache-2.0\ntags:\n- x\n---\n# A model\n",
    )


def codes(folder):
    return [finding.code for finding in inspect(folder).findings]


def test_that_a_whole_model_tells_all_of_itself(whole):
    found = inspect(whole)
    assert found.findings == ()
    assert (found.family, found.is_known) == ("llama", True)
    assert (found.parameters, found.parameters_from) == (WEIGHTS, "headers")
    assert (found.format, found.formats) == ("BF16", {"BF16": WEIGHTS})
    assert found.size_bytes == (whole / "model.safetensors").stat().st_size
    assert (found.layers, found.hidden, found.heads, found.key_heads) == (1, 8, 2, 1)
    assert (found.context, found.vocabulary, found.tied) == (64, 32, True)
    assert found.has_chat_template
    assert found.licence == "apache-2.0"
    assert found.quantization == ""


def test_that_a_config_alone_is_priced_but_not_trained(tmp_path):
    folder = write(tmp_path, config__json=LLAMA, chat_template__jinja="{{ x }}")
    found = inspect(folder)
    assert (found.parameters, found.parameters_from) == (WEIGHTS, "config")
    assert codes(folder) == ["model.no-weights"]


def test_that_an_unknown_family_is_a_remark_and_its_numbers_are_told(whole):
    write(whole, config__json={**LLAMA, "model_type": "brand\x1b[31mnew"})
    found = inspect(whole)
    assert not found.is_known
    assert (found.layers, found.parameters) == (1, WEIGHTS)
    (finding,) = found.findings
    assert finding.severity is Severity.INFO
    assert "dry run" in finding.how_to_fix
    assert "\x1b" not in finding.what + found.family


def test_that_a_quantised_model_is_said_to_be_so_and_counted_by_its_config(whole):
    packed = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    write(whole, config__json={**LLAMA, "quantization_config": packed})
    found = inspect(whole)
    assert found.quantization == "bitsandbytes"
    assert found.parameters_from == "config"
    assert codes(whole) == ["model.quantized"]


def test_that_foreign_code_a_missing_template_and_missing_weights_are_told(whole):
    write(
        whole,
        config__json={**LLAMA, "auto_map": {"AutoModel": "evil.Model"}},
        tokenizer_config__json={},
        model__safetensors=safetensors(tensors(100), held=200),
    )
    assert codes(whole) == [
        "model.foreign-code",
        "model.no-chat-template",
        "model.weights-missing",
    ]


@pytest.mark.parametrize(
    ("matter", "licence"),
    [
        ("---\r\nlicense: mit\r\n---\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: my-licence\n---\n", "my-licence"),
        ("---\nlicense: 'gemma'\n---", "gemma"),
        ("# no matter\nlicense: mit\n", ""),
        ("---\nlicense: mit\n", ""),
        ("---\nlicense: \x1b[31mred\n---\n", "[31mred"),
    ],
)
def test_that_the_licence_is_what_the_front_matter_names(whole, matter, licence):
    (whole / "README.md").write_bytes(matter.encode())
    assert inspect(whole).licence == licence


LONG = 17 << 20
BROKEN_HEADERS = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "header longer than the file": safetensors(b"{}", held=0, length=1 << 40),
    "header of 2^64 - 1": b"\xff" * 8 + b"{}",
    "header longer than any model's": safetensors(b" " * LONG, held=0),
    "no JSON": safetensors(b"{nonsense"),
    "a list": safetensors(b"[1, 2]"),
    "nested without end": safetensors(b"[" * 100_000, held=0),
    "unknown format": safetensors(tensors(form="Q4_K")),
    "negative shape": safetensors({"w": {**tensors()["w"], "shape": [-1, -WEIGHTS]}}),
    "true as a size": safetensors({"w": {**tensors()["w"], "shape": [True]}}),
    "a shape beyond measure": safetensors(
        {"w": {**tensors()["w"], "shape": [2**62] * 64}}
    ),
    "no place": safetensors({"w": {"dtype": "BF16", "shape": [1]}}),
    "place and shape differ": safetensors(
        {"w": {**tensors()["w"], "data_offsets": [0, 2]}}
    ),
    "overlapping": safetensors(tensors() | {"v": tensors()["w"]}),
    "gap": safetensors(
        {"w": {"dtype": "U8", "shape": [1], "data_offsets": [9, 10]}}, held=10
    ),
    "trailing bytes": safetensors(tensors(), held=2 * WEIGHTS + 1),
    "a name of control characters": safetensors({"\x1b[2J\ud800" * 99: {}}),
}


@pytest.mark.parametrize("content", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS)
def test_that_a_broken_weights_file_is_told_in_a_sentence(whole, content):
    write(whole, model__safetensors=content)
    found = inspect(whole)
    (finding,) = found.findings
    assert finding.code == "model.weights-broken"
    assert finding.what.isprintable()
    assert finding.how_to_fix
    assert found.parameters_from == "config"
    assert found.size_bytes == len(content)


def test_that_a_file_cut_off_is_told_by_how_much_it_lacks(whole):
    path = whole / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    (finding,) = inspect(whole).findings
    assert finding.code == "model.weights-cut"
    assert f"{2 * WEIGHTS - 10:,} of the {2 * WEIGHTS:,}" in finding.what


def test_that_a_missing_shard_is_named(whole):
    weight_map = {"w": "model.safetensors", "v": "model-00002.safetensors"}
    index = {"weight_map": weight_map}
    write(whole, model__safetensors__index__json=index)
    (finding,) = inspect(whole).findings
    assert finding.code == "model.missing-shard"
    assert "1 of 2" in finding.what
    assert "model-00002.safetensors" in finding.what


@pytest.mark.parametrize(
    "index",
    ["[", {}, {"weight_map": []}, {"weight_map": {"w": "../../etc/passwd"}}],
    ids=str,
)
def test_that_a_broken_index_is_told(whole, index):
    write(whole, model__safetensors__index__json=index)
    found = codes(whole)
    assert found in (["model.index"], ["model.file"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="There are no pipes.")
def test_that_a_pipe_and_a_link_to_nowhere_hold_nobody_up(whole):
    (whole / "model.safetensors").unlink()
    os.mkfifo(whole / "model.safetensors")
    (whole / "b.safetensors").symlink_to("nowhere")
    (whole / "README.md").unlink()
    os.mkfifo(whole / "README.md")
    assert codes(whole) == ["disk.unreadable", "model.weights-broken"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"pytorch_model__bin": b"x"}, "model.pickle"),
        ({"model__gguf": b"GGUF"}, "model.gguf"),
    ],
)
def test_that_weights_in_other_formats_are_not_weights(whole, files, code):
    (whole / "model.safetensors").unlink()
    write(whole, **files)
    assert codes(whole) == [code]


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{", '{"a": 1e', "[" * 50_000, "1" * 5000, None],
    ids=["empty", "list", "open", "number", "nested", "digits", "missing"],
)
def test_that_a_config_that_can_t_be_read_is_told(whole, config):
    (whole / "config.json").unlink()
    if config is not None:
        write(whole, config__json=config)
    found = inspect(whole)
    assert [finding.code for finding in found.findings] == ["model.config"]
    assert (found.parameters, found.family) == (WEIGHTS, "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"adapter_config__json": {}, "a__safetensors": b"x"}, "an adapter"),
        ({"notes__txt": "x"}, "Nothing in this folder"),
    ],
)
def test_that_what_is_no_model_is_refused(tmp_path, files, words):
    with pytest.raises(StudioError, match=words):
        inspect(write(tmp_path / "other", **files))
    with pytest.raises(StudioError, match="no such folder"):
        inspect(tmp_path / "nowhere")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([10**6, 2**31, 10**30, float("nan"), float("inf"), -0.5, 1e300]),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([[], None, "full_attention", 2**40]),
    st.just({"partial_rotary_factor": float("nan")}),
)
SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": 8, "patch_size": 2**40}
TEXT = {**LLAMA, "model_type": "gemma3_text"}
KEYS = [
    *LLAMA,
    *("head_dim", "n_head", "n_embd", "n_layer", "n_inner", "sliding_window"),
    *("layer_types", "no_rope_layers", "no_rope_layer_interval", "mlp_only_layers"),
    *("decoder_sparse_step", "num_experts", "num_local_experts", "multi_query"),
    *("num_experts_per_tok", "moe_intermediate_size", "partial_rotary_factor"),
    *("rope_parameters", "rope_scaling", "text_config", "rotary_pct", "attn_pdrop"),
    *("n_positions", "quantization_config", "resid_pdrop", "embd_pdrop"),
    *("vision_config", "image_size", "patch_size"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("qwen3_moe", {"num_hidden_layers": 2**31, "num_experts": 2})
@example("qwen3_moe", {"mlp_only_layers": [[], None, 2**40], "num_experts": 2})
@example("stablelm", {"partial_rotary_factor": float("nan")})
@example("gemma3", {"vision_config": SIGLIP, "text_config": TEXT})
@example("phi3", {"partial_rotary_factor": float("inf")})
@given(
    st.sampled_from([*FAMILIES, "", "other"]),
    st.dictionaries(st.sampled_from(KEYS), ODD, max_size=4),
)
def test_that_no_config_whatever_it_says_ends_in_a_traceback(whole, family, odd):
    write(whole, config__json={**LLAMA, "model_type": family, **odd})
    found = inspect(whole)
    assert all(finding.what for finding in found.findings)


@given(st.binary(max_size=200))
def test_that_no_bytes_whatever_they_are_end_in_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(StudioError):
        read_header(path)
