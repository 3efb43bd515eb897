"""What a model's architecture says against a recipe, before a weight is loaded."""

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.finding import Severity
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.measurement import recipe_key
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.method_options import REFERRING_METHODS
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish
from studio.services.model_findings import architecture_findings
from studio.services.preflight import preflight
from studio.services.pricing import price_by_formula
from studio.storage.models import ModelPlace, ModelState
from tests.bench.formula_grid import config_of

CARD = TrainingDevice(
    kind="cuda",
    name="A card",
    total_bytes=80 * GIB,
    free_bytes=79 * GIB,
    has_bf16=True,
    compute_capability=(9, 0),
)
MIXTRAL = {
    "model_type": "mixtral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "vocab_size": 32000,
}
GEMMA_2 = config_of("gemma-2-9b")

PLAIN = ("lora.variant", "lora")


def place(config):
    return ModelPlace(name="m", title="M", state=ModelState.READY, config=config)


def found(config, **options):
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    return list(architecture_findings(recipe, place(config)))


def test_that_experts_in_16_bits_are_told_with_their_size():
    (finding,) = found(MIXTRAL)
    assert finding.severity is Severity.INFO
    # 8 experts of three matrices, 32 blocks, and the routers: 2 bytes each.
    weights = 32 * (8 * 3 * 4096 * 14336 + 8 * 4096)
    assert f"16 bits: {weights * 2 / GIB:.2f} GiB of its " in finding.what
    # All 46.7 billion, of which attention alone is packed.
    assert "85.14 GiB" in finding.what
    # 4 bits, and 8 of every 64 for the scales, which are quantised themselves.
    assert f"{weights * 0.515869 / GIB:.2f} GiB" in finding.why


def test_that_experts_beside_fp32_activations_are_told_in_32_bits():
    (finding,) = found(MIXTRAL, model__compute_dtype="fp32", lora__adapter_dtype="fp32")
    weights = 32 * (8 * 3 * 4096 * 14336 + 8 * 4096)
    assert f"32 bits: {weights * 4 / GIB:.2f} GiB" in finding.what


def test_that_experts_aren_t_remarked_on_where_nothing_is_quantised():
    assert found(MIXTRAL, model__precision="bf16") == []


def test_that_dropout_on_experts_is_refused_before_the_start():
    codes = [finding.code for finding in found(MIXTRAL, lora__dropout=0.1)]
    assert "recipe.dropout-on-experts" in codes
    recipe = Recipe().with_value("lora.dropout", 0.1)
    priced = price_by_formula(recipe, place(MIXTRAL), CARD)
    assert priced in found(MIXTRAL, lora__dropout=0.1)
    assert priced.code == "recipe.dropout-on-experts"
    named = found(MIXTRAL, lora__dropout=0.1, lora__targets=("q_proj",))
    assert "recipe.dropout-on-experts" not in [finding.code for finding in named]


def test_that_capped_attention_is_refused_with_sdpa_and_proposed_as_eager():
    (finding,) = found(GEMMA_2)
    assert finding.code == "model.no-sdpa"
    assert found(GEMMA_2, model__attention="eager") == []
    model = ModelArchitecture.from_config(GEMMA_2)
    proposal = propose(Wish(model, CARD, Recipe()))
    assert proposal.recipe.model.attention is Attention.EAGER
    assert "model.attention" in [reason.key for reason in proposal.reasons]


def test_that_an_unknown_layer_is_refused_with_the_possible_ones():
    (finding,) = found(config_of("llama-3.1-8b"), lora__targets=("q_proj", "foo"))
    assert "“foo”" in finding.what
    assert "down_proj" in finding.how_to_fix
    assert finding.severity is Severity.ERROR


def test_that_an_unknown_family_is_left_to_the_engine():
    assert found({"model_type": "bloom"}, lora__targets=("foo",)) == []


def test_that_a_word_for_a_kind_of_layer_is_no_unknown_name():
    config = config_of("llama-3.1-8b")
    for word in ("attention-only", "mlp-only"):
        assert found(config, lora__targets=(word,)) == []


def test_that_dora_is_refused_on_experts_8_bit_weights_and_in_bf16():
    codes = [each.code for each in found(MIXTRAL, lora__variant="dora")]
    assert "recipe.dora-on-experts" in codes
    attends = {"lora__variant": "dora", "lora__targets": ("attention-only",)}
    assert "recipe.dora-on-experts" not in [x.code for x in found(MIXTRAL, **attends)]
    recipe = Recipe().with_value("lora.variant", "dora")
    (clash,) = recipe.contradictions()
    assert clash.where == "lora.adapter_dtype"
    recipe = recipe.with_value("lora.adapter_dtype", "fp32")
    assert not recipe.contradictions()
    (clash,) = recipe.with_value("model.precision", "int8").contradictions()
    assert clash.where == "lora.variant"


def test_that_loftq_is_refused_without_4_bits():
    recipe = Recipe().with_value("lora.variant", "loftq")
    assert not recipe.contradictions()
    assert "recipe.dora-on-experts" not in [
        each.code for each in found(MIXTRAL, lora__variant="loftq")
    ]
    for precision in ("int8", "bf16", "fp32"):
        (clash,) = recipe.with_value("model.precision", precision).contradictions()
        assert clash.where == "model.precision"


def test_that_pissa_is_refused_on_experts_and_where_inputs_are_dropped():
    codes = [each.code for each in found(MIXTRAL, lora__variant="pissa")]
    assert "recipe.pissa-on-experts" in codes
    attends = {"lora__variant": "pissa", "lora__targets": ("attention-only",)}
    assert "recipe.pissa-on-experts" not in [x.code for x in found(MIXTRAL, **attends)]
    recipe = Recipe().with_value("lora.variant", "pissa")
    for precision in ("nf4", "int8", "bf16"):
        assert not recipe.with_value("model.precision", precision).contradictions()
    (clash,) = recipe.with_value("lora.dropout", 0.1).contradictions()
    assert clash.where == "lora.dropout"


def test_that_adalora_is_refused_on_experts_alone():
    codes = [each.code for each in found(MIXTRAL, lora__variant="adalora")]
    assert "recipe.adalora-on-experts" in codes
    attends = {"lora__variant": "adalora", "lora__targets": ("attention-only",)}
    codes = [each.code for each in found(MIXTRAL, **attends)]
    assert "recipe.adalora-on-experts" not in codes
    for precision in ("nf4", "int8", "bf16"):
        values = {"lora.variant": "adalora", "model.precision": precision}
        assert not Recipe().with_values(values).contradictions()


@pytest.mark.parametrize("kind", ["loftq", "pissa"])
def test_that_every_method_takes_a_start_from_the_base(kind):
    recipe = Recipe().with_value("lora.variant", kind)
    for method in ("sft", "orpo", "dpo", "kto"):
        values = {"train.method": method, "train.micro_batch": 2}
        judged = recipe.with_values(values)
        assert not judged.contradictions()
        # The start that answers are compared with is held beside.
        assert bool(outside_formula(judged)) == (method in REFERRING_METHODS)
        alike = recipe_key(judged) == recipe_key(judged.with_value(*PLAIN))
        assert alike != (method in REFERRING_METHODS)


def test_that_experts_alone_are_refused():
    findings = found(MIXTRAL, lora__targets=("mlp-only",))
    assert "recipe.targets" in [finding.code for finding in findings]
    findings = found(MIXTRAL, lora__targets=("attention-only",))
    assert "recipe.targets" not in [finding.code for finding in findings]


@pytest.mark.parametrize(
    "targets",
    [(), ("all-linear", "q_proj"), ("attention-only", "mlp-only"), ("mlp-only", "up")],
)
def test_that_no_layer_and_all_beside_some_contradict(targets):
    recipe = Recipe().with_value("lora.targets", targets)
    assert "recipe.targets" in [each.code for each in recipe.contradictions()]


def test_that_preflight_tells_what_the_architecture_says():
    findings = preflight(Recipe(), place(MIXTRAL), CARD, None)
    assert "model.experts-in-16-bits" in [finding.code for finding in findings]


def test_that_preflight_tells_once_what_stands_against_a_model_and_its_price():
    bert = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    findings = preflight(Recipe(), place(bert), CARD, None)
    told = [each for each in findings if each.code == "model.purpose"]
    assert [each.severity for each in told] == [Severity.ERROR]


def test_that_impossible_heads_are_found_before_a_run_and_by_its_price():
    config = MIXTRAL | {"num_key_value_heads": 5}
    (finding,) = architecture_findings(Recipe(), place(config))
    assert finding.severity is Severity.ERROR
    assert finding == price_by_formula(Recipe(), place(config), CARD)
    unknown = config | {"model_type": "not-known-yet"}
    assert not list(architecture_findings(Recipe(), place(unknown)))
