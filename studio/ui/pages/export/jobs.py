"""What the Export page has the engine do: export, and answer as two models in turn."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import Finding
from studio.protocol.answer_events import Generated
from studio.protocol.events import EngineEvent, PhaseChanged, Progress
from studio.ui.pages.engine_job import EngineJob, TaskFor
from studio.ui.pages.export.view_model import phase_words

_ANSWER_TOKENS = 160


class Side(StrEnum):
    """Which of the two models answers."""

    BASE = "base"
    TUNED = "tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWish:
    """What a user wants to be exported.

    Attributes:
        run: The run's folder.
        target: The folder that will hold it.
        kinds: ``adapter``, ``merged``, forms of exporters such as ``gguf:q8_0``.
        number_format: Of the merged weights: bf16, fp16 or fp32.
        as_trained: Merged into the base as 4 bits held it in training.
    """

    run: Path
    target: Path
    kinds: tuple[str, ...]
    number_format: str
    as_trained: bool = False


class Exporting(QObject):
    """Exports a run: adapter, merged model, certificate.

    Attributes:
        job: The engine at work.

    Signals:
        export_went_on: What is done, in words, and how far it is, 0 to 1 or below 0.
        export_done: The `Exported` event.
        export_failed: A `Finding`.
    """

    export_went_on = Signal(str, float)
    export_done = Signal(object)
    export_failed = Signal(object)

    def __init__(self, task_for: TaskFor, parent: QObject) -> None:
        super().__init__(parent)
        self.job = EngineJob(task_for, self)
        self.job.event_arrived.connect(self._on_event_arrived)
        self.job.task_done.connect(self.export_done)
        self.job.task_failed.connect(self.export_failed)

    def export(self, wish: ExportWish, *, overwrite: bool) -> None:
        """Begin; one export at a time.

        Args:
            wish: What is wanted.
            overwrite: What an earlier export made makes room.
        """
        if self.job.is_running:
            return
        wanted = [word for kind in wish.kinds for word in ("--to", kind)]
        more = ["--overwrite"] if overwrite else []
        more += ["--as-trained"] if wish.as_trained else []
        out = ["--out", str(wish.target), "--dtype", wish.number_format]
        log = wish.run / "log.txt"
        self.job.begin("export", str(wish.run), *wanted, *out, *more, log_path=log)
        self.export_went_on.emit("Starting", -1.0)

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        match event:
            case PhaseChanged(phase=phase):
                self.export_went_on.emit(phase_words(phase), -1.0)
            case Progress(stage=stage, done=done, total=total) if total:
                self.export_went_on.emit(stage, done / total)
            case _:
                return


class Asking(QObject):
    """Asks the base, then the tuned model, so that one is in memory at a time.

    Attributes:
        job: The engine at work.

    Signals:
        side_went_on: A `Side`'s value and what it is doing, in words.
        side_answered: A `Side`'s value and its answer.
        asking_failed: A `Finding`; the other model isn't asked then.
        asking_ended: No model is being asked any more.
    """

    side_went_on = Signal(str, str)
    side_answered = Signal(str, str)
    asking_failed = Signal(object)
    asking_ended = Signal()

    def __init__(self, task_for: TaskFor, parent: QObject) -> None:
        super().__init__(parent)
        self._side = Side.BASE
        self._run = Path()
        self._prompt = ""
        self.job = EngineJob(task_for, self)
        self.job.event_arrived.connect(self._on_event_arrived)
        self.job.task_done.connect(self._on_task_done)
        self.job.task_failed.connect(self._on_task_failed)

    def ask(self, run: Path, prompt: str) -> None:
        """Begin; one question at a time.

        Args:
            run: The run's folder.
            prompt: What the user says.
        """
        if self.job.is_running:
            return
        self._run, self._prompt = run, prompt
        self.side_went_on.emit(Side.TUNED.value, "Waits for the other")
        self._ask(Side.BASE)

    def _ask(self, side: Side) -> None:
        self._side = side
        self.side_went_on.emit(side.value, "Starting")
        more = ["--base"] if side is Side.BASE else []
        # A prompt may begin with a dash, so it is tied to its option.
        given = [f"--prompt={self._prompt}", f"--max-new-tokens={_ANSWER_TOKENS}"]
        log = self._run / "log.txt"
        self.job.begin("generate", str(self._run), *given, *more, log_path=log)

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        match event:
            case PhaseChanged(phase=phase):
                self.side_went_on.emit(self._side.value, phase_words(phase))
            case Generated(text=text):
                self.side_answered.emit(self._side.value, text)
            case _:
                return

    @Slot()
    def _on_task_done(self) -> None:
        if self._side is Side.BASE:
            self._ask(Side.TUNED)
        else:
            self.asking_ended.emit()

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self.asking_failed.emit(finding)
        self.asking_ended.emit()
