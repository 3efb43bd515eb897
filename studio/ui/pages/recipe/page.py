"""The Recipe page: each change is saved at once, priced at once, and can be undone."""

from collections.abc import Mapping

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent, QUndoStack
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.finding import Finding
from studio.domain.judgement_findings import turned_to
from studio.domain.method_options import Method
from studio.domain.options import Kind, Value
from studio.domain.recipe import OPTIONS
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.proposal import Proposal
from studio.services.project import Project
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.recipe.edits import RecipeChange, differences
from studio.ui.pages.recipe.elsewhere import Elsewhere
from studio.ui.pages.recipe.knowledge import Knowledge
from studio.ui.pages.recipe.open_points import (
    FIND,
    GO,
    LENGTH,
    METHOD,
    REMEDY,
    has_ways_out,
)
from studio.ui.pages.recipe.proposing import Proposer
from studio.ui.pages.recipe.reason_widget import ReasonWidget
from studio.ui.pages.recipe.reasons import SEGMENTS
from studio.ui.pages.recipe.remedy_card import RemedyCard
from studio.ui.pages.recipe.starting import Starting
from studio.ui.pages.recipe.view import EXPERT, RecipeView
from studio.ui.pages.recipe.view_model import RecipeInputs, checks_mark, recipe_view
from studio.ui.pages.recipe.view_model import RecipeView as Shown
from studio.ui.widgets.finding_card import FindingCard
from studio.ui.widgets.memory_bar_state import Segment


class RecipePage(QWidget):
    """Wires the Recipe page.

    Attributes:
        view: The layout.
        starting: What the header's start button does.
        undo_stack: The changes of this session, newest last.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._knowledge = Knowledge(desk)
        self._shown: Shown | None = None
        self._refusal: Finding | None = None
        self._is_changing = False
        self._share = OPTIONS["data.held_out"].default
        self.undo_stack = QUndoStack(self)
        self._proposer = Proposer(self._knowledge)
        self._elsewhere = Elsewhere(self)
        self.view = RecipeView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._elsewhere.found.connect(self._on_news)
        self.starting = Starting(desk, self.view)
        self.starting.start_refused.connect(self._on_start_refused)
        self._connect_services()
        self._connect_choices()
        self._declare_keys()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._knowledge.look_again()
        self.refresh()

    def refresh(self, *, by_user: bool = False) -> None:
        """Show what is known now; what hasn't changed isn't touched.

        Args:
            by_user: The change is the user's own, so the bar may move.
        """
        if not self.isVisible():
            return  # shown anew when the page comes to the front
        self._propose_first_time()
        shown = recipe_view(self._inputs())
        if shown != self._shown:
            before, self._shown = self._shown, shown
            self._show(shown, before, by_user=by_user)
        self._show_propose()

    def change(self, values: Mapping[str, Value], *, by_user: bool = True) -> None:
        """Set options, at once; can be undone.

        Args:
            values: By option key.
            by_user: They are the user's own, and what was as proposed follows.
        """
        project = self._desk.projects.current
        if project is None or not values:
            return
        own = frozenset(values) if by_user else frozenset()
        extra = self._proposer.following(project, values) if by_user else {}
        self._push(project, {**extra, **values}, own)

    def _push(
        self,
        project: Project,
        values: Mapping[str, Value],
        own: frozenset[str] = frozenset(),
        goal: Goal | None = None,
    ) -> None:
        self._refusal = None
        self.starting.forget()
        refused = self._desk.notices.post
        change = RecipeChange(project, values, refused, own=own, goal=goal)
        self._is_changing = True  # the push shows it itself, as the user's own
        self.undo_stack.push(change)
        self._is_changing = False
        self.refresh(by_user=True)

    def _connect_services(self) -> None:
        desk = self._desk
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.projects.recipe_changed.connect(self._on_recipe_changed)
        desk.data.data_changed.connect(self._on_news)
        desk.hardware.reading_changed.connect(self._on_news)
        desk.controller.run_ended.connect(self._on_news)
        desk.pricer.answers_changed.connect(self._on_news)

    def _connect_choices(self) -> None:
        view = self.view
        view.start.clicked.connect(self._on_start)
        view.propose.clicked.connect(self._on_propose)
        view.to_model.clicked.connect(self._on_to_model)
        view.to_data.clicked.connect(self._on_to_data)
        view.planner.changed.connect(self._on_planned)
        view.memory.headroom_chosen.connect(self._on_headroom_chosen)
        view.memory.bar_clicked.connect(self._on_memory_clicked)
        view.where.toggled.connect(self._on_where_toggled)
        view.panel.segment_spoken_of.connect(self._on_segment_spoken_of)
        view.level.choice_changed.connect(view.show_level)
        view.simple.goal_chosen.connect(self._on_goal_chosen)
        view.simple.value_chosen.connect(self._on_stop_chosen)
        view.simple.hold_back_chosen.connect(self._on_hold_back_chosen)
        view.expert.value_edited.connect(self._on_value_edited)
        view.expert.reset_requested.connect(self._on_reset_requested)
        view.expert.reset_all_requested.connect(self._on_reset_all_requested)
        view.expert.option_selected.connect(self._on_option_selected)

    def _declare_keys(self) -> None:
        # Shortcuts of a page that isn't shown are silent, so pages may share keys.
        bind_keys(self, Deed.START, self._on_start)
        bind_keys(self, Deed.QUEUE, self.starting.ask_to_queue)
        bind_keys(self, Deed.EXPLAIN, self.view.where.toggle)
        bind_keys(self, Deed.UNDO, self.undo_stack.undo)
        bind_keys(self, Deed.REDO, self.undo_stack.redo)
        bind_keys(self, Deed.FIND, self._on_find)

    def _inputs(self) -> RecipeInputs:
        advice = self._advice()
        inputs = self._knowledge.inputs(advice)
        hopeless = self._knowledge.hopeless(advice)
        for finding in (self._elsewhere.finding(hopeless), self._refusal):
            if finding is not None:
                inputs = self._knowledge.with_finding(inputs, finding)
        return inputs

    def _advice(self) -> Proposal | None:
        return self._proposer.advice(self._desk.projects.current)

    def _propose_first_time(self) -> None:
        project = self._desk.projects.current
        if project is not None and self._desk.data.chat_file is not None:
            self.change(self._proposer.first_values(project), by_user=False)

    def _show(self, shown: Shown, before: Shown | None, *, by_user: bool) -> None:
        view = self.view
        view.header.set_facts(shown.facts)
        view.empty.setVisible(bool(shown.missing))
        view.filled.setVisible(not shown.missing)
        self._show_missing(shown)
        self.starting.show(shown)
        self._show_verdict(shown, by_user=by_user)
        view.simple.show_goal(*shown.goal)
        view.simple.show_rows(shown.sliders, shown.hold_back)
        view.checks.set_mark(checks_mark(shown))
        if before is None or shown.expert != before.expert:
            view.expert.set_rows(shown.expert)
        if before is None or shown.reasons != before.reasons:
            self._show_reasons(shown)
        if before is None or shown.findings != before.findings:
            self._show_findings(shown)

    def _show_missing(self, shown: Shown) -> None:
        pages = [missing.page for missing in shown.missing]
        self.view.to_model.setVisible("model" in pages)
        self.view.to_data.setVisible("data" in pages)
        if pages:
            words = " ".join(f"{missing.what}." for missing in shown.missing)
            self.view.empty.headline.setText(words)

    def _show_verdict(self, shown: Shown, *, by_user: bool) -> None:
        verdict, view = shown.verdict, self.view
        view.mark.set_mark(verdict.mark)
        view.sentence.set_text(verdict.sentence)
        view.basis.setText(verdict.basis)
        view.remark.setText(verdict.remark)
        view.remark.setVisible(bool(verdict.remark))
        view.panel.show_explanation(shown.explanation)
        view.reasons_note.setText(shown.reasons_note)
        view.memory.set_state(verdict.bar, animated=by_user)

    def _show_reasons(self, shown: Shown) -> None:
        rows = [ReasonWidget(row) for row in shown.reasons]
        for row in rows:
            row.segment_spoken_of.connect(self._on_segment_spoken_of)
        self.view.reasons.set_rows(rows)
        self.view.reasons.setVisible(bool(rows))
        self.view.reasons_note.setVisible(not rows)

    def _show_findings(self, shown: Shown) -> None:
        ways = shown.remedies
        cards = [
            RemedyCard(text, ways) if has_ways_out(text) else FindingCard(text)
            for text in shown.findings
        ]
        for card in cards:
            card.fix_chosen.connect(self._on_fix_chosen)
        self.view.findings.set_rows(cards)

    def _show_propose(self) -> None:
        project = self._desk.projects.current
        can = project is not None and bool(self._proposer.values(project))
        self.view.propose.setVisible(can)

    @Slot()
    def _on_start(self) -> None:
        self.refresh()
        if self._shown is not None:
            self.starting.start(self._shown)

    @Slot(object)
    def _on_start_refused(self, finding: Finding) -> None:
        self._refusal = finding
        self.refresh()

    @Slot()
    def _on_propose(self) -> None:
        project = self._desk.projects.current
        if project is not None:
            self.change(self._proposer.values(project), by_user=False)

    @Slot(object)
    def _on_headroom_chosen(self, headroom_bytes: int) -> None:
        self._desk.preferences.headroom_bytes = headroom_bytes
        self._desk.hardware.set_headroom(self._desk.preferences.headroom_bytes)
        self.refresh(by_user=True)

    @Slot()
    def _on_planned(self) -> None:
        self._knowledge.planned = self.view.planner.device
        self.refresh(by_user=True)
        self._desk.planned_card.choose(self.view.planner.device)

    @Slot(str)
    def _on_goal_chosen(self, key: str) -> None:
        project, goal = self._desk.projects.current, Goal(key)
        if project is not None and project.goal is not goal:
            self._push(project, self._proposer.for_goal(project, goal), goal=goal)

    @Slot(str, float)
    def _on_stop_chosen(self, key: str, stop: float) -> None:
        project = self._desk.projects.current
        is_whole = OPTIONS[key].kind is Kind.INTEGER
        values: dict[str, Value] = {key: int(stop) if is_whole else stop}
        if key == "train.epochs" and project and project.recipe.train.max_steps:
            values["train.max_steps"] = 0
        self.change(values)

    @Slot(bool)
    def _on_hold_back_chosen(self, on: bool) -> None:
        project = self._desk.projects.current
        if on or project is None:
            self.change({"data.held_out": self._share})
            return
        self._share = project.recipe.data.held_out or self._share
        # Without held-out rows there is nothing to measure between steps.
        self.change(
            {
                "data.held_out": 0.0,
                "data.held_out_file": "",
                "train.eval_steps": 0,
                "train.patience": 0,
            }
        )

    @Slot(str, object)
    def _on_value_edited(self, key: str, value: Value) -> None:
        self.change({key: value})

    @Slot(str)
    def _on_reset_requested(self, key: str) -> None:
        project = self._desk.projects.current
        if project is not None:
            self.change(self._proposer.given_back(project, key), by_user=False)

    @Slot()
    def _on_reset_all_requested(self) -> None:
        project = self._desk.projects.current
        if project is not None:
            self.change(self._proposer.all_given_back(project), by_user=False)

    @Slot(str)
    def _on_option_selected(self, key: str) -> None:
        self.view.memory.outline_segment(SEGMENTS.get(key))

    @Slot(object)
    def _on_segment_spoken_of(self, segment: Segment | None) -> None:
        self.view.memory.outline_segment(segment)

    @Slot(bool)
    def _on_where_toggled(self, on: bool) -> None:
        self._knowledge.explains = on
        self.view.show_panel(shown=on)
        self.view.memory.outline_segment(None)
        self.refresh()

    @Slot(str)
    def _on_fix_chosen(self, fix: str) -> None:
        kind, _, what = fix.partition(":")
        match kind:
            case _ if kind == GO:
                self._desk.go_to(what)
            case _ if kind == FIND:
                self._find(what)
            case _ if kind == LENGTH:
                self.change({"train.sequence_length": int(what)})
            case _ if kind == METHOD:
                self._turn_to(Method(what))
            case _ if kind == REMEDY:
                self._remedy(int(what))

    def _find(self, key: str) -> None:
        self.view.show_level(EXPERT)
        self.view.expert.find_field.setText(key)
        self.view.expert.select_option(key)
        self.view.expert.table.setFocus()

    def _turn_to(self, method: Method) -> None:
        project = self._desk.projects.current
        if project is not None:
            self.change(turned_to(project.recipe, method))

    def _remedy(self, place: int) -> None:
        project = self._desk.projects.current
        if project is not None and self._shown is not None:
            remedy = self._shown.remedies[place]
            self.change(differences(project.recipe, remedy.recipe))

    @Slot()
    def _on_find(self) -> None:
        self.view.show_level(EXPERT)
        self.view.expert.focus_find()

    @Slot()
    def _on_to_model(self) -> None:
        self._desk.go_to("model")

    @Slot()
    def _on_to_data(self) -> None:
        self._desk.go_to("data")

    @Slot()
    def _on_memory_clicked(self) -> None:
        self._desk.go_to("hardware")

    @Slot()
    def _on_project_changed(self) -> None:
        self.undo_stack.clear()
        self._refusal = None
        self._knowledge.look_again()
        self.refresh()

    @Slot()
    def _on_recipe_changed(self) -> None:
        if not self._is_changing:
            self.refresh(by_user=True)

    @Slot()
    def _on_news(self) -> None:
        self.refresh()
