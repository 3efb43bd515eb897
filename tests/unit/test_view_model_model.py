"""The Model page's rows and details."""

from pathlib import Path

import pytest

from studio.domain.finding import error
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.services.model_shelf import ModelPlace, ModelState
from studio.ui.pages.model.view_model import (
    in_order,
    matches,
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


def test_that_a_prediction_is_a_range_and_never_a_point():
    assert model_row(place("m"), price(5), DEVICE, "").peak == "4.50 to 5.50"


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
        ({"source": "wheel"}, "Comes with Snugtune"),
        ({"source": "hub"}, "Hugging Face cache"),
        ({"source": "folder"}, "A folder of yours"),
    ],
)
def test_that_a_row_says_where_the_model_lies(changes, words):
    row = model_row(place("m", **changes), None, DEVICE, "")
    assert row.whereabouts == words


def test_that_the_model_in_use_is_marked():
    row = model_row(place("m", source="wheel"), None, DEVICE, "m")
    assert row.in_use
    assert row.whereabouts == "In use · comes with Snugtune"


def test_that_a_model_that_is_not_here_can_t_be_used_or_opened():
    missing = place("m", state=ModelState.MISSING, folder=Path("/m"))
    details = model_details(missing, None, DEVICE, Recipe())
    assert not details.can_use
    assert details.folder == ""


def test_that_a_model_to_be_unpacked_says_so():
    packed = place("m", state=ModelState.CONVERTIBLE)
    assert model_details(packed, None, DEVICE, Recipe()).preparation
    assert not model_details(place("m"), None, DEVICE, Recipe()).preparation


@pytest.mark.parametrize(
    ("weights", "words"),
    [(0, ""), (134_515_008, "135 M"), (7_615_616_512, "7.62 B"), (70e9, "70 B")],
)
def test_that_weights_are_counted_as_people_say_them(weights, words):
    assert weights_words(int(weights)) == words


def test_that_every_typed_word_must_be_found():
    row = model_row(place("SmolLM2-135M", source="hub"), None, DEVICE, "")
    assert matches(row, "smol cache")
    assert not matches(row, "smol folder")
