"""The Model page's rows and details."""

from pathlib import Path

import pytest

from studio.domain.finding import error
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import Recipe
from studio.services.model_shelf import ModelPlace, ModelState
from studio.ui.pages.model.filters import (
    LICENCES,
    NO_CONSENT,
    OPEN,
    SIZES,
    Filters,
    matches,
)
from studio.ui.pages.model.view_model import (
    in_order,
    list_facts,
    model_details,
    model_row,
    weights_words,
)

DEVICE = TrainingDevice(
    kind="cuda",
    name="Card",
    total_bytes=12 * GIB,
    free_bytes=10 * GIB,
    has_bf16=True,
)
UNKNOWN = error("model.architecture", "Models of this kind can’t be priced yet.")


def place(name: str, **changes: object) -> ModelPlace:
    figures: dict[str, object] = {"title": name, "state": ModelState.READY}
    return ModelPlace(name=name, **{**figures, **changes})


def price(peak: float) -> MemoryEstimate:
    third = round(peak * GIB / 3)
    return MemoryEstimate(
        components=(
            Component("w", Group.WEIGHTS, third),
            Component("a", Group.ACTIVATIONS, third),
            Component("o", Group.OVERHEAD, third),
        ),
        phase="backward",
        basis=Basis.FORMULA,
        expected_error=0.1,
    )


def test_that_what_fits_stands_first_and_the_unpriced_last():
    rows = [
        model_row(place("unknown"), UNKNOWN, DEVICE, ""),
        model_row(place("too large"), price(20), DEVICE, ""),
        model_row(place("small"), price(1), DEVICE, ""),
        model_row(place("large"), price(8), DEVICE, ""),
    ]
    names = [row.name for row in in_order(rows)]
    assert names == ["large", "small", "too large", "unknown"]


def test_that_the_one_in_use_stands_first_and_the_nearest_miss_before_others():
    rows = [
        model_row(place("far"), price(40), DEVICE, "mine"),
        model_row(place("near"), price(12), DEVICE, "mine"),
        model_row(place("fits"), price(3), DEVICE, "mine"),
        model_row(place("mine"), price(30), DEVICE, "mine"),
    ]
    names = [row.name for row in in_order(rows)]
    assert names == ["mine", "fits", "near", "far"]


def test_that_a_row_says_why_it_has_its_mark_and_for_which_recipe():
    fits = model_row(place("m"), price(5), DEVICE, "")
    assert fits.reason.startswith("Its peak of 5.00 GiB leaves 5.00 GiB")
    assert fits.reason.endswith("For QLoRA on one row of 1,024 tokens.")
    short = model_row(place("m"), price(15), DEVICE, "m")
    assert "5.00 GiB more than is free" in short.reason
    assert short.reason.endswith("For this project’s recipe.")
    assert model_row(place("m"), UNKNOWN, DEVICE, "").reason == UNKNOWN.sentence()
    assert "being worked out" in model_row(place("m"), None, DEVICE, "").reason


def test_that_the_details_say_which_recipe_they_are_priced_for():
    recipe = Recipe().with_value("model.name", "mine").with_value("lora.rank", 64)
    mine = model_details(place("mine"), price(5), DEVICE, recipe)
    other = model_details(place("other"), price(5), DEVICE, recipe)
    assert ("Priced for", "this project’s recipe") in mine.facts
    assert ("Priced for", "QLoRA, 1 × 1,024 tokens") in other.facts
    assert "rank 64" in [part.note for part in mine.parts]
    assert "rank 16" in [part.note for part in other.parts]


def test_that_the_title_tells_how_many_models_are_listed():
    assert list_facts(116, 116, DEVICE).startswith("116 models, marked for")
    assert list_facts(3, 116, DEVICE).startswith("3 of 116 models, marked for")


def test_that_a_prediction_is_a_range_and_never_a_point():
    assert model_row(place("m"), price(5), DEVICE, "").peak == "4.50 to 5.50"
    assert model_row(place("m"), price(200), DEVICE, "").peak == "180 to 220"


def test_that_the_dry_run_is_named_where_the_terminal_has_a_flag_for_it():
    unpriced = outside_formula(Recipe().with_value("train.label_smoothing", 0.1))
    details = model_details(place("m"), unpriced, DEVICE, Recipe())
    row = model_row(place("m"), unpriced, DEVICE, "")
    for said in (details.why_not_priced, row.reason):
        assert "--basis" not in said
        assert "The dry run prices it" in said


def test_that_a_model_without_a_price_has_no_figures():
    row = model_row(place("m"), UNKNOWN, DEVICE, "")
    assert (row.peak, row.bar, row.mark.words) == ("", None, "Not priced yet")
    details = model_details(place("m"), UNKNOWN, DEVICE, Recipe())
    assert details.why_not_priced == UNKNOWN.what
    assert details.parts == ()


def test_that_the_parts_are_rounded_so_that_they_add_up():
    details = model_details(place("m"), price(1.0), DEVICE, Recipe())
    hundredths = [round(float(part.figure) * 100) for part in details.parts]
    assert sum(hundredths) == 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": ModelState.MISSING}, "Not on this disk"),
        (
            {"state": ModelState.MISSING, "licence": "Gemma", "gated": True},
            "Gemma, gated",
        ),
        ({"source": "wheel"}, "Comes with Snugtune"),
        ({"source": "hub"}, "Hugging Face cache"),
        ({"source": "folder"}, "A folder of yours"),
    ],
)
def test_that_a_row_says_where_the_model_lies(changes, words):
    row = model_row(place("m", **changes), None, DEVICE, "")
    assert row.caption == words


def test_that_the_model_in_use_is_marked():
    row = model_row(place("m", source="wheel"), None, DEVICE, "m")
    assert row.in_use
    assert row.caption == "In use · comes with Snugtune"


def test_that_a_model_that_is_not_here_can_t_be_used_or_opened():
    missing = place("m", state=ModelState.MISSING, folder=Path("/m"))
    details = model_details(missing, None, DEVICE, Recipe())
    assert not details.can_use
    assert details.folder == ""
    assert details.preparation == ""


def test_that_a_model_that_is_not_here_says_how_to_get_it():
    known = {"state": ModelState.MISSING, "hub_id": "owner/m"}
    plain = model_details(place("m", **known), None, DEVICE, Recipe())
    assert plain.preparation == "Fetch it: hf download owner/m"
    gated = model_details(place("m", **known, gated=True), None, DEVICE, Recipe())
    assert gated.preparation.startswith("Agree to its licence on the hub")


def test_that_a_model_to_be_unpacked_says_so():
    packed = place("m", state=ModelState.CONVERTIBLE)
    assert model_details(packed, None, DEVICE, Recipe()).preparation
    assert not model_details(place("m"), None, DEVICE, Recipe()).preparation


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        *((0, ""), (134_515_008, "135 M"), (999_885_952, "1 B")),
        *((7_615_616_512, "7.62 B"), (70e9, "70 B")),
    ],
)
def test_that_weights_are_counted_as_people_say_them(weights, words):
    assert weights_words(int(weights)) == words


def test_that_every_typed_word_must_be_found():
    row = model_row(place("SmolLM2-135M", source="hub"), None, DEVICE, "")
    assert matches(row, "smol cache")
    assert not matches(row, "smol folder")


ROWS = [
    model_row(
        place(name, parameters=weights, licence=licence, gated=gated, state=state),
        price(peak),
        DEVICE,
        "",
    )
    for name, weights, licence, gated, state, peak in [
        ("tiny", 10**8, "Apache-2.0", False, ModelState.READY, 1),
        ("two", 2 * 10**9, "MIT", False, ModelState.MISSING, 9.7),
        ("eight", 8 * 10**9, "Llama 3.1 Community", True, ModelState.MISSING, 8),
        ("huge", 7 * 10**10, "Qwen", False, ModelState.MISSING, 40),
    ]
]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({}, "tiny two eight huge"),
        ({"searched": "T mit"}, "two"),
        ({"only_fitting": True}, "tiny two eight"),
        ({"only_here": True}, "tiny"),
        ({"size": "0-2"}, "tiny"),
        ({"size": "2-6"}, "two"),
        ({"size": "6-10"}, "eight"),
        ({"size": "20-"}, "huge"),
        ({"licence": OPEN}, "tiny two"),
        ({"licence": NO_CONSENT}, "tiny two huge"),
        ({"licence": NO_CONSENT, "only_fitting": True, "size": "2-6"}, "two"),
    ],
    ids=str,
)
def test_that_each_filter_leaves_what_it_names(asked, left):
    filters = Filters(**asked)
    assert [row.name for row in ROWS if filters.let_through(row)] == left.split()


def test_that_sizes_and_licences_offer_what_the_filters_know():
    for size, _ in SIZES:
        assert any(Filters(size=size).let_through(row) for row in ROWS) or size
    assert {key for key, _ in LICENCES} == {"", OPEN, NO_CONSENT}


def test_that_a_model_of_unknown_size_is_of_no_size():
    row = model_row(place("m"), None, DEVICE, "")
    assert Filters().let_through(row)
    assert not Filters(size="0-2").let_through(row)
