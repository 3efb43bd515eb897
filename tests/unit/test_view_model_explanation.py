"""The words of “Where does it go?”: parts, switches, a step, and on what they rest."""

from dataclasses import replace

import pytest

from studio.domain.finding import error
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import (
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.switches import switches
from studio.domain.memory.timeline import timeline_of
from studio.ui.pages.bar_states import predicted_bar
from studio.ui.pages.recipe.explanation import PricedSwitch, explanation
from studio.ui.pages.recipe.view_model import Exactness, recipe_view
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import Segment
from tests.unit.test_view_model_recipe import MODEL, chosen, device, inputs

RECIPE = chosen()
TURNED = switches(RECIPE)
FORMULA = estimate_memory(MODEL, RECIPE, device())


def rehearsed(size_gib):
    parts = (
        Component("Base weights", Group.WEIGHTS, round(size_gib * GIB), "load"),
        Component("Layer", Group.ACTIVATIONS, GIB, "forward"),
        Component("Layer", Group.ACTIVATIONS, GIB, "backward"),
        Component("Batch", Group.OVERHEAD, 100, "forward"),
        Component("Context", Group.OVERHEAD, GIB // 4, level=Level.DEVICE),
    )
    return MemoryEstimate(
        components=parts,
        phase="backward",
        basis=Basis.DRY_RUN,
        expected_error=0.02,
        reserved_error=0.06,
        timeline=timeline_of([1, 2], [2, 2], [(0, "forward"), (1, "backward")]),
    )


EXACT = rehearsed(4)


def by_formula(switch):
    return estimate_memory(MODEL, switch.recipe, device())


def explained(*estimates, formula=FORMULA, exact=EXACT):
    priced = [
        PricedSwitch(switch, it, by_formula(switch) if formula else None)
        for switch, it in zip(TURNED, estimates, strict=False)
    ]
    bar = predicted_bar(exact, device())
    return explanation(exact, formula, tuple(priced), bar=bar, in_work=False)


def test_that_parts_stand_below_their_group_and_add_up_to_it():
    shown = explained()
    assert [group.segment for group in shown.groups] == [
        Segment.WEIGHTS,
        Segment.ACTIVATIONS,
        Segment.OVERHEAD,
    ]
    layer = shown.groups[1]
    assert layer.figure == "2.00"
    assert [(part.what, part.effect) for part in layer.parts] == [("Layer", "2.00 GiB")]
    assert layer.parts[0].why == "made in the forward pass and in the backward pass"
    assert [part.what for part in shown.groups[2].parts] == ["Context"]
    assert shown.basis == "by dry run"


@pytest.mark.parametrize("size_gib", [0.265, 3.3333, 4.0049, 4.0051])
def test_that_figures_are_the_bar_s_and_parts_add_up_to_them(size_gib):
    exact = rehearsed(size_gib)
    bar = predicted_bar(exact, device())
    for group in explained(exact=exact).groups:
        assert group.figure == bar.figure(group.segment)
        parts = sum(float(part.effect.split()[0]) for part in group.parts)
        assert f"{parts:.2f}" == group.figure


def test_that_rehearsed_switches_are_compared_with_the_rehearsed_recipe():
    shown = explained(rehearsed(3), rehearsed(4.5))
    assert [row.effect for row in shown.switches] == [
        "saves 1.00 GiB",
        "costs 0.50 GiB",
    ]
    assert [row.tone for row in shown.switches] == [Tone.SUCCESS, Tone.NORMAL]
    assert not any("by formula" in row.why for row in shown.switches)
    assert shown.note == ""


def test_that_a_switch_not_rehearsed_yet_rests_on_the_formula_and_says_so():
    shown = explained(rehearsed(3), by_formula(TURNED[1]), None)
    rough = {row.key: row for row in shown.switches if row.why.endswith("· by formula")}
    assert shown.note == "1 of 3 rehearsed"
    last = TURNED[2]
    difference = FORMULA.peak_bytes - by_formula(last).peak_bytes
    assert rough[last.key].effect.endswith(f"{abs(difference) / GIB:.2f} GiB")
    # The second may save less than is shown.
    assert set(rough) <= {TURNED[1].key, last.key}


def test_that_a_switch_is_not_said_twice_and_no_number_stands_alone():
    told = {
        row.what: row.why for row in explained(*[rehearsed(3)] * len(TURNED)).switches
    }
    assert told["Rank 8"] == ""
    assert told["Remember instead of recomputing"].endswith(": Off")
    assert not any(why.isdecimal() for why in told.values())


def test_that_a_switch_the_engine_refuses_is_left_out():
    shown = explained(error("x", "No."), rehearsed(3))
    assert len(shown.switches) == 1
    assert shown.note == ""


def test_that_a_model_without_a_formula_waits_for_its_dry_runs():
    shown = explained(None, rehearsed(3), formula=None)
    assert len(shown.switches) == 1
    assert shown.note == "1 of 2 rehearsed"


def test_that_without_an_estimate_nothing_is_made_up():
    shown = explanation(error("x", "No."), None, (), bar=None, in_work=True)
    assert shown.groups == shown.switches == ()
    assert shown.timeline is None
    assert "when the dry run has gone through" in shown.timeline_note
    assert "has been rehearsed" in shown.parts_note == shown.switches_note
    shown = explanation(error("x", "No."), None, (), bar=None, in_work=False)
    assert "once the recipe is priced" in shown.parts_note
    assert shown.parts_note == shown.switches_note == shown.timeline_note
    shown = explained(*[EXACT] * len(TURNED))
    assert (shown.switches, shown.note) == ((), "")
    assert shown.switches_note == "No switch changes this peak."


def test_that_a_better_figure_in_work_is_said_and_drawn():
    at_work = replace(inputs(), exact=Exactness(in_work=True))
    verdict = recipe_view(at_work).verdict
    assert verdict.basis == "by formula, ± 10 % · exact figure in work"
    assert verdict.bar.provisional
    assert "exact figure is in work" in verdict.bar.description()
    done = replace(inputs(), estimate=EXACT)
    verdict = recipe_view(done).verdict
    assert verdict.basis == "by dry run, ± 6 %"
    assert not verdict.bar.provisional


def test_that_a_range_that_was_learnt_is_said_as_it_is_drawn():
    learnt = replace(EXACT, ratios={Level.DEVICE: (0.8, 1.3)})
    verdict = recipe_view(replace(inputs(), estimate=learnt)).verdict
    assert verdict.basis == "by dry run, −20 to +30 %"
    assert verdict.bar.low_bytes == round(EXACT.peak_bytes * 0.8)
    assert verdict.bar.high_bytes == round(EXACT.peak_bytes * 1.3)


def test_that_a_dry_run_that_fails_leaves_the_formula_and_a_quiet_sentence():
    failed = Exactness(failed=error("x", "The model can't be built."))
    view = recipe_view(replace(inputs(), exact=failed))
    assert view.verdict.basis.startswith("by formula")
    assert view.verdict.remark == "No exact figure: The model can't be built."
    assert not view.verdict.bar.provisional
    assert not view.refused


def test_that_a_model_without_a_formula_is_rehearsed():
    unknown = error("model.architecture", "It can’t be priced yet.")
    waiting = replace(
        inputs(), model=None, estimate=unknown, exact=Exactness(in_work=True)
    )
    verdict = recipe_view(waiting).verdict
    assert "is rehearsed" in verdict.sentence
    assert verdict.bar.provisional
    verdict = recipe_view(replace(waiting, estimate=EXACT, exact=Exactness())).verdict
    assert "needs **6.25 GiB**" in verdict.sentence


def test_that_a_remedy_must_be_enough_for_what_the_dry_run_found():
    remembering = chosen(train__checkpointing=False, train__micro_batch=4)
    by_formula_alone = inputs(remembering, free_gib=3.0)
    peak = by_formula_alone.estimate.peak_bytes
    assert peak > 3 * GIB
    mild = {way.words for way in recipe_view(by_formula_alone).remedies}
    assert "2 rows at a time" in mild
    part = Component("All", Group.ACTIVATIONS, peak + 3 * GIB // 2)
    worse = replace(EXACT, components=(part,))
    ways = recipe_view(replace(by_formula_alone, estimate=worse)).remedies
    assert "2 rows at a time" not in {way.words for way in ways}
    for way in ways:
        then = estimate_memory(MODEL, way.recipe, device(3.0)).peak_bytes
        assert then + 3 * GIB // 2 <= 3 * GIB


def test_that_no_stale_reason_stands_beside_a_priced_model_without_a_formula():
    view = recipe_view(replace(inputs(), model=None, estimate=EXACT))
    assert view.reasons == ()
    assert "Nothing is recommended" in view.reasons_note
