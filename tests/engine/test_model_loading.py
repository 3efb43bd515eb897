"""How weights are held, which faults of libraries are kept away, what is refused."""

import json
import shutil

import pytest
import torch
from bitsandbytes.functional import has_avx512bf16
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from studio.domain.errors import StudioError
from studio.domain.recipe_options import LoraOptions
from studio.engine import model_loading
from studio.engine.adapter_targets import linear_names
from studio.engine.adapters import attach, set_dtype
from studio.engine.bitsandbytes_guards import compute_eagerly
from studio.engine.devices import formats_of
from studio.engine.model_config import read_config
from studio.engine.model_loading import load_model, load_plain
from studio.engine.tokenizer_loading import load_tokenizer, unloadable
from tests.engine.helpers import recipe_for

CPU = torch.device("cpu")
KINDS = ["full_attention"] * 3


def loaded(folder, **options):
    recipe = recipe_for(folder, "any", **options)
    return load_model(folder, recipe.model, formats_of(recipe, CPU), CPU)


def projection(model):
    return model.model.layers[0].self_attn.q_proj


@pytest.mark.parametrize("precision", ["nf4", "fp4"])
def test_that_four_bits_hold_the_linear_layers_alone(tiny_model, precision):
    model = loaded(tiny_model, model__precision=precision, model__compute_dtype="bf16")
    assert isinstance(projection(model), Linear4bit)
    assert projection(model).weight.quant_type == precision
    assert projection(model).compute_dtype is torch.bfloat16
    assert model.model.embed_tokens.weight.dtype is torch.bfloat16
    assert model.model.norm.weight.dtype is torch.bfloat16


def test_that_double_quantisation_nests_the_scales(tiny_model):
    nested = loaded(tiny_model, model__double_quant=True)
    plain = loaded(tiny_model, model__double_quant=False)
    assert projection(nested).weight.quant_state.nested
    assert not projection(plain).weight.quant_state.nested


def test_that_eight_bits_are_eight_bits(tiny_model):
    model = loaded(tiny_model, model__precision="int8")
    assert isinstance(projection(model), Linear8bitLt)


@pytest.mark.parametrize(
    ("precision", "compute", "dtype"),
    [("bf16", "bf16", torch.bfloat16), ("fp32", "bf16", torch.float32)],
)
def test_that_unquantised_weights_keep_their_format(
    tiny_model, precision, compute, dtype
):
    model = loaded(tiny_model, model__precision=precision, model__compute_dtype=compute)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_that_the_attention_kernel_is_the_chosen_one(tiny_model, attention):
    model = loaded(tiny_model, model__attention=attention)
    assert model.config._attn_implementation == attention


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model__attention": "flash"}, "own package"),
        ({"model__compute_dtype": "fp16"}, "doesn't train in fp16"),
        ({"model__precision": "bf16"}, "bf16 can't be computed with in fp32"),
    ],
)
def test_that_what_this_machine_lacks_is_refused(tiny_model, options, words):
    with pytest.raises(StudioError, match=words):
        loaded(tiny_model, **options)


@pytest.fixture
def asked(monkeypatch):
    """What transformers is asked for, on a card where the package is there."""
    told = {}

    def take(folder, **options):
        told.update(options, folder=folder)
        return "the model", {"missing_keys": set()}

    monkeypatch.setattr(model_loading, "is_flash_attn_2_available", lambda: True)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", take)
    return told


def load_for_a_card(folder, **options):
    recipe = recipe_for(folder, "any", **options)
    card = torch.device("cuda")
    return load_model(folder, recipe.model, formats_of(recipe, CPU), card)


@pytest.mark.parametrize(
    ("attention", "kernel"),
    [("flash", "flash_attention_2"), ("sdpa", "sdpa"), ("eager", "eager")],
)
def test_that_a_card_is_asked_for_the_chosen_kernel(
    attention, kernel, tiny_model, asked
):
    chosen = {"model__attention": attention, "model__compute_dtype": "bf16"}
    assert load_for_a_card(tiny_model, **chosen) == "the model"
    assert asked["attn_implementation"] == kernel
    assert (asked["folder"], asked["dtype"]) == (tiny_model, torch.bfloat16)
    assert kernel in {"eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()}


def test_that_flash_attention_in_fp32_is_refused_where_it_is_there(tiny_model, asked):
    with pytest.raises(StudioError, match="16 bits"):
        load_for_a_card(tiny_model, model__attention="flash")
    assert asked == {}


def gradients(model, ids):
    model.zero_grad()
    model.train()
    model(input_ids=ids, labels=ids).loss.backward()
    named = model.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def adapted(folder, *targets):
    model = loaded(folder, model__compute_dtype="bf16")
    torch.manual_seed(1)
    adapter = attach(model, LoraOptions(rank=4, targets=targets))
    set_dtype(adapter, torch.bfloat16)
    for name, parameter in adapter.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return adapter


@pytest.mark.parametrize("targets", [("all-linear",), ("q_proj", "v_proj")])
def test_that_answers_and_evaluation_leave_the_gradients_as_they_are(
    tiny_model, targets
):
    # On a processor with AVX512-BF16 a forward in eval mode packs 4-bit weights so
    # that no gradient passes them any more, unless the guard is set.
    model = adapted(tiny_model, *targets)
    ids = torch.arange(3, 40)[None]
    before = gradients(model, ids)
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    after = gradients(model, ids)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert set(before) == set(after) == set(trained)
    for name, gradient in before.items():
        assert torch.equal(gradient, after[name]), name


# torch notices the missing backward pass as well.
@pytest.mark.filterwarnings("ignore:bitsandbytes..gemv_4bit:UserWarning")
@pytest.mark.skipif(not has_avx512bf16(), reason="this processor has no AVX512-BF16")
def test_that_without_the_guard_gradients_are_lost(tiny_model):
    # When this fails, bitsandbytes was mended and the guard can go.
    model = adapted(tiny_model, "q_proj", "v_proj")
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = True
    ids = torch.arange(3, 40)[None]
    before = gradients(model, ids)
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    after = gradients(model, ids)
    assert any(
        name not in after or not torch.equal(gradient, after[name])
        for name, gradient in before.items()
    )


def test_that_weights_of_odd_width_are_not_compiled_on_a_processor():
    compute_eagerly()
    layer = Linear4bit(65, 32, bias=False, compute_dtype=torch.float32)
    layer.to(CPU)
    torch._dynamo.utils.counters.clear()
    given = torch.ones(2, 65, requires_grad=True)
    layer(given).sum().backward()
    assert given.grad is not None
    assert not torch._dynamo.utils.counters["frames"]


def test_that_all_linear_layers_but_the_head_can_be_adapted(tiny_model, tiny_qwen):
    expected = [
        "down_proj",
        "gate_proj",
        "k_proj",
        "o_proj",
        "q_proj",
        "up_proj",
        "v_proj",
    ]
    for folder in (tiny_model, tiny_qwen):
        assert linear_names(loaded(folder)) == expected
        assert linear_names(load_plain(folder, torch.float32)) == expected


@pytest.mark.parametrize("targets", [("q_proj", "wrong"), ("lm_head",)])
def test_that_unknown_targets_are_answered_with_the_possible_ones(tiny_qwen, targets):
    with pytest.raises(StudioError, match=rf"“{targets[-1]}”.*down_proj, gate_proj"):
        attach(loaded(tiny_qwen), LoraOptions(targets=targets))


def test_that_no_target_at_all_is_refused(tiny_model):
    with pytest.raises(StudioError, match="one word for all, or names"):
        attach(loaded(tiny_model), LoraOptions(targets=()))


def without_safetensors(model, folder):
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def test_that_pickled_weights_are_not_read(tiny_model, tmp_path):
    folder = without_safetensors(tiny_model, tmp_path / "pickled")
    with pytest.raises(StudioError, match="can't be loaded"):
        loaded(folder)


def test_that_code_that_comes_with_a_model_is_not_run(tiny_model, tmp_path):
    folder = tmp_path / "custom"
    shutil.copytree(tiny_model, folder)
    config = (folder / "config.json").read_text()
    custom = '{"auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": '
    custom += '"evil.Model"}, "model_type": "evil",' + config.split("{", 1)[1]
    (folder / "config.json").write_text(custom.replace('"model_type": "llama",', ""))
    (folder / "evil.py").write_text("raise SystemExit('the code was run')")
    with pytest.raises(StudioError, match="can't be loaded"):
        loaded(folder)


def test_that_a_torn_weight_file_is_refused_in_words(tiny_model, tmp_path):
    folder = tmp_path / "torn"
    shutil.copytree(tiny_model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StudioError, match="can't be loaded"):
        loaded(folder)


def test_that_weights_which_would_be_made_up_are_refused(tiny_model, tmp_path):
    folder = tmp_path / "half"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    gone = sorted(name for name in weights if "layers.1." in name)
    kept = {name: it for name, it in weights.items() if name not in gone}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    told = f"made up: {gone[0]} and {len(gone) - 1} more"
    with pytest.raises(StudioError, match=told) as refused:
        loaded(folder)
    assert refused.value.finding.code == "model.weights-missing"


def test_that_a_model_that_reads_words_to_come_is_refused(tmp_path):
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudioError, match="BertForMaskedLM"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"num_hidden_layers": 2, "layer_types": KINDS},
            "`num_hidden_layers` (2) must",
        ),
        ({"hidden_act": 7}, "Field 'hidden_act' expected str, got int"),
    ],
)
def test_that_a_config_is_refused_without_the_names_of_validators(
    tmp_path, changed, words
):
    # Of a family whose config nobody but transformers judges.
    config = {"model_type": "cohere2", "hidden_size": 64, "num_attention_heads": 4}
    (tmp_path / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(StudioError) as refused:
        read_config(tmp_path)
    assert refused.value.finding.what.startswith(f"This model can't be loaded: {words}")


def test_that_a_name_that_transformers_does_not_know_is_told_as_one(tmp_path):
    finding = unloadable(tmp_path, KeyError("zzz")).finding
    assert finding.what == "This model can't be loaded: transformers knows no 'zzz'."


def test_that_a_tokenizer_without_a_chat_template_is_refused(tiny_model, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(StudioError, match="no chat template"):
        load_tokenizer(folder)
