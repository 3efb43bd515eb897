"""Dry runs beside the window: the exact figure of what the Recipe page shows.

A recipe changes with every step of a slider, and a dry run takes seconds; so one is
begun only when the recipe has rested for a moment, at most one engine is alive, and one
that works on what nobody asks about any more is ended.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.protocol.events import EngineEvent
from studio.services.background import unexpected
from studio.services.dry_runs import VERB, Question, about_model
from studio.services.engine_task import EngineTask
from studio.services.launch import engine_command

REST_MS = 400
_UNANSWERED = error(
    "estimate.unanswered", "The dry run ended before it came to this recipe."
)


class ExactPricer(QObject):
    """Answers the latest question, recipe by recipe, the first one first.

    Signals:
        answers_changed: An answer came, or work on one began or ended.
    """

    answers_changed = Signal()

    def __init__(
        self,
        *,
        rest_ms: int = REST_MS,
        command_for: Callable[..., Sequence[str]] = engine_command,
        parent: QObject | None = None,
    ) -> None:
        """Make a pricer that has been asked nothing.

        Args:
            rest_ms: How long a question must stand before an engine is started.
            command_for: From the verb and its arguments to an engine's command line.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._command_for = command_for
        self._question: Question | None = None
        self._answers: dict[Recipe, MemoryEstimate | Finding] = {}
        self._task: EngineTask | None = None
        self._asked: Question | None = None  # what the engine works on
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(rest_ms)
        self._timer.timeout.connect(self._begin)

    def ask(self, question: Question | None) -> None:
        """Ask about other recipes, or nothing any more; cheap when nothing changed.

        What was priced before is answered at once.
        """
        before, self._question = self._question, question
        if question is None:
            self._give_up()
            return
        if before is not None and question.is_about(before):
            if question.recipes == before.recipes:
                return
        else:
            self._answers.clear()
        self._recall(question)
        left = question.without(self._answers).recipes
        if self._asked is not None and not self._serves(question):
            self._end_task()
        if left:
            self._timer.start()
        else:
            self._timer.stop()

    def answer(self, recipe: Recipe) -> MemoryEstimate | Finding | None:
        """The estimate, why there is none, or None while that isn't known."""
        return self._answers.get(recipe)

    def is_at_work_on(self, recipe: Recipe) -> bool:
        """Whether an answer about a recipe is still to come."""
        question = self._question
        asked = question is not None and recipe in question.recipes
        return asked and recipe not in self._answers

    @Slot()
    def close(self) -> None:
        """End the engine and wait for it; for a window that closes."""
        self._question = None
        self._timer.stop()
        if self._task is not None:
            self._task.close()
        self._let_go()

    def _recall(self, question: Question) -> None:
        known = question.without(self._answers).known()
        self._answers.update(known)

    def _serves(self, question: Question) -> bool:
        """Whether the engine works on what is asked now."""
        asked = self._asked
        assert asked is not None
        wanted = question.without(self._answers).recipes
        return asked.is_about(question) and bool(wanted) and wanted[0] in asked.recipes

    @Slot()
    def _begin(self) -> None:
        question = self._question
        if self._task is not None or question is None:
            return  # begun when the engine under way has ended
        left = question.without(self._answers)
        if not left.recipes:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="snugtune-")
        try:
            arguments = left.arguments(Path(self._folder.name))
        except (StudioError, OSError) as refused:
            self._fail(left, refused)
            return
        command = list(self._command_for(VERB, *arguments))
        self._asked = left
        self._task = EngineTask(VERB, command=command, parent=self)
        self._task.event_arrived.connect(self._on_event_arrived)
        self._task.task_done.connect(self._on_task_done)
        self._task.task_failed.connect(self._on_task_failed)
        self._task.start()
        self.answers_changed.emit()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        asked = self._asked
        answer = asked.answer(event) if asked is not None else None
        if answer is not None and self._is_asked_about():
            self._answers[answer.recipe] = answer.estimate
            self.answers_changed.emit()

    @Slot(object)
    def _on_task_done(self, _last_word: object) -> None:
        self._on_ended(None)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self._on_ended(finding)

    def _on_ended(self, finding: Finding | None) -> None:
        asked, folder = self._asked, self._folder
        if asked is not None and self._is_asked_about():
            where = Path(folder.name) if folder is not None else Path()
            told = about_model(finding or _UNANSWERED, where, asked.recipes[0])
            for recipe in asked.recipes:
                self._answers.setdefault(recipe, told)
        self._let_go()
        if self._question is not None:
            self._begin()
        self.answers_changed.emit()

    def _is_asked_about(self) -> bool:
        """Whether the engine's answers are about what is asked now."""
        asked, question = self._asked, self._question
        if asked is None or question is None:
            return False
        return asked.is_about(question)

    def _fail(self, left: Question, refused: Exception) -> None:
        if isinstance(refused, StudioError):
            finding = refused.finding
        else:
            finding = unexpected(refused)
        for recipe in left.recipes:
            self._answers[recipe] = finding
        self._let_go()
        self.answers_changed.emit()

    def _give_up(self) -> None:
        self._timer.stop()
        if self._task is not None:
            self._end_task()

    def _end_task(self) -> None:
        """End the engine, whose answers nobody waits for; its end is told later."""
        self._asked = None
        assert self._task is not None
        self._task.kill()

    def _let_go(self) -> None:
        self._asked = None
        if self._task is not None:
            self._task.deleteLater()
            self._task = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
