"""The Run page: one run, live or from disk, drawn five times a second at most."""

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, QUrl, Slot
from PySide6.QtGui import (
    QDesktopServices,
    QHideEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.run import RunSnapshot
from studio.services.library import find_run
from studio.services.process_outcome import Ordered
from studio.services.resuming import can_resume
from studio.services.run_wait import GONE_ON
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.question import Question
from studio.ui.pages.run.adaptations import Marks
from studio.ui.pages.run.endings import NextDeed
from studio.ui.pages.run.paused_run import PausedRun
from studio.ui.pages.run.series import Drawn, PeakRange
from studio.ui.pages.run.shown_run import ShownRun
from studio.ui.pages.run.view import RunView
from studio.ui.pages.run.view_model import (
    PREFERRED,
    READING_RUN,
    Rung,
    RunInputs,
    run_view,
)
from studio.ui.pages.run.view_model import RunView as Shown
from studio.ui.widgets.progress_header import ProgressText

if TYPE_CHECKING:
    from pathlib import Path

_Extent = tuple[int, tuple[float, ...], PeakRange | None, Marks]

_INTERVAL_MS = 200
_READ_AGAIN_EVERY = 10  # turns of the clock, for a run that only the disk tells of
_RUNGS = {
    Ordered.PAUSE: Rung.PAUSE,
    Ordered.STOP: Rung.STOP,
    Ordered.TERMINATE: Rung.TERMINATE,
    Ordered.KILL: Rung.KILL,
}


class RunPage(QWidget):
    """Wires the Run page.

    Attributes:
        view: The layout.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._run = ShownRun(desk, self)
        self._paused = PausedRun(desk, self)
        self._drawn_run: Path | None = None
        self._drawn = Drawn()
        self._extent: _Extent | None = None
        self.question: Question | None = None
        self.view = RunView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._turns = 0
        self._clock = QTimer(self)
        self._clock.setInterval(_INTERVAL_MS)
        self._clock.timeout.connect(self._on_tick)
        self._run.run_changed.connect(self._on_run_changed)
        self._paused.paused_changed.connect(self._on_paused_changed)
        self._paused.wait.wait_failed.connect(self._on_wait_failed)
        self._connect_view()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._run.look_again()
        self._paused.look_again()
        self.refresh()
        self._keep_time()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._clock.stop()

    @Slot()
    def refresh(self) -> None:
        """Show the run as it is now."""
        snapshot = self._run.snapshot
        self.view.empty.setVisible(snapshot is None and not self._run.is_reading)
        self.view.filled.setVisible(snapshot is not None)
        if snapshot is None:
            self._show_nothing()
        else:
            self._show(snapshot)

    def _connect_view(self) -> None:
        view = self.view
        view.pause.clicked.connect(self._on_pause)
        view.save_now.clicked.connect(self._on_save_now)
        view.stop.clicked.connect(self._on_stop)
        view.to_recipe.clicked.connect(self._on_to_recipe)
        view.ending.deed_chosen.connect(self._on_deed_chosen)
        view.ending.going_on.wait_chosen.connect(self._on_wait_chosen)
        view.end_now.clicked.connect(self._on_end_now)
        view.kill.clicked.connect(self._on_kill)
        bind_keys(self, Deed.SAVE, self._on_save_now)
        bind_keys(self, Deed.PAUSE, self._on_pause_or_go_on)

    def _keep_time(self) -> None:
        """Redraw while a run goes on and is looked at; else the window stays idle."""
        snapshot = self._run.snapshot
        goes_on = snapshot is not None and not snapshot.state.is_over
        if not (goes_on and self.isVisible()):
            self._clock.stop()
        elif not self._clock.isActive():
            # Starting it anew at each event would put its next turn off for ever.
            self._clock.start()

    def _show(self, snapshot: RunSnapshot) -> None:
        charts = self.view.make_charts()
        if self._drawn_run != snapshot.directory or self._is_behind(snapshot):
            self._drawn_run, self._drawn, self._extent = (
                snapshot.directory,
                Drawn(),
                None,
            )
            charts.clear()
            self.view.learning_rate.set_note("")
            self.view.grad_norm.set_note("")
        shown = run_view(self._inputs(snapshot))
        self._drawn = Drawn.all_of(snapshot)
        self._draw(shown)
        self._show_course(shown)
        view = self.view
        view.header.set_facts(shown.facts)
        view.samples.show_prompts(shown.prompts)
        view.happenings.show_happenings(shown.happenings)
        view.ending.show_going_on(self._paused.going_on(snapshot))
        view.memory.set_note(shown.memory_note)
        view.memory_mark.setVisible(shown.memory_mark is not None)
        if shown.memory_mark is not None:
            view.memory_mark.set_mark(shown.memory_mark)

    def _show_nothing(self) -> None:
        view = self.view
        view.header.set_facts(READING_RUN if self._run.is_reading else "")
        for action in view.orders():
            action.hide()

    def _inputs(self, snapshot: RunSnapshot) -> RunInputs:
        controller = self._desk.controller
        is_ours = controller.is_running and self._run.is_live
        return RunInputs(
            snapshot=snapshot,
            recipe=self._run.recipe,
            estimate=self._run.estimate,
            now=time.time(),
            is_ours=is_ours,
            rung=_RUNGS.get(controller.ordered, Rung.NONE) if is_ours else Rung.NONE,
            drawn=self._drawn,
            less=self._run.less_words,
        )

    def _is_behind(self, snapshot: RunSnapshot) -> bool:
        """Whether the charts hold more than the run: it was told anew."""
        drawn, whole = self._drawn, Drawn.all_of(snapshot)
        return drawn.steps > whole.steps or drawn.held_out > whole.held_out

    def _draw(self, shown: Shown) -> None:
        charts, curves = self.view.make_charts(), shown.curves
        extent = curves.total_steps, curves.passes, curves.peak, curves.marks
        if extent != self._extent:
            self._extent = extent
            charts.memory.set_card(self._run.card_bytes)
            charts.set_extent(curves.total_steps, curves.passes)
            charts.memory.set_prediction(curves.peak)
            charts.set_marks(curves.marks)
        charts.feed(curves)
        for card in self.view.chart_cards():
            card.show_chart(has_points=bool(curves.total_steps))
        if curves.learning_rate:
            rate = curves.learning_rate[-1][1]
            self.view.learning_rate.set_note(_rate_words(rate))
        if curves.grad_norm:
            self.view.grad_norm.set_note(f"{curves.grad_norm[-1][1]:.2f}")

    def _show_course(self, shown: Shown) -> None:
        view, course = self.view, shown.course
        view.progress.setVisible(course is not None)
        view.ending.setVisible(shown.ending is not None)
        view.pause.setVisible(shown.can_pause)
        view.save_now.setVisible(shown.can_save)
        view.stop.setVisible(shown.can_stop)
        view.end_now.setVisible(shown.can_end_now)
        view.kill.setVisible(shown.can_kill)
        if course is not None:
            view.progress.show_progress(
                ProgressText(
                    share=course.share,
                    answer=course.answer,
                    detail=course.detail,
                    gone=course.gone,
                    saved=course.saved,
                )
            )
        if shown.ending is not None:
            view.ending.show_ending(shown.ending)
        for tile in shown.tiles:
            view.tiles[tile.caption].set_value(tile.value)
            if tile.caption == PREFERRED:
                view.tiles[tile.caption].setVisible(bool(tile.value))

    @Slot()
    def _on_tick(self) -> None:
        self.refresh()
        self._turns += 1
        if not self._run.is_live and self._turns % _READ_AGAIN_EVERY == 0:
            self._run.look_again()

    @Slot()
    def _on_run_changed(self) -> None:
        if not self.isVisible():
            return
        snapshot = self._run.snapshot
        if self.question is not None and (snapshot is None or snapshot.state.is_over):
            self.question.reject()  # it ended by itself while it was asked about
        if not self._clock.isActive() or snapshot is None or snapshot.state.is_over:
            self.refresh()
        self._keep_time()

    @Slot()
    def _on_paused_changed(self) -> None:
        snapshot = self._run.snapshot
        if self.isVisible() and snapshot is not None:
            self.view.ending.show_going_on(self._paused.going_on(snapshot))

    @Slot(object)
    def _on_wait_failed(self, finding: Finding) -> None:
        self._desk.notices.post(finding)
        snapshot = self._run.snapshot
        is_shown = snapshot is not None and str(snapshot.directory) == finding.where
        if snapshot is not None and is_shown and finding.code == GONE_ON:
            self._run.follow(snapshot.directory)

    @Slot(bool)
    def _on_wait_chosen(self, waits: bool) -> None:
        snapshot = self._run.snapshot
        if snapshot is not None:
            self._paused.choose_to_wait(snapshot, waits=waits)

    @Slot()
    def _on_save_now(self) -> None:
        if self._run.is_live:
            self._desk.controller.save_now()

    @Slot()
    def _on_pause(self) -> None:
        if self._desk.controller.is_running and self._run.is_live:
            self._desk.controller.pause()
            self.refresh()

    @Slot()
    def _on_pause_or_go_on(self) -> None:
        focused = QApplication.focusWidget()
        if isinstance(focused, QAbstractButton):
            focused.click()  # the key is the button's own first
            return
        snapshot = self._run.snapshot
        if snapshot is not None and can_resume(snapshot):
            self._go_on()
        elif self.view.pause.isVisible():
            self._on_pause()

    def _go_on(
        self, *, accept_changes: bool = False, save_memory: bool = False
    ) -> None:
        snapshot = self._run.snapshot
        if snapshot is None:
            return
        try:
            self._desk.controller.resume(
                find_run(str(snapshot.directory)),
                accept_changes=accept_changes,
                save_memory=save_memory,
            )
        except StudioError as refused:
            self._desk.notices.post(refused.finding)
        self._run.look_again()
        self.refresh()
        self._keep_time()

    @Slot()
    def _on_stop(self) -> None:
        snapshot = self._run.snapshot
        if snapshot is None or self.question is not None:
            return
        self.question = Question(
            "Stop this run?",
            stop_words(snapshot),
            "Stop and keep",
            "Go on",
            self,
        )
        self.question.deed_confirmed.connect(self._on_stop_confirmed)
        self.question.finished.connect(self._on_question_finished)
        self.question.open()

    @Slot()
    def _on_stop_confirmed(self) -> None:
        if self._desk.controller.is_running:
            self._desk.controller.stop(save=True)
            self.refresh()

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None

    @Slot()
    def _on_end_now(self) -> None:
        self._desk.controller.terminate()
        self.refresh()

    @Slot()
    def _on_kill(self) -> None:
        self._desk.controller.kill()
        self.refresh()

    @Slot()
    def _on_to_recipe(self) -> None:
        self._desk.go_to("recipe")

    @Slot(str)
    def _on_deed_chosen(self, deed: str) -> None:
        snapshot = self._run.snapshot
        match NextDeed(deed):
            case NextDeed.RESUME:
                self._go_on()
            case NextDeed.RESUME_CHANGED:
                self._go_on(accept_changes=True)
            case NextDeed.RESUME_LESS:
                self._go_on(save_memory=True)
            case NextDeed.RECIPE:
                self._desk.go_to("recipe")
            case NextDeed.RESULT:
                if snapshot is not None:
                    self._desk.chosen_run.choose(snapshot.directory)
                self._desk.go_to("export")
            case NextDeed.FOLDER if snapshot is not None:
                folder = QUrl.fromLocalFile(str(snapshot.directory))
                QDesktopServices.openUrl(folder)


def stop_words(snapshot: RunSnapshot) -> str:
    """What is kept when a run is stopped now."""
    if not snapshot.steps:
        return "No step is done yet, so there is nothing to keep but the recipe."
    return f"Steps up to {snapshot.step:,} are kept and can be exported."


def _rate_words(rate: float) -> str:
    mantissa, _, exponent = f"{rate:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if rate else "0"
