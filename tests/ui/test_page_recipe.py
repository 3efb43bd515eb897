"""The Recipe page: priced at once, saved at once, undone, proposed, started."""

import json
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from studio.domain.cards import find_card
from studio.domain.finding import error
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.memory.timeline import timeline_of
from studio.domain.recipe import Recipe
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.propose import PROPOSED
from studio.domain.run import RunState
from studio.services.cards import known_cards
from studio.services.recommending import recommend
from studio.ui.forms.option_rows import SetBy
from studio.ui.pages.recipe.page import RecipePage
from studio.ui.pages.recipe.reason_widget import ReasonWidget
from studio.ui.pages.recipe.remedy_card import RemedyCard
from studio.ui.widgets.finding_card import FindingCard
from studio.ui.widgets.memory_bar_state import Segment, Verdict
from tests.bench.formula_grid import ARCHITECTURES
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import finished_run

__all__ = ["desk"]


def shown(qtbot, desk: TestDesk) -> RecipePage:
    page = RecipePage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    return page


@pytest.fixture
def page(qtbot, desk: TestDesk) -> RecipePage:
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    return page


def recipe(desk: TestDesk):
    return desk.desk.projects.current.recipe


def cards(page: RecipePage) -> list[FindingCard | RemedyCard]:
    kinds = FindingCard | RemedyCard
    return [row for row in page.view.findings.rows() if isinstance(row, kinds)]


def reasons(page: RecipePage) -> list[ReasonWidget]:
    return [row for row in page.view.reasons.rows() if isinstance(row, ReasonWidget)]


def slide(page: RecipePage, number: int, key: Qt.Key) -> None:
    slider = page.view.simple.choices[number].slider
    slider.setFocus()
    QTest.keyClick(slider, key)


def test_that_the_first_words_are_whether_it_fits(page):
    assert page.view.mark.mark.words == "Fits, much room"
    assert "of 12.00 GiB free main memory" in page.view.sentence.accessibleName()
    assert page.view.basis.text() == "by formula, ± 10 % · exact figure in work"
    assert page.view.memory.state.verdict is Verdict.MUCH_ROOM
    assert page.view.header.facts_label.full_text() == (
        "SmolLM2 135M Instruct · 162 rows to train on, 18 held back"
    )


def test_that_a_slider_saves_and_prices_at_once(page, desk: TestDesk):
    before = page.view.memory.state.peak_bytes
    slide(page, 0, Qt.Key.Key_Right)
    assert recipe(desk).train.sequence_length == 384
    assert page.view.memory.state.peak_bytes > before
    assert page.view.simple.choices[0].value.text() == "384 tokens"
    again = desk.desk.projects.open(desk.desk.projects.current.slug)
    assert again.recipe.train.sequence_length == 384


def test_that_one_undo_takes_back_the_whole_way_of_a_slider(page, desk: TestDesk):
    before = recipe(desk)
    for _ in range(3):
        slide(page, 1, Qt.Key.Key_Right)
    assert recipe(desk).lora.rank == 128
    page.undo_stack.undo()
    assert recipe(desk) == before
    page.undo_stack.redo()
    assert recipe(desk).lora.rank == 128


def test_that_ctrl_z_takes_a_change_back(page, desk: TestDesk):
    slide(page, 1, Qt.Key.Key_Left)
    assert recipe(desk).lora.rank == 8
    QTest.keySequence(page.view.simple.choices[1].slider, "Ctrl+Z")
    assert recipe(desk).lora.rank == 16


def test_that_undoing_and_redoing_refresh_the_page_once_each(
    page, desk: TestDesk, monkeypatch
):
    slide(page, 1, Qt.Key.Key_Left)
    refreshed = []
    refresh = page.refresh
    monkeypatch.setattr(
        page, "refresh", lambda **how: refreshed.append(how) or refresh(**how)
    )
    page.undo_stack.undo()
    page.undo_stack.redo()
    assert refreshed == [{"by_user": True}] * 2
    assert page.view.simple.choices[1].value.text() == "rank 8"


def test_that_undoing_leaves_alone_what_another_page_changed(page, desk: TestDesk):
    slide(page, 1, Qt.Key.Key_Left)
    desk.desk.projects.current.set_value("data.prompts", ["Brie?"])
    page.undo_stack.undo()
    assert recipe(desk).lora.rank == 16
    assert recipe(desk).data.prompts == ("Brie?",)


def test_that_moving_the_passes_lets_them_decide(page, desk: TestDesk):
    assert recipe(desk).train.max_steps > 0
    slide(page, 2, Qt.Key.Key_Right)
    assert recipe(desk).train.max_steps == 0
    assert page.view.simple.choices[2].caption.text().endswith("steps of 4 rows.")


def test_that_holding_nothing_back_also_measures_nothing_between(page, desk: TestDesk):
    for key in ("train.eval_steps", "train.patience"):
        desk.desk.projects.current.set_value(key, 2)
    page.view.simple.hold_back.click()
    assert recipe(desk).data.held_out == 0
    assert recipe(desk).train.eval_steps == recipe(desk).train.patience == 0
    assert cards(page) == []
    page.view.simple.hold_back.click()
    assert recipe(desk).data.held_out == 0.1


def test_that_the_expert_form_edits_the_same_recipe(page, desk: TestDesk):
    page.view.level._buttons["expert"].click()
    assert page.view.expert.isVisible()
    page.view.expert.value_edited.emit("lora.dropout", 0.1)
    assert recipe(desk).lora.dropout == 0.1
    rows = {row.option.key: row for row in page._shown.expert}
    assert rows["lora.dropout"].set_by is SetBy.YOURS
    page.view.expert.reset_requested.emit("lora.dropout")
    assert recipe(desk).lora.dropout == 0.0


def test_that_resetting_all_keeps_model_and_data(page, desk: TestDesk):
    page.change({"lora.rank": 16})  # as recommended, yet the user's own
    page.view.expert.reset_all_requested.emit()
    assert recipe(desk).model.name == "SmolLM2-135M-Instruct"
    assert recipe(desk).data.path
    assert all(row.set_by is SetBy.RECOMMENDED for row in page._shown.expert)
    assert desk.desk.projects.current.own_keys == frozenset()


def test_that_a_proposal_keeps_what_the_user_set(page, desk: TestDesk):
    slide(page, 0, Qt.Key.Key_Right)
    assert page.view.propose.isVisible()
    page.view.propose.click()
    assert recipe(desk).effective_batch() == 16
    assert recipe(desk).train.sequence_length == 384
    assert not page.view.propose.isVisible()


def test_that_a_new_project_is_given_the_proposal_unasked(qtbot, desk: TestDesk):
    desk.hardware.tell(reading_with_card())
    example = desk.desk.projects.ensure_example()
    project = desk.desk.projects.create("Cheese of my own")
    project.set_value("model.name", "SmolLM2-135M-Instruct")
    project.set_value("data.path", example.recipe.data.path)
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: page.undo_stack.count() == 1)
    proposed = page._knowledge.proposed(project.recipe, frozenset()).recipe
    assert all(recipe(desk).value(key) == proposed.value(key) for key in PROPOSED)
    page.undo_stack.undo()
    assert recipe(desk).train.micro_batch == 1
    page.refresh()
    assert page.undo_stack.index() == 0


@pytest.fixture
def own(qtbot, desk: TestDesk) -> RecipePage:
    """The page of a new project on a card, whose recipe is as proposed."""
    desk.hardware.tell(reading_with_card())
    example = desk.desk.projects.ensure_example()
    project = desk.desk.projects.create("Cheese of my own")
    project.set_value("model.name", "SmolLM2-135M-Instruct")
    project.set_value("data.path", example.recipe.data.path)
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: page.undo_stack.count() == 1)
    return page


def choose_goal(page: RecipePage, key: str) -> None:
    QTest.mouseClick(page.view.simple.goal._buttons[key], Qt.MouseButton.LeftButton)


def test_that_a_goal_is_kept_applied_and_undone(own, desk: TestDesk):
    project = desk.desk.projects.current
    choose_goal(own, "footprint")
    assert project.goal is Goal.FOOTPRINT
    assert desk.desk.projects.open(project.slug).goal is Goal.FOOTPRINT
    assert recipe(desk).train.micro_batch == 1
    assert recipe(desk).train.checkpointing
    assert "little memory" in own.view.simple._goal_caption.text()


def test_that_undoing_a_goal_takes_back_what_it_set(own, desk: TestDesk):
    before = recipe(desk)
    choose_goal(own, "footprint")
    assert recipe(desk) != before
    own.undo_stack.undo()
    assert recipe(desk) == before
    assert desk.desk.projects.current.goal is Goal.QUALITY
    assert own.view.simple.goal.current() == "quality"


def test_that_the_rest_follows_what_the_user_sets(own, desk: TestDesk):
    assert recipe(desk).train.micro_batch == 8
    own.change({"train.sequence_length": 8192})
    assert recipe(desk).train.sequence_length == 8192
    assert recipe(desk).train.micro_batch == 1
    assert recipe(desk).effective_batch() == 16
    assert not own.view.propose.isVisible()
    rows = {row.option.key: row for row in own._shown.expert}
    assert rows["train.sequence_length"].set_by is SetBy.YOURS
    assert rows["train.micro_batch"].set_by is SetBy.RECOMMENDED
    own.undo_stack.undo()
    assert recipe(desk).train.micro_batch == 8


def test_that_window_and_command_line_propose_the_same(own, desk: TestDesk):
    device = desk.hardware.latest.device()
    told = recommend(
        Recipe().with_value("model.name", "SmolLM2-135M-Instruct"),
        device,
        desk.desk.data.chat_file,
        Goal.QUALITY,
    ).proposal.recipe
    assert {key: recipe(desk).value(key) for key in PROPOSED} == {
        key: told.value(key) for key in PROPOSED
    }


def test_that_what_the_user_set_stays_when_the_project_is_opened_again(
    qtbot, own, desk: TestDesk
):
    project = desk.desk.projects.current
    own.change({"train.epochs": 5.0})
    own.change({"train.sequence_length": 8192})
    assert recipe(desk).train.micro_batch == 1
    own.view.expert.reset_requested.emit("train.sequence_length")
    assert recipe(desk).train.micro_batch == 8
    assert desk.desk.projects.open(project.slug).own_keys == {"train.epochs"}
    again = shown(qtbot, desk)
    qtbot.waitUntil(again.view.filled.isVisible)
    assert not again.view.propose.isVisible()
    again.change({"train.sequence_length": 8192})
    assert recipe(desk).train.micro_batch == 1
    assert recipe(desk).train.epochs == 5


def test_that_no_proposal_changes_the_example_s_learning_rate(page, desk: TestDesk):
    assert page.view.propose.isVisible()
    page.view.propose.click()
    assert recipe(desk).train.learning_rate == 2e-3


def test_that_a_locked_value_keeps_the_reason_of_what_was_recommended(own, desk):
    own.change({"train.checkpointing": True})
    rows = {row.key: row for row in own._shown.reasons}
    assert rows["train.checkpointing"].yours
    assert "Recommended: Remember" in rows["train.checkpointing"].why
    own.view.expert.reset_requested.emit("train.checkpointing")
    assert not recipe(desk).train.checkpointing
    rows = {row.key: row for row in own._shown.reasons}
    assert not rows["train.checkpointing"].yours


def test_that_a_recipe_of_ones_own_does_not_follow(page, desk: TestDesk):
    before = recipe(desk)
    slide(page, 1, Qt.Key.Key_Right)
    changed = recipe(desk).with_value("lora.rank", before.lora.rank)
    assert changed == before


def test_that_a_plan_prices_for_a_card_that_is_not_here(own, desk: TestDesk):
    planner = own.view.planner
    planner.plan_for(find_card(known_cards(), "RTX 5090"))
    assert "of the 31." in own.view.sentence.accessibleName()
    assert not own.view.start.isEnabled()
    assert own.view.note.text() == "This is a plan for RTX 5090, which isn’t here."
    assert desk.desk.planned_card.device == planner.device
    assert "roughly" in own.view.steps.text()
    planner._menu.aboutToShow.emit()
    planner._menu.actions()[0].trigger()
    assert own.view.start.isEnabled()
    assert planner.button.text() == "What if I had …"
    assert desk.desk.planned_card.device is None


def test_that_every_known_card_can_be_planned_for(own):
    menu = own.view.planner._menu
    menu.aboutToShow.emit()
    menu.aboutToShow.emit()
    cards = [
        action
        for submenu in menu.actions()
        if submenu.menu()
        for action in submenu.menu().actions()
    ]
    assert len(cards) == len(known_cards())


def test_that_reasons_outline_their_part_of_the_bar(page):
    first = reasons(page)[0]
    first.setFocus()
    assert page.view.memory._outlined is Segment.WEIGHTS
    page.view.start.setFocus()
    assert page.view.memory._outlined is None


def test_that_a_few_mib_more_or_less_leave_the_reasons_alone(page, desk: TestDesk):
    before = reasons(page)
    desk.hardware.tell(reading_without_card(free=11.99))
    assert "11.99" in page.view.sentence.accessibleName()
    assert reasons(page) == before


def test_that_a_run_that_does_not_fit_is_refused_with_ways_out(
    qtbot, page, desk: TestDesk
):
    page.change({"train.sequence_length": 8192, "train.micro_batch": 16})
    desk.hardware.tell(reading_with_card(free=2.0))
    assert page.view.memory.state.verdict is Verdict.SHORT
    assert not page.view.start.isEnabled()
    assert page.view.note.text().startswith("Short by ")
    short = next(c for c in cards(page) if c.text.what.startswith("Short by"))
    assert 1 <= len(short.text.fixes) <= 3
    first = short.findChild(QPushButton)
    assert first.accessibleDescription().startswith("−")
    first.click()
    assert page.view.memory.state.verdict is not Verdict.SHORT
    assert page.view.start.isEnabled()


def test_that_a_contradiction_leads_to_the_setting(page, desk: TestDesk):
    page.change({"data.held_out": 0.0})
    card = next(c for c in cards(page) if "eval_steps" in c.text.what)
    assert not page.view.start.isEnabled()
    card.fix_chosen.emit(card.text.fixes[0].key)
    assert page.view.expert.isVisible()
    assert page.view.expert.find_field.text() == "train.eval_steps"


def test_that_starting_leads_to_the_run(qtbot, page, desk: TestDesk):
    desk.scene = "steps"
    page.view.start.click()
    assert desk.visited == ["run"]
    assert desk.desk.controller.is_running
    page.refresh()
    assert page.view.start.accessibleName() == "Start when it ends…"
    assert page.view.note.text() == "cheesemonger-1 is still running."
    desk.desk.controller.stop()
    qtbot.waitUntil(lambda: not desk.desk.controller.is_running, timeout=20_000)
    assert page.view.start.accessibleName() == "Start training"
    assert desk.desk.controller.snapshot.state is RunState.STOPPED


def test_that_ctrl_enter_starts(qtbot, page, desk: TestDesk):
    QTest.keySequence(page.view.start, "Ctrl+Return")
    assert desk.visited == ["run"]
    qtbot.waitUntil(lambda: not desk.desk.controller.is_running, timeout=20_000)


def test_that_a_start_that_is_refused_says_why_on_the_page(
    qtbot, page, desk: TestDesk, monkeypatch
):
    project = desk.desk.projects.current
    runs = project.directory / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    runs.write_text("in the way", encoding="utf-8")
    page.view.start.click()
    assert desk.visited == []
    assert any("runs" in card.text.what for card in cards(page))


def test_that_without_a_model_the_page_leads_to_the_model(qtbot, desk: TestDesk):
    desk.hardware.tell(reading_without_card())
    desk.desk.projects.create("Empty")
    page = shown(qtbot, desk)
    assert page.view.empty.isVisible()
    assert not page.view.filled.isVisible()
    page.view.to_model.click()
    page.view.to_data.click()
    assert desk.visited == ["model", "data"]
    desk.desk.projects.current.set_value("model.name", "SmolLM2-135M-Instruct")
    assert not page.view.to_model.isVisible()
    assert page.view.to_data.isVisible()


def test_that_a_missing_model_says_so_instead_of_a_price(qtbot, desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    desk.desk.projects.current.set_value("model.name", "/no/such/model")
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    assert page.view.mark.mark.words == "Not priced yet"
    assert not page.view.start.isEnabled()
    card = cards(page)[0]
    card.fix_chosen.emit(card.text.fixes[0].key)
    assert desk.visited == ["model"]


def test_that_nothing_is_priced_before_the_first_reading(qtbot, desk: TestDesk):
    desk.open_example()
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    assert page.view.memory.state is None
    assert page.view.note.text() == "The free memory is not measured yet."


def test_that_another_project_has_its_own_changes(page, desk: TestDesk):
    slide(page, 1, Qt.Key.Key_Right)
    desk.desk.projects.create("Another")
    assert page.undo_stack.count() == 0
    assert page.view.empty.isVisible()


def test_that_a_project_with_runs_is_not_proposed_to(qtbot, desk: TestDesk):
    desk.hardware.tell(reading_without_card())
    example = desk.desk.projects.ensure_example()
    project = desk.desk.projects.create("Old")
    project.set_value("model.name", "SmolLM2-135M-Instruct")
    project.set_value("data.path", example.recipe.data.path)
    finished_run(project)
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    assert page.undo_stack.count() == 0


def test_that_names_from_outside_are_never_markup(page):
    rich = [
        widget.text()
        for widget in page.view.findChildren(QLabel)
        if widget.textFormat() is not Qt.TextFormat.PlainText
    ]
    assert rich == [page.view.sentence.text()]


def test_that_every_control_of_the_recipe_page_has_a_name(page):
    assert_reachable(page)
    page.view.show_level("expert")
    assert_reachable(page)


def answer(desk: TestDesk, peak_gib: float = 3.0) -> MemoryEstimate:
    """A dry run of the current recipe, told."""
    weights = Component("Base weights", Group.WEIGHTS, round(peak_gib * GIB), "load")
    layer = Component("One layer", Group.ACTIVATIONS, GIB, "backward")
    estimate = MemoryEstimate(
        components=(weights, layer),
        phase="backward",
        basis=Basis.DRY_RUN,
        expected_error=0.02,
        timeline=timeline_of(
            [GIB, 2 * GIB], [2 * GIB, 3 * GIB], [(0, "forward"), (1, "backward")]
        ),
    )
    desk.pricer.tell(recipe(desk), estimate)
    return estimate


def test_that_the_exact_figure_replaces_the_formula(page, desk):
    assert page.view.memory.state.provisional
    answer(desk)
    assert page.view.basis.text() == "by dry run, ± 2 %"
    assert "needs 4.00 GiB" in page.view.sentence.accessibleName()
    assert not page.view.memory.state.provisional
    slide(page, 1, Qt.Key.Key_Right)
    assert "exact figure in work" in page.view.basis.text()
    assert page.view.memory.state.provisional


def test_that_a_dry_run_that_fails_is_a_quiet_sentence(page, desk):
    assert not page.view.remark.isVisible()
    desk.pricer.tell(recipe(desk), error("x", "The model can't be built."))
    assert page.view.remark.isVisible()
    assert page.view.remark.text() == "No exact figure: The model can't be built."
    assert "by formula" in page.view.basis.text()
    assert desk.posted == []
    slide(page, 1, Qt.Key.Key_Right)
    assert not page.view.remark.isVisible()


def rows_of(column):
    return [row for row in column.rows() if isinstance(row, ReasonWidget)]


def test_that_the_bar_says_where_the_memory_goes(page, desk):
    answer(desk)
    asked = desk.pricer.asked.recipes
    assert asked == (recipe(desk),)
    page.view.where.setFocus()
    QTest.keyClick(page.view.where, Qt.Key.Key_Space)
    panel = page.view.panel
    assert panel.isVisible()
    assert not page.view.simple.isVisible()
    assert len(desk.pricer.asked.recipes) > 5
    parts = rows_of(panel.parts)
    assert [row.row.what for row in parts] == ["Base weights", "One layer"]
    parts[1].setFocus()
    qt = page.view.memory
    assert qt._outlined is Segment.ACTIVATIONS
    assert panel.timeline.timeline is not None
    assert "backward up to 2.00 GiB" in panel.timeline.accessibleDescription()
    assert rows_of(panel.switches)
    page.view.where.click()
    assert not panel.isVisible()
    assert page.view.simple.isVisible()
    assert desk.pricer.asked.recipes == (recipe(desk),)


def test_that_switches_without_a_formula_are_counted_until_they_are_rehearsed(
    page, desk
):
    desk.desk.projects.current.set_value("lora.adapter_dtype", "fp32")
    desk.desk.projects.current.set_value("lora.variant", "dora")
    answer(desk)
    page.view.where.click()
    panel = page.view.panel
    turned = desk.pricer.asked.recipes[1:]
    assert panel._switches_card.note_label.text() == f"0 of {len(turned)} rehearsed"
    assert panel.switches_note.text() == "Shown as they are priced."
    desk.pricer.tell(turned[0], error("x", "The engine refuses it."))
    assert panel._switches_card.note_label.text() == f"0 of {len(turned) - 1} rehearsed"


def test_that_a_recipe_of_contradictions_waits_for_no_dry_run(page, desk):
    desk.desk.projects.current.set_value("lora.variant", "dora")
    assert desk.pricer.asked is None
    told = " ".join(card.text.what + card.text.consequence for card in cards(page))
    assert "can't hold together" in told
    assert "begins by itself" not in told
    assert "once its settings can hold together" in page.view.sentence.text()
    page.view.where.click()
    panel = page.view.panel
    for note in (panel.parts_note, panel.switches_note, panel.timeline_note):
        assert note.isVisible()
        assert note.text() == "Shown once the recipe is priced."


def test_that_a_long_refusal_stays_within_the_header(page, desk, tmp_path):
    gone = str(tmp_path / "/".join(["a-folder-of-a-long-name"] * 8))
    desk.desk.projects.current.set_value("model.name", gone)
    note = page.view.note
    assert gone in note.toolTip()
    assert note.text().endswith("…")
    words = note.fontMetrics().boundingRect(
        0, 0, note.width(), 1000, Qt.TextFlag.TextWordWrap, note.text()
    )
    assert words.width() <= note.width()
    assert words.height() + page.view.steps.height() <= page.view.header.height()


def test_that_the_panel_is_reached_by_its_key_and_without_a_mouse(page, desk):
    answer(desk)
    QTest.keyClick(page, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier)
    assert page.view.panel.isVisible()
    assert_reachable(page)
    assert not page.grab().isNull()


def test_that_a_run_that_starts_ends_the_rehearsal(qtbot, page, desk):
    desk.scene = "steps"
    assert desk.pricer.asked is not None
    page.view.start.click()
    assert desk.desk.controller.is_running
    assert desk.pricer.asked is None
    page.refresh()
    # On a processor a rehearsal would slow the run down.
    assert desk.pricer.asked is None


def test_that_a_recipe_that_contradicts_itself_is_not_rehearsed(page, desk):
    page.change({"model.precision": "bf16", "model.compute_dtype": "fp16"})
    assert desk.pricer.asked is None


def test_that_rows_that_would_be_cut_can_be_kept_by_one_click(page, desk: TestDesk):
    page.change({"train.sequence_length": 64})
    card = next(c for c in cards(page) if "longer than 64 tokens" in c.text.what)
    card.fix_chosen.emit(card.text.fixes[0].key)
    assert recipe(desk).train.sequence_length == 192
    assert not any("longer than" in c.text.what for c in cards(page))


def test_that_a_model_no_recipe_fits_is_told_what_would(qtbot, own, desk: TestDesk):
    folder = Path(own._desk.folders.cache) / "Llama"
    folder.mkdir(parents=True)
    config = ARCHITECTURES["llama-3.1-8b"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    desk.hardware.tell(reading_with_card(free=4.0))
    desk.desk.projects.current.set_value("model.name", str(folder))

    def told() -> list[str]:
        texts = [card.text for card in cards(own)]
        return [t.consequence for t in texts if t.what.startswith("No recipe for this")]

    qtbot.waitUntil(lambda: bool(told()), timeout=20_000)
    (words,) = told()
    assert "Trainable here: " in words
    assert "This model trains on: " in words
    desk.hardware.tell(reading_with_card(free=11.5))
    assert told() == []


def test_that_a_dragged_head_room_is_kept_and_changes_what_is_proposed(own, desk):
    before = desk.desk.preferences.headroom_bytes
    own.view.memory.headroom_chosen.emit(4 * GIB)
    assert before is None
    assert desk.desk.preferences.headroom_bytes == 4 * GIB
    assert desk.desk.hardware.latest.headroom_bytes == 4 * GIB
    assert own.view.memory.state.held(Segment.HEADROOM) == 4 * GIB
    budget = desk.desk.hardware.latest.device().free_bytes - 4 * GIB
    assert own._advice().estimate.peak_bytes <= budget


def test_that_a_model_is_not_rehearsed_that_is_refused_already(own, desk: TestDesk):
    folder = Path(own._desk.folders.cache) / "Bert"
    folder.mkdir(parents=True)
    bert = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    (folder / "config.json").write_text(json.dumps(bert), encoding="utf-8")
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert desk.pricer.asked is not None
    desk.desk.projects.current.set_value("model.name", str(folder))
    assert desk.pricer.asked is None
    assert "rehearsed" not in own.view.sentence.accessibleName()
    assert any("“bert”" in c.text.what or "made to" in c.text.what for c in cards(own))
