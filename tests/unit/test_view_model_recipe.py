"""The Recipe page's words: verdict, choices, reasons, and what stands in the way."""

from dataclasses import replace

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.finding import Finding, Severity, error, warning
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Component, Group, Level
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish
from studio.domain.token_lengths import TokenLengths
from studio.ui.pages.recipe.ladders import nearest, sequence_lengths
from studio.ui.pages.recipe.open_points import FIND, GO, REMEDY
from studio.ui.pages.recipe.view_model import (
    RecipeInputs,
    checks_mark,
    recipe_view,
)
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import Segment, Verdict

MODEL = ModelArchitecture.from_config(
    {
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "vocab_size": 49_152,
        "tie_word_embeddings": True,
        "max_position_embeddings": 8192,
    }
)


def device(free_gib: float = 8.0, kind: str = "cuda") -> TrainingDevice:
    return TrainingDevice(
        kind=kind,
        name="Card",
        total_bytes=12 * GIB,
        free_bytes=round(free_gib * GIB),
        has_bf16=True,
    )


def chats(rows: int = 100, characters: int = 300) -> ChatFile:
    turns = (Turn("user", "x" * (characters // 2)), Turn("assistant", "y" * 10))
    return ChatFile(
        path="chats.jsonl",
        chats=tuple(Chat(turns, line) for line in range(1, rows + 1)),
        findings=(),
        size_bytes=1,
        form="Chat rows",
    )


LENGTHS = TokenLengths.of([100])


def chosen(**values: object) -> Recipe:
    recipe = Recipe().with_value("model.name", "SmolLM2-135M-Instruct")
    recipe = recipe.with_value("data.path", "chats.jsonl")
    for name, value in values.items():
        recipe = recipe.with_value(name.replace("__", "."), value)
    return recipe


def inputs(recipe: Recipe | None = None, free_gib: float = 8.0) -> RecipeInputs:
    """All that can be known about a recipe on a card."""
    recipe = recipe or chosen()
    card = device(free_gib)
    return RecipeInputs(
        recipe=recipe,
        model_title="SmolLM2 135M",
        model=MODEL,
        device=card,
        chats=chats(),
        estimate=estimate_memory(MODEL, recipe, card),
        proposal=propose(
            Wish(MODEL, card, recipe, TokenLengths.of([100]), Goal.FOOTPRINT)
        ),
    )


def test_that_the_verdict_says_what_is_needed_of_what_is_free() -> None:
    given = inputs()
    view = recipe_view(given)
    peak = given.estimate.peak_bytes / GIB
    assert f"needs **{peak:.2f} GiB** of the 8.00 GiB that are free" in (
        view.verdict.sentence
    )
    assert view.verdict.basis == "by formula, ± 10 %"
    assert view.verdict.bar is not None
    assert view.verdict.bar.peak_bytes == given.estimate.peak_bytes


def test_that_main_memory_is_called_so_on_a_processor() -> None:
    given = replace(inputs(), device=device(kind="cpu"))
    assert "GiB free main memory" in recipe_view(given).verdict.sentence


def test_that_nothing_is_priced_before_the_memory_is_measured() -> None:
    view = recipe_view(replace(inputs(), device=None, estimate=None, proposal=None))
    assert view.verdict.bar is None
    assert view.verdict.mark.words == "Not priced yet"
    assert view.refused == "The free memory is not measured yet."
    assert view.reasons == ()


def test_that_a_model_of_unknown_shape_says_why_there_is_no_figure() -> None:
    unknown = Finding(code="x", severity=Severity.INFO, what="Can’t be priced yet.")
    view = recipe_view(replace(inputs(), estimate=unknown, model=None, proposal=None))
    assert view.verdict.sentence == "Can’t be priced yet."
    assert view.verdict.bar is not None
    assert view.verdict.bar.peak_bytes is None


def test_that_a_tight_run_says_that_another_program_could_stop_it() -> None:
    recipe = chosen()
    peak = estimate_memory(MODEL, recipe, device()).peak_bytes
    view = recipe_view(inputs(recipe, free_gib=(peak + GIB // 10) / GIB))
    assert view.verdict.mark.words == "Tight"
    assert "0.10 GiB stay: another program could stop this run." in (
        view.verdict.sentence
    )


def test_that_where_torch_must_give_blocks_back_no_minus_stays() -> None:
    cached = Component("Cached", Group.OVERHEAD, GIB, level=Level.RESERVED)
    formula = estimate_memory(MODEL, chosen(), device())
    barely = replace(formula, components=(*formula.components, cached))
    free = (barely.peak_bytes - GIB // 2) / GIB
    view = recipe_view(replace(inputs(free_gib=free), estimate=barely))
    assert view.verdict.mark.words == "Tight"
    assert "more than" in view.verdict.sentence
    assert "Torch gives unused blocks back" in view.verdict.sentence
    assert "-0" not in view.verdict.sentence


def test_that_a_run_that_is_short_gets_remedies_that_are_each_enough() -> None:
    big = chosen(train__sequence_length=8192, train__micro_batch=8)
    short = error("memory.short", "Short by 1 GiB.")
    given = replace(inputs(big, free_gib=2.0), findings=(short,))
    view = recipe_view(given)
    assert view.verdict.bar is not None
    assert view.verdict.bar.verdict is Verdict.SHORT
    assert 1 <= len(view.remedies) <= 3
    for remedy in view.remedies:
        need = estimate_memory(MODEL, remedy.recipe, given.device).peak_bytes
        assert need <= given.device.free_bytes
    fixes = view.findings[0].fixes
    assert [fix.key for fix in fixes] == [
        f"{REMEDY}:{place}" for place in range(len(view.remedies))
    ]
    assert [fix.text for fix in fixes] == [way.words for way in view.remedies]
    assert all(way.saves_bytes > 0 for way in view.remedies)
    assert "enough:" in view.findings[0].consequence


def test_that_all_weights_are_helped_by_hardly_any_states_and_never_quantised() -> None:
    whole = chosen(train__weights="all", model__precision="bf16")
    priced = {
        name: estimate_memory(
            MODEL, whole.with_value("train.optimizer", name), device()
        ).peak_bytes
        for name in ("adamw_8bit", "adafactor")
    }
    assert priced["adafactor"] < priced["adamw_8bit"]
    enough = priced["adafactor"] / GIB + 0.01
    given = replace(inputs(whole, free_gib=enough), proposal=None)
    ways = recipe_view(given).remedies
    assert "Adafactor, with next to no states" in [way.words for way in ways]
    assert not [found for way in ways for found in way.recipe.contradictions()]


def test_that_fewer_rows_at_a_time_keep_the_batch_of_a_step() -> None:
    big = chosen(train__sequence_length=4096, train__micro_batch=8)
    big = big.with_value("train.accumulation", 2)
    halved = big.with_value("train.micro_batch", 4)
    enough = estimate_memory(MODEL, halved, device()).peak_bytes / GIB
    given = replace(inputs(big, free_gib=enough + 0.01), proposal=None)
    ways = recipe_view(given).remedies
    fewer = [way.recipe for way in ways if "at a time" in way.words]
    assert fewer
    assert all(recipe.effective_batch() == 16 for recipe in fewer)


def test_that_a_start_is_refused_with_the_first_error_in_words() -> None:
    findings = (
        warning("data.row", "Line 3 is empty."),
        error("device.no-bf16", "Card does not compute in BF16."),
    )
    view = recipe_view(replace(inputs(), findings=findings))
    assert view.refused == "Card does not compute in BF16."
    assert view.findings[0].what == "Card does not compute in BF16."
    assert checks_mark(view).words == "1 to mend"


def test_that_a_warning_lets_the_run_start() -> None:
    findings = (warning("data.row", "Line 3 is empty."),)
    view = recipe_view(replace(inputs(), findings=findings))
    assert view.refused == ""
    assert checks_mark(view).words == "1 doubt"


def test_that_another_run_under_way_refuses_the_start() -> None:
    view = recipe_view(replace(inputs(), busy="cheese-3 is still running."))
    assert view.refused == "cheese-3 is still running."


@pytest.mark.parametrize(
    ("finding", "key"),
    [
        (error("model.missing", "Not here.", where="model.name"), f"{GO}:model"),
        (error("data.missing", "No file.", where="/x"), f"{GO}:data"),
        (
            error("recipe.contradiction", "Clash.", where="train.eval_steps"),
            f"{FIND}:train.eval_steps",
        ),
    ],
)
def test_that_a_finding_leads_to_the_place_where_it_is_mended(
    finding: Finding, key: str
) -> None:
    view = recipe_view(replace(inputs(), findings=(finding,)))
    assert [fix.key for fix in view.findings[0].fixes] == [key]


def test_that_a_missing_model_and_missing_data_name_their_pages() -> None:
    view = recipe_view(RecipeInputs(recipe=Recipe()))
    assert [missing.page for missing in view.missing] == ["model", "data"]
    assert view.refused == "No model is chosen."


def test_that_the_facts_count_rows_as_the_engine_will_split_them() -> None:
    view = recipe_view(inputs(chosen(data__held_out=0.1)))
    assert view.facts == "SmolLM2 135M · 90 rows to train on, 10 held back"
    assert view.hold_back.title == "Hold back 10 % to measure with"
    assert view.hold_back.caption == "10 rows are never trained on."


def test_that_holding_nothing_back_says_what_is_lost() -> None:
    view = recipe_view(inputs(chosen(data__held_out=0.0)))
    assert not view.hold_back.on
    assert "learns by heart" in view.hold_back.caption


def test_that_the_length_says_how_many_rows_may_be_cut_and_what_more_costs() -> None:
    given = replace(
        inputs(chosen(train__sequence_length=128)), chats=chats(characters=4000)
    )
    length = recipe_view(given).sliders[0]
    assert length.value == "128 tokens"
    assert "100 of 100 rows may be cut." in length.caption
    assert "192 would cost" in length.caption


def test_that_the_longest_length_is_what_the_model_reads() -> None:
    length = recipe_view(inputs(chosen(train__sequence_length=8192))).sliders[0]
    assert "This model reads at most 8,192 tokens." in length.caption
    assert length.place == len(length.steps) - 1


def test_that_passes_tell_the_steps_that_they_come_to() -> None:
    passes = recipe_view(inputs()).sliders[2]
    steps = chosen().total_steps(95)
    assert passes.value == "3"
    assert passes.caption == f"{steps} steps of 16 rows."


def test_that_the_steps_of_packed_rows_are_fewer_and_tell_the_rows_in_them() -> None:
    # Three characters count as a token: 54 tokens, of which 18 rows fill 1,024.
    recipe = chosen(train__packing=True, train__accumulation=1)
    passes = recipe_view(inputs(recipe)).sliders[2]
    assert passes.caption == "18 steps of about 17 rows."
    steps = chosen(train__packing=True, train__accumulation=1, train__max_steps=10)
    assert recipe_view(inputs(steps)).sliders[2].value == "10 steps, 1.8 passes"


def test_that_a_fixed_number_of_steps_says_how_many_passes_it_is() -> None:
    recipe = chosen(train__max_steps=40, train__micro_batch=4, train__accumulation=1)
    view = recipe_view(inputs(recipe))
    assert view.sliders[2].value == "40 steps, 1.7 passes"
    assert view.steps == "40 steps"


def test_that_a_followed_reason_tells_what_it_saves_in_green() -> None:
    given = inputs()
    given = replace(given, recipe=given.proposal.recipe)
    first = recipe_view(given).reasons[0]
    assert first.what == "4-bit weights (NF4, double quant)"
    assert first.effect.startswith("−")
    assert first.effect.endswith(" GiB")
    assert first.tone is Tone.SUCCESS
    assert first.segment is Segment.WEIGHTS
    assert not first.yours


def test_that_an_overridden_reason_shows_what_was_recommended() -> None:
    given = inputs()
    own = given.proposal.recipe.with_value("model.precision", "bf16")
    first = recipe_view(replace(given, recipe=own)).reasons[0]
    assert first.yours
    assert first.what == "Base weights: BF16"
    assert first.why == ("Chosen here. Recommended: 4-bit weights (NF4, double quant).")
    assert first.effect.startswith("+")


def test_that_the_ladder_of_lengths_ends_where_the_model_does() -> None:
    assert sequence_lengths(1000) == (128, 192, 256, 384, 512, 768)
    assert sequence_lengths(64) == (64,)


@pytest.mark.parametrize(("value", "place"), [(1, 0), (130, 0), (180, 1), (9999, 2)])
def test_that_a_value_off_the_ladder_stands_at_the_nearest_stop(
    value: float, place: int
) -> None:
    assert nearest((128, 192, 256), value) == place
