from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.domain.options import Kind, Option, Value
from studio.domain.recipe import COMPARISONS, OPTIONS, Recipe
from studio.domain.recipe_options import AdapterDtype, ComputeDtype, Precision


def values_of(option: Option) -> st.SearchStrategy[Value]:
    match option.kind:
        case Kind.INTEGER:
            return st.integers(int(option.low or 0), int(option.high or 0))
        case Kind.NUMBER:
            return st.floats(option.low, option.high, allow_subnormal=False)
        case Kind.CHOICE:
            return st.sampled_from(option.choices)
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.WORDS:
            word = st.text(min_size=1).map(str.strip).filter(bool)
            return st.lists(word).map(tuple)
        case _:
            return st.text().map(str.strip)


assignments = st.sampled_from(sorted(OPTIONS)).flatmap(
    lambda key: st.tuples(st.just(key), values_of(OPTIONS[key]))
)


def test_that_every_field_of_every_group_is_an_option():
    keys = {
        f"{group.name}.{f.name}"
        for group in fields(Recipe)
        for f in fields(getattr(Recipe(), group.name))
    }
    assert {*OPTIONS, *COMPARISONS} == keys


@given(st.lists(assignments, max_size=6))
def test_that_a_recipe_survives_its_document_form(changes):
    recipe = Recipe()
    for key, value in changes:
        recipe = recipe.with_value(key, value)
    assert Recipe.from_document(recipe.to_document()) == recipe


@given(assignments)
def test_that_what_an_option_shows_is_what_it_reads(change):
    key, value = change
    option = OPTIONS[key]
    assert option.parse(option.show(value)) == value


@pytest.mark.parametrize("key", sorted(OPTIONS))
def test_that_every_option_explains_itself(key):
    option = OPTIONS[key]
    assert option.title
    assert option.help.endswith(".")
    assert option.expectation()


def test_that_an_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(StudioError, match=r"train\.learning_rate"):
        Recipe().with_typed("train.learning_rat=1e-4")


def test_that_a_value_out_of_bounds_names_the_bounds():
    with pytest.raises(StudioError, match="a whole number from 1 to 1,024"):
        Recipe().with_typed("lora.rank=0")


@pytest.mark.parametrize("typed", ["nan", "inf", "-1", "abc", ""])
def test_that_a_number_which_is_none_is_refused(typed):
    with pytest.raises(StudioError):
        Recipe().with_typed(f"train.learning_rate={typed}")


def test_that_a_truth_value_is_no_whole_number():
    with pytest.raises(StudioError):
        Recipe().with_value("lora.rank", True)


def test_that_contradictions_name_both_options():
    recipe = (
        Recipe()
        .with_value("model.precision", Precision.FP16)
        .with_value("model.compute_dtype", ComputeDtype.BF16)
    )
    (finding,) = recipe.contradictions()
    assert "model.precision" in finding.what
    assert "model.compute_dtype" in finding.what


def test_that_quantised_weights_cant_all_be_trained():
    recipe = Recipe().with_value("compat.full_training", True)
    (finding,) = recipe.contradictions()
    assert "compat.full_training" in finding.what
    assert "model.precision" in finding.what
    mended = recipe.with_value("model.precision", Precision.BF16)
    assert not mended.contradictions()


def test_that_a_faster_b_wants_an_adapter():
    recipe = Recipe().with_value("model.precision", "fp32")
    recipe = recipe.with_value("lora.plus_ratio", 16.0)
    assert not recipe.contradictions()
    (finding,) = recipe.with_value("train.weights", "all").contradictions()
    assert {"train.weights", "lora.plus_ratio"} <= set(finding.what.split())
    assert "Set lora.plus_ratio to 1" in finding.how_to_fix


@pytest.mark.parametrize("precision", [Precision.NF4, Precision.INT8, Precision.FP16])
def test_that_a_run_of_all_weights_wants_weights_that_can_be_trained(precision):
    recipe = Recipe().with_value("train.weights", "all")
    recipe = recipe.with_value("model.precision", precision)
    if precision is Precision.FP16:
        recipe = recipe.with_value("model.compute_dtype", ComputeDtype.FP16)
    (finding,) = recipe.contradictions()
    assert {"train.weights", "model.precision"} <= set(finding.what.split())
    mended = recipe.with_value("model.precision", Precision.FP32)
    assert not mended.contradictions()


def test_that_half_precision_compute_wants_full_precision_adapters():
    recipe = Recipe().with_value("model.compute_dtype", ComputeDtype.FP16)
    assert recipe.contradictions()
    mended = recipe.with_value("lora.adapter_dtype", AdapterDtype.FP32)
    assert not mended.contradictions()


@pytest.mark.parametrize(
    ("values", "named", "mend"),
    [
        (
            {"train.schedule": "constant", "train.floor": 0.1},
            "train.floor",
            {"train.schedule": "linear"},
        ),
        (
            {"train.schedule": "linear", "train.restarts": 1},
            "train.restarts",
            {"train.schedule": "cosine"},
        ),
        (
            {"train.restarts": 1, "train.floor": 0.1},
            "train.restarts",
            {"train.floor": 0.0},
        ),
        (
            {"train.schedule": "inverse_sqrt", "train.warmup": 0.0},
            "train.warmup",
            {"train.warmup": 0.05},
        ),
        (
            {"train.warmup_steps": 30, "train.max_steps": 30},
            "train.warmup_steps",
            {"train.warmup_steps": 29},
        ),
    ],
)
def test_that_a_schedule_is_not_asked_for_what_it_lacks(values, named, mend):
    recipe = Recipe().with_values(values)
    (finding,) = recipe.contradictions()
    assert finding.where == named
    assert finding.how_to_fix
    assert all(key in finding.what for key in values if key != "train.schedule")
    assert not recipe.with_values(mend).contradictions()


@pytest.mark.parametrize(
    ("rows", "micro", "accumulation", "epochs", "steps"),
    [(160, 2, 4, 1, 20), (161, 2, 4, 1, 21), (10, 4, 16, 3, 3), (7, 2, 2, 0.5, 1)],
)
def test_that_steps_are_counted_as_the_trainer_counts(
    rows, micro, accumulation, epochs, steps
):
    recipe = Recipe()
    for key, value in (
        ("train.micro_batch", micro),
        ("train.accumulation", accumulation),
        ("train.epochs", epochs),
    ):
        recipe = recipe.with_value(key, value)
    assert recipe.total_steps(rows) == steps


def test_that_options_for_comparisons_are_kept_out_of_forms_and_files():
    recipe = Recipe()
    assert not any(key.startswith("compat.") for key in OPTIONS)
    assert "compat" not in recipe.to_document()
    assert recipe.remarks() == []


def test_that_an_option_for_comparisons_survives_and_is_remarked_on():
    recipe = Recipe().with_typed("compat.full_logits=true")
    assert Recipe.from_document(recipe.to_document()) == recipe
    (remark,) = recipe.remarks()
    assert remark.severity is Severity.INFO
    assert "Training ignores compat.full_logits." in remark.sentence()


def test_that_every_option_for_comparisons_says_that_it_is_priced_only():
    for option in COMPARISONS.values():
        assert option.help.startswith("Priced only: ")


def test_that_a_decay_without_a_schedule_for_it_is_remarked_on():
    recipe = Recipe().with_value("train.decay_share", 0.5)
    assert not recipe.contradictions()
    (remark,) = recipe.remarks()
    assert remark.where == "train.decay_share"
    assert not recipe.with_value("train.schedule", "hold_and_decay").remarks()
    assert not Recipe().with_value("train.schedule", "linear").remarks()


def test_that_steps_take_the_place_of_a_share_of_warm_up():
    recipe = Recipe().with_value("train.warmup_steps", 10)
    assert recipe.train.warming_up == 10
    assert not recipe.remarks()
    both = recipe.with_value("train.warmup", 0.2)
    assert both.train.warming_up == 10
    (told,) = both.remarks()
    assert "train.warmup_steps" in told.what
    assert both.with_value("train.warmup_steps", 0).train.warming_up == 0.2
