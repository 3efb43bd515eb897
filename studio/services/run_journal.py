"""Events become a snapshot: the one place where a run's story is put together.

It can't be told whether the events come from a live engine, from disk or from a
test. What events can't tell, namely whether the engine still lives, is asked of the
system by `snapshot_of` alone.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.domain.finding import Finding, error, warning
from studio.domain.run import (
    Adaptation,
    EngineIdentity,
    HeldOutPoint,
    JudgedPoint,
    MemoryPoint,
    Phase,
    RunSnapshot,
    RunState,
    Sample,
    StageProgress,
    StepPoint,
)
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.codec import heard, heard_comparison
from studio.protocol.events import (
    PROTOCOL_VERSION,
    CheckpointRemoved,
    CheckpointSaved,
    EngineEvent,
    EvalFinished,
    Hello,
    Judged,
    MemoryMeasured,
    MemorySample,
    PhaseChanged,
    Progress,
    RunAdapted,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    SampleProduced,
    StepFinished,
    Stopping,
    Warned,
)
from studio.protocol.export_events import Merged
from studio.services.cancelled import cancelled
from studio.services.machine_record import with_machine
from studio.storage.run_directory import RunDirectory
from studio.system.processes import is_alive

# An engine says Hello before it loads a library; a machine that takes longer than
# this to start Python has lost it.
_SILENCE_BEFORE_HELLO_S = 120.0


def fold(snapshot: RunSnapshot, event: EngineEvent) -> RunSnapshot:
    """The snapshot after one more event."""
    return fold_all(snapshot, (event,))


def fold_all(snapshot: RunSnapshot, events: Iterable[EngineEvent]) -> RunSnapshot:
    """The snapshot after more events, in order; cheap for many at once."""
    draft = _Draft(snapshot)
    for event in events:
        draft.take(event)
    return draft.whole()


def empty_snapshot(directory: RunDirectory) -> RunSnapshot:
    """The snapshot of a run that has not said anything."""
    return RunSnapshot(name=directory.name, directory=directory.path)


def snapshot_of(directory: RunDirectory) -> RunSnapshot:
    """Tell a run from its journal, its recording and whether its engine lives.

    Raises:
        StudioError: The journal can't be read.
    """
    snapshot = fold_all(empty_snapshot(directory), directory.events())
    if snapshot.merged is None and (directory.merged_path / "config.json").is_file():
        snapshot = replace(snapshot, merged=directory.merged_path.name)
    return with_machine(with_liveness(snapshot), directory)


def with_liveness(snapshot: RunSnapshot) -> RunSnapshot:
    """The same snapshot, `RunState.LOST` when nobody is left to go on with it."""
    if snapshot.state.is_over or _may_go_on(snapshot):
        return snapshot
    return lost(snapshot, _lost_finding(snapshot))


def lost(snapshot: RunSnapshot, failure: Finding) -> RunSnapshot:
    """The snapshot of a run whose engine ended without its last word."""
    return replace(snapshot, state=RunState.LOST, progress=None, failure=failure)


def begun_again(snapshot: RunSnapshot) -> RunSnapshot:
    """The snapshot of a run that is gone on with, before its engine's first word."""
    return replace(
        snapshot,
        state=RunState.STARTING,
        phase=Phase.STARTING,
        engine=None,
        failure=None,
    )


def saved_words(snapshot: RunSnapshot) -> str:
    """What is left of a run that broke off, as a sentence."""
    if snapshot.result is not None:
        kind = "model" if snapshot.adapter is None else "adapter"
        step = snapshot.saved_step
        best = f" of step {step:,}, which measured best," if step else ""
        return f"The {kind}{best} is saved."
    if snapshot.checkpoints:
        return f"Saved up to step {snapshot.checkpoints[-1][0]:,}."
    return "Nothing was saved yet."


def _may_go_on(snapshot: RunSnapshot) -> bool:
    if snapshot.engine is not None:
        return is_alive(snapshot.engine)
    try:
        began = (snapshot.directory / "recipe.toml").stat().st_mtime
    except OSError:
        return False
    return time.time() - began < _SILENCE_BEFORE_HELLO_S


def _lost_finding(snapshot: RunSnapshot) -> Finding:
    return cancelled(snapshot, saved_words(snapshot)) or error(
        "run.lost",
        f"The training process ended without a word. {saved_words(snapshot)}",
        why="The machine may have been switched off, or the process was killed.",
        fix=f"{_way_on(snapshot)}log.txt in the run's folder may say more.",
        where=snapshot.name,
    )


def _way_on(snapshot: RunSnapshot) -> str:
    if not snapshot.checkpoints:
        return ""
    return "It can be gone on with from there. "


@dataclass(slots=True)
class _Draft:
    """A snapshot while events are folded into it; lists grow where tuples copy."""

    base: RunSnapshot
    steps: list[StepPoint] = field(init=False)
    held_out: list[HeldOutPoint] = field(init=False)
    judged: list[JudgedPoint] = field(init=False)
    memory: list[MemoryPoint] = field(init=False)
    samples: list[Sample] = field(init=False)
    checkpoints: list[tuple[int, str]] = field(init=False)
    findings: list[Finding] = field(init=False)
    began: float | None = field(init=False)
    seconds: float = field(init=False)
    total_steps: int = field(init=False)

    def __post_init__(self) -> None:
        self.steps = list(self.base.steps)
        self.held_out = list(self.base.held_out)
        self.judged = list(self.base.judged)
        self.memory = list(self.base.memory)
        self.samples = list(self.base.samples)
        self.checkpoints = list(self.base.checkpoints)
        self.findings = list(self.base.findings)
        self.began = self.base.started_at
        self.seconds = self.base.seconds
        self.total_steps = self.base.total_steps

    def whole(self) -> RunSnapshot:
        """The snapshot so far."""
        return replace(
            self.base,
            steps=tuple(self.steps),
            held_out=tuple(self.held_out),
            judged=tuple(self.judged),
            memory=tuple(self.memory),
            samples=tuple(self.samples),
            checkpoints=tuple(self.checkpoints),
            findings=tuple(self.findings),
            started_at=self.began,
            seconds=self.seconds,
            total_steps=self.total_steps,
        )

    def take(self, event: EngineEvent) -> None:
        """Fold one event."""
        self._tell_time(event)
        if not self._take_point(event):
            self._take_course(event)

    def _take_point(self, event: EngineEvent) -> bool:
        """Fold an event that adds to a series; whether it was one."""
        match event:
            case StepFinished():
                self._take_step(event)
            case MemorySample():
                self.memory.append(_memory_point(event))
            case EvalFinished():
                self.held_out.append(HeldOutPoint(event.step, event.loss))
            case Judged(is_held_out=True, accuracy=float(share)):
                self.judged.append(JudgedPoint(event.step, share))
            case SampleProduced():
                self.samples.append(Sample(event.step, event.prompt, event.text))
            case CheckpointSaved():
                self.checkpoints.append((event.step, event.path))
            case CheckpointRemoved(step=step):
                self.checkpoints = [c for c in self.checkpoints if c[0] != step]
            case Warned():
                self.findings.append(heard(event.finding))
            case _:
                return False
        return True

    def _take_course(self, event: EngineEvent) -> None:
        """Fold an event that changes where the run stands."""
        match event:
            case Hello():
                self._greet(event)
            case PhaseChanged():
                self._begin_phase(event)
            case Progress():
                self._change(progress=_stage_progress(event))
            case Stopping():
                self._change(state=RunState.STOPPING)
            case RunResumed():
                self._go_back(event.step)
            case RunAdapted():
                self._adapt(event)
            case RanksSpread():
                self._change(ranks=event.ranks)
            case MemoryMeasured():
                self._change(compared=heard_comparison(event))
            case Merged():
                self._change(merged=_relative(event.path, self.base.directory))
            case _:
                self._take_end(event)

    def _take_end(self, event: EngineEvent) -> None:
        """Fold an engine's last word; the rest tells nothing about where it stands."""
        match event:
            case RunFinished():
                state = RunState.STOPPED if event.stopped else RunState.FINISHED
                self._change(state=state, progress=None)
                self._change(adapter=event.adapter or self.base.adapter)
                self._change(model=event.model or self.base.model)
                self._change(saved_step=event.saved_step, waited=event.waited)
            case RunFailed():
                failure = error(event.kind, event.message, fix=event.advice)
                self._change(state=RunState.FAILED, progress=None, failure=failure)
            case RunPaused():
                self._change(state=RunState.PAUSED, progress=None)
                if event.kind:
                    cause = error(event.kind, event.message, fix=event.advice)
                    self._change(failure=cause)

    def _greet(self, event: Hello) -> None:
        self._change(
            state=RunState.RUNNING,
            engine=EngineIdentity(event.pid, event.started_at),
            device=event.device or self.base.device,
            failure=None,
        )
        if event.protocol > PROTOCOL_VERSION:
            self.findings.append(_newer_protocol(event.protocol))

    def _go_back(self, step: int) -> None:
        """Forget what happened behind the step that the run goes on from."""
        self._change(saved_step=0, waited=0, ranks={})
        self.steps = [each for each in self.steps if each.step <= step]
        self.held_out = [each for each in self.held_out if each.step <= step]
        self.judged = [each for each in self.judged if each.step <= step]
        self.memory = [each for each in self.memory if each.step <= step]
        self.samples = [each for each in self.samples if each.step <= step]
        self.checkpoints = [each for each in self.checkpoints if each[0] <= step]

    def _adapt(self, event: RunAdapted) -> None:
        changes = tuple(
            (key, event.before[key], after)
            for key, after in event.after.items()
            if key in event.before
        )
        adapted = Adaptation(event.step, changes)
        self._change(adaptations=(*self.base.adaptations, adapted))
        self.findings.append(
            warning(
                "run.adapted",
                f"Behind step {event.step:,} it takes less memory: {adapted.words}.",
                why="Each step still learns from the same rows.",
            )
        )

    def _begin_phase(self, event: PhaseChanged) -> None:
        known = event.phase in set(Phase)
        self._change(
            phase=Phase(event.phase) if known else self.base.phase, progress=None
        )
        if self.base.phase is Phase.TRAINING and self.base.training_at is None:
            self._change(training_at=event.at.timestamp())

    def _take_step(self, event: StepFinished) -> None:
        began = self.base.training_at or self.began or 0.0
        self.steps.append(
            StepPoint(
                step=event.step,
                loss=event.loss,
                learning_rate=event.lr,
                grad_norm=event.grad_norm,
                tokens_per_s=event.tokens_per_s,
                seconds=max(0.0, event.at.timestamp() - began),
            )
        )
        self.total_steps = event.total

    def _tell_time(self, event: EngineEvent) -> None:
        moment = event.at.timestamp()
        if self.began is None:
            self.began = moment
        self.seconds = max(self.seconds, moment - self.began)

    def _change(self, **changes: object) -> None:
        self.base = replace(self.base, **changes)  # type: ignore[arg-type]  # replace() is typed by field


def _memory_point(event: MemorySample) -> MemoryPoint:
    return MemoryPoint(
        event.step,
        event.process_bytes,
        event.allocated_bytes,
        event.reserved_bytes,
        event.device_used_bytes,
        event.peak_bytes,
    )


def _stage_progress(event: Progress) -> StageProgress:
    return StageProgress(event.stage, event.done, event.total, event.unit, event.eta_s)


def _relative(path: str, directory: Path) -> str:
    place = Path(path)
    inside = place.is_relative_to(directory)
    return str(place.relative_to(directory)) if inside else path


def _newer_protocol(version: int) -> Finding:
    return error(
        "run.newer-engine",
        f"This run was written by a newer engine (protocol {version}, "
        f"this program reads {PROTOCOL_VERSION}).",
        why="Some of what it says may be missing here.",
        fix="Update Snugtune.",
        where="events.jsonl",
    )


def newest_first(snapshots: Iterable[RunSnapshot]) -> Sequence[RunSnapshot]:
    """Runs by when they began, those that never began last."""
    return sorted(snapshots, key=lambda run: run.started_at or 0.0, reverse=True)
