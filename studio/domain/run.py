"""A run as it can be told from its journal: states, points, and a snapshot.

The snapshot is a value. It is folded from events (services/run_journal), whether
they come from a live engine, a file or a test, and views are made from it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from studio.domain.finding import Finding
from studio.domain.machine_summary import MachineSummary
from studio.domain.memory.measurement import MemoryComparison


class RunState(StrEnum):
    """Where a run stands; told from the journal and the live process."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself: no engine is left."""
        return self in {
            RunState.PAUSED,
            RunState.FINISHED,
            RunState.STOPPED,
            RunState.FAILED,
            RunState.LOST,
        }


class Phase(StrEnum):
    """What the engine is doing."""

    STARTING = "starting"
    PREPARING_MODEL = "preparing-model"
    LOADING_MODEL = "loading-model"
    PREPARING_DATA = "preparing-data"
    EVALUATING = "evaluating"
    SAMPLING = "sampling"
    TRYING = "trying"
    TRAINING = "training"
    SAVING = "saving"
    MERGING = "merging"
    COMBINING = "combining"
    EXPORTING = "exporting"
    DRAFTING = "drafting"

    @property
    def words(self) -> str:
        """The phase as a person would say it."""
        return {
            Phase.STARTING: "Starting",
            Phase.PREPARING_MODEL: "Preparing the model",
            Phase.LOADING_MODEL: "Loading the weights",
            Phase.PREPARING_DATA: "Reading the data",
            Phase.EVALUATING: "Measuring the held-out loss",
            Phase.SAMPLING: "Asking the sample prompts",
            Phase.TRYING: "Trying the longest rows",
            Phase.TRAINING: "Training",
            Phase.SAVING: "Saving",
            Phase.MERGING: "Merging",
            Phase.COMBINING: "Combining the adapters",
            Phase.EXPORTING: "Exporting",
            Phase.DRAFTING: "Drafting questions and answers",
        }[self]


@dataclass(frozen=True, slots=True)
class StepPoint:
    """One optimizer step.

    Attributes:
        step: From 1.
        loss: Mean training loss of the step, nats a token.
        learning_rate: That was used.
        grad_norm: Before clipping; None when not reported.
        tokens_per_s: Since the step before.
        seconds: Since training began.
    """

    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens_per_s: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class HeldOutPoint:
    """A held-out loss in nats a token; step 0 is before training."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class JudgedPoint:
    """The share of held-out pairs whose better answer gained more."""

    step: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """Memory of the engine at a moment, in bytes.

    Attributes:
        step: The step under way.
        process_bytes: The engine's resident main memory.
        allocated_bytes: By torch on the device; None on a CPU.
        reserved_bytes: By torch's allocator on the device; None on a CPU.
        device_used_bytes: On the whole device, all programs; None if unknown.
        peak_bytes: The highest resident main memory since the point before; None on a
            card, and in journals that don't tell.
    """

    step: int
    process_bytes: int
    allocated_bytes: int | None
    reserved_bytes: int | None
    device_used_bytes: int | None
    peak_bytes: int | None = None

    @property
    def highest_bytes(self) -> int:
        """The most that was held on the device, as far as it was seen."""
        if self.reserved_bytes is not None:
            return self.reserved_bytes
        return max(self.process_bytes, self.peak_bytes or 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer to a sample prompt; step 0 is before training."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What a run changed to take less memory, by itself or when told to.

    Attributes:
        step: Behind which it went on.
        changes: (option, before, after) each.
    """

    step: int
    changes: tuple[tuple[str, int, int], ...]

    @property
    def words(self) -> str:
        """Which options changed, as a part of a sentence."""
        return ", ".join(
            f"{key} is {_said(after)}" for key, _before, after in self.changes
        )


def _said(value: int) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:,}"


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a countable stage has come; eta in seconds, None when unknown."""

    stage: str
    done: float
    total: float
    unit: str
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """The process that runs it: a pid alone may be reused, so with its start."""

    pid: int
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """All that the journal tells about a run so far.

    Attributes:
        name: The run directory's name.
        directory: The run directory.
        state: As the events alone tell it; the live process decides the rest.
        phase: What the engine is doing.
        engine: Which process runs it; None before its first word.
        device: What it trains on, in words.
        progress: Of the stage under way.
        total_steps: 0 until known.
        steps: Every step, in order.
        held_out: Every held-out loss, in order.
        judged: How often held-out judgements were followed, in order.
        memory: Samples of memory, in order.
        samples: Answers, in order.
        checkpoints: (step, path relative to the run directory).
        findings: Warnings on the way.
        adaptations: What it changed by itself when memory ran out, in order.
        failure: Why it failed.
        adapter: Path of the adapter, relative to the run directory.
        model: Path of the trained model, likewise, where all weights were trained.
        saved_step: The step whose weights these are, because it measured best; 0 for
            the last.
        waited: Measurements without a better held-out loss that ended it; 0 where
            something else did.
        ranks: Of each adapted layer as it was saved, by its name in the base; empty
            where all have the recipe's.
        merged: Path of the merged model, relative; None until merged.
        started_at: When the first event happened, seconds since the epoch.
        training_at: When the first step began, likewise; None before.
        seconds: From the first to the last event.
        compared: What it took beside what was predicted; None until it has ended.
        machine: What its device did meanwhile; None until it has ended.
        peak_bytes: Highest memory of this run on its device.
    """

    name: str
    directory: Path
    state: RunState = RunState.STARTING
    phase: Phase = Phase.STARTING
    engine: EngineIdentity | None = None
    device: str = ""
    progress: StageProgress | None = None
    total_steps: int = 0
    steps: tuple[StepPoint, ...] = ()
    held_out: tuple[HeldOutPoint, ...] = ()
    judged: tuple[JudgedPoint, ...] = ()
    memory: tuple[MemoryPoint, ...] = ()
    samples: tuple[Sample, ...] = ()
    checkpoints: tuple[tuple[int, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    adaptations: tuple[Adaptation, ...] = ()
    failure: Finding | None = None
    adapter: str | None = None
    model: str | None = None
    saved_step: int = 0
    waited: int = 0
    ranks: Mapping[str, int] = field(default_factory=dict)
    merged: str | None = None
    started_at: float | None = None
    training_at: float | None = None
    seconds: float = 0.0
    compared: MemoryComparison | None = None
    machine: MachineSummary | None = None

    @property
    def result(self) -> str | None:
        """Path of what was trained, adapter or model; None until it is saved."""
        return self.adapter or self.model

    @property
    def step(self) -> int:
        """The last finished step, 0 before the first."""
        return self.steps[-1].step if self.steps else 0

    @property
    def fraction(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def peak_bytes(self) -> int | None:
        """The most memory the engine was seen to hold on its device."""
        return max((point.highest_bytes for point in self.memory), default=None)

    @property
    def peak_in_force_bytes(self) -> int | None:
        """The most that was seen since the recipe that is in force came to be so."""
        since = self.adaptations[-1].step if self.adaptations else -1
        held = (point.highest_bytes for point in self.memory if point.step > since)
        return max(held, default=None)

    @property
    def held_out_loss(self) -> float | None:
        """Of the weights that were saved, else the newest; None until measured."""
        saved = (p.loss for p in self.held_out if p.step == self.saved_step != 0)
        newest = self.held_out[-1].loss if self.held_out else None
        return next(saved, newest)

    def held_out_before_and_after(self) -> tuple[float, float] | None:
        """First held-out loss and that of the result, when both were measured."""
        after = self.held_out_loss
        if after is None or len(self.held_out) < 2:  # noqa: PLR2004 - before and after
            return None
        return self.held_out[0].loss, after
