"""What the engine says: one typed message for each thing that can happen.

Each message is one JSON line with its type under ``event`` and its UTC time under
``at``. The same lines go to the run's journal and over the wire, so a reader can't
tell a live engine from a file. Unknown fields are refused: a reader that meets a
newer protocol says so (`Hello.protocol`) instead of guessing.
"""

from studio.protocol.adapter_events import RanksSpread
from studio.protocol.answer_events import ChatEvent, Generated
from studio.protocol.data_events import (
    DataFetched,
    DataFixed,
    DataInspected,
    DraftsMade,
    RowNotShown,
    RowShown,
)
from studio.protocol.evaluation_events import Evaluated
from studio.protocol.event_parts import (
    Event,
    MemoryPart,
    MemoryPeaks,
    MemoryRanOut,
    StepTimeline,
    Told,
)
from studio.protocol.export_events import (
    Combined,
    Exported,
    Merged,
    ParityMeasured,
    Pushed,
)

PROTOCOL_VERSION = 1


class Hello(Event, frozen=True, tag="hello"):
    """The engine's first word: who speaks, and in which protocol.

    Attributes:
        protocol: `PROTOCOL_VERSION` of the engine.
        verb: What it was started to do.
        pid: Its process id.
        started_at: When its process was created, seconds since the epoch.
        device: What it computes on, in words.
        versions: Of the libraries that matter, by name.
    """

    protocol: int
    verb: str
    pid: int
    started_at: float
    device: str = ""
    versions: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it


class PhaseChanged(Event, frozen=True, tag="phase"):
    """The engine began something else; `phase` is a `studio.domain.run.Phase`."""

    phase: str


class Progress(Event, frozen=True, tag="progress"):
    """How far a countable stage has come.

    Attributes:
        stage: What is counted, in words.
        done: Of `total`.
        total: 0 when unknown.
        unit: Such as ``B``, ``rows`` or ``tensors``.
        eta_s: Seconds left; None while unknown.
    """

    stage: str
    done: float
    total: float
    unit: str
    eta_s: float | None = None


class LogLine(Event, frozen=True, tag="log"):
    """A line worth keeping that is no event of its own."""

    level: str
    text: str


class StepFinished(Event, frozen=True, tag="step"):
    """One optimizer step is done.

    Attributes:
        step: From 1 to `total`.
        total: Steps of the run.
        epoch: Passes over the data so far.
        loss: Mean over the step's trained tokens, nats.
        lr: Learning rate that was used.
        grad_norm: Before clipping.
        tokens_per_s: Tokens, padding left out, since the step before.
    """

    step: int
    total: int
    epoch: float
    loss: float
    lr: float
    grad_norm: float | None = None
    tokens_per_s: float | None = None


class MemorySample(Event, frozen=True, tag="memory"):
    """Memory in bytes; a device's figures are None on a CPU.

    Attributes:
        peak_bytes: The highest resident main memory since the sample before; None on
            a card.
    """

    step: int
    process_bytes: int
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None
    device_used_bytes: int | None = None
    peak_bytes: int | None = None


class EvalFinished(Event, frozen=True, tag="eval"):
    """A held-out loss in nats a token; step 0 is before training."""

    step: int
    loss: float
    rows: int


class Judged(Event, frozen=True, tag="judged"):
    """How well a step's judgements are followed, or those of held-out rows.

    Attributes:
        accuracy: Of pairs: the share whose better answer gained more.
        margin: How much more better answers gained, in rewards; None without others.
    """

    step: int
    is_held_out: bool
    accuracy: float | None = None
    margin: float | None = None


class SampleProduced(Event, frozen=True, tag="sample"):
    """A sample prompt was answered; step 0 is before training."""

    step: int
    prompt: str
    text: str


class CheckpointSaved(Event, frozen=True, tag="checkpoint"):
    """A checkpoint is whole on disk; `path` is relative to the run directory."""

    step: int
    path: str


class CheckpointRemoved(Event, frozen=True, tag="checkpoint-removed"):
    """The checkpoint of this step made room for a later one."""

    step: int


class Warned(Event, frozen=True, tag="warned"):
    """Something doubtful that doesn't end the run."""

    finding: Told


class Stopping(Event, frozen=True, tag="stopping"):
    """The order to stop arrived; the step under way is finished first."""


class Detached(Event, frozen=True, tag="detached"):
    """The order to keep running was carried out: nothing ties the engine to a window.

    The window waits for this word before it closes, for its end may otherwise reach
    the engine before its order does.
    """


class RunFailed(Event, frozen=True, tag="failed"):
    """The run ended by a fault that could be named.

    Attributes:
        kind: A stable name, such as ``out-of-memory`` or ``data.empty``.
        message: What happened, and where.
        advice: What the user can do.
    """

    kind: str
    message: str
    advice: str = ""


class RunResumed(Event, frozen=True, tag="resumed"):
    """Training goes on behind this step; what was told of later ones is void."""

    step: int


class RunAdapted(Event, frozen=True, tag="adapted"):
    """The run goes on in less memory than before, and learns the same.

    Attributes:
        step: Behind which it goes on.
        before: Options that change, by their keys.
        after: What they are from now on.
    """

    step: int
    before: dict[str, bool | int]
    after: dict[str, bool | int]


class RunPaused(Event, frozen=True, tag="paused"):
    """The engine ended and gave all memory back; the run can be gone on with.

    Attributes:
        step: The last step that is kept; 0 when none was done, so that going on
            begins anew.
        kind: Why, as a stable name such as ``disk.full``; empty when the user wished
            it.
        message: What happened; empty when the user wished it.
        advice: What the user can do before going on.
    """

    step: int
    kind: str = ""
    message: str = ""
    advice: str = ""


class RunFinished(Event, frozen=True, tag="finished"):
    """The run ended as it should, or as it was told to.

    Attributes:
        adapter: The adapter's path relative to the run directory; empty if none.
        steps: How many steps were done.
        stopped: Whether the user ended it early.
        model: The trained model's path, likewise, where all weights were trained.
        saved_step: The step whose weights were saved, because it measured best; 0
            where that is the last.
        waited: Measurements without a better held-out loss that ended the run; 0
            where something else did.
    """

    adapter: str
    steps: int
    stopped: bool = False
    model: str = ""
    saved_step: int = 0
    waited: int = 0


class ModelPrepared(Event, frozen=True, tag="model-prepared"):
    """A model of the store is ready to load from `path`."""

    path: str


class Diagnosed(Event, frozen=True, tag="diagnosed"):
    """One check of the engine's environment."""

    check: str
    passed: bool
    detail: str


class MemoryEstimated(Event, frozen=True, tag="memory-estimated"):
    """A prediction; see `studio.domain.memory.estimate.MemoryEstimate`.

    Attributes:
        recipe: Which of the recipes that were asked about, from 0.
        left: How many of them are still to be answered.
    """

    parts: list[MemoryPart]
    phase: str
    basis: str
    expected_error: float
    reserved_error: float | None
    phase_peaks: dict[str, int]
    seconds: float
    timeline: StepTimeline | None = None
    recipe: int = 0
    left: int = 0
    runs_out: bool = False


class MemoryNotEstimated(Event, frozen=True, tag="memory-not-estimated"):
    """One of several recipes can't be priced, and why; see `MemoryEstimated`."""

    finding: Told
    recipe: int
    left: int


class MemoryMeasured(Event, frozen=True, tag="memory-measured"):
    """What a probe or a run really took.

    See `studio.domain.memory.measurement.Measurement`.

    Attributes:
        source: ``probe``, whose last word this is, or ``run``.
        tokens: Of the longest row.
        actual: The highest of all phases.
        phases: The highest of each phase that was told apart.
        phase: In which the highest allocated memory fell; empty where untold.
        predicted: What each basis said of the same batch.
        context_bytes: The CUDA context; None where it can't be told.
        ran_out: How the memory ended; None when it sufficed.
        seconds: How long it took.
    """

    source: str
    tokens: int
    actual: MemoryPeaks
    phases: dict[str, MemoryPeaks]
    phase: str
    predicted: dict[str, MemoryPeaks]
    context_bytes: int | None
    ran_out: MemoryRanOut | None
    seconds: float


EngineEvent = (
    Hello
    | PhaseChanged
    | Progress
    | LogLine
    | StepFinished
    | MemorySample
    | EvalFinished
    | Judged
    | SampleProduced
    | CheckpointSaved
    | CheckpointRemoved
    | Warned
    | Stopping
    | Detached
    | RunFailed
    | RanksSpread
    | RunFinished
    | RunPaused
    | RunAdapted
    | RunResumed
    | ModelPrepared
    | Merged
    | ParityMeasured
    | Exported
    | Pushed
    | Combined
    | Evaluated
    | Generated
    | DraftsMade
    | Diagnosed
    | MemoryEstimated
    | MemoryNotEstimated
    | MemoryMeasured
    | DataInspected
    | DataFixed
    | DataFetched
    | RowShown
    | RowNotShown
    | ChatEvent
)
