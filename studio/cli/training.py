"""`snugtune train` and `snugtune demo`: a run in the terminal, told as it goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.going_on import ways_on
from studio.domain.adaptive_rank import ranks_words
from studio.domain.best_step import ended_words
from studio.domain.errors import ExitCode, StudioError
from studio.domain.memory.measurement import MemoryComparison
from studio.domain.pauses import exit_code_of
from studio.domain.run import HeldOutPoint, Phase, RunSnapshot, Sample
from studio.protocol.codec import heard, heard_comparison
from studio.protocol.events import (
    CheckpointSaved,
    EngineEvent,
    EvalFinished,
    Hello,
    Judged,
    MemoryMeasured,
    PhaseChanged,
    Progress,
    RunAdapted,
    RunFinished,
    RunPaused,
    RunResumed,
    SampleProduced,
    StepFinished,
    Stopping,
    Warned,
)
from studio.protocol.export_events import Merged
from studio.services.cancelled import mark_cancelled
from studio.services.leading import (
    again,
    goes_on_by_itself,
    resume_arguments,
)
from studio.services.process_outcome import CANCELLED
from studio.services.resuming import refuse_resuming
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import led


@dataclass
class RunReport:
    """What a run in the terminal came to; also its event listener.

    Attributes:
        directory: The run's.
        display: Where progress is shown.
        held_out: Losses, first before training.
        samples: Answers, first those before training.
        finished: The engine's last word, if it ended by itself or was stopped.
        paused: Its last word, if it was paused.
        is_stopping: Whether its end was ordered.
        helped: How often it went on in less memory by itself.
        compared: Its memory beside the prediction; None while it isn't told.
        on_begun: Called at the engine's first word.
    """

    directory: RunDirectory
    display: terminal.ProgressDisplay
    held_out: list[HeldOutPoint] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    finished: RunFinished | None = None
    paused: RunPaused | None = None
    is_stopping: bool = False
    helped: int = 0
    compared: MemoryComparison | None = None
    on_begun: Callable[[], object] | None = None

    def hear(self, event: EngineEvent) -> None:
        """Take one event in and show it."""
        self._keep(event)
        match event:
            case Hello(device=device):
                self.display.line(f"Computes on: {device}")
            case PhaseChanged(phase=phase):
                self.display.show(Phase(phase).words, 0, 0)
            case Progress(stage=stage, done=done, total=total, unit=unit):
                self.display.show(stage, done, total, f"{done:,.0f} {unit}")
            case StepFinished(step=step, total=total, loss=loss):
                note = f"step {step} of {total}, loss {loss:.3f}"
                self.display.show("Training", step, total, note)
            case EvalFinished(step=step, loss=loss):
                self.display.line(f"Held-out loss at step {step}: {loss:.4f}")
            case Judged(is_held_out=True, accuracy=float(share)):
                self.display.line(f"Better answers preferred: {share:.0%}")
            case Warned(finding=finding):
                terminal.say_finding(heard(finding))
            case _:
                self._tell_course(event)

    def _tell_course(self, event: EngineEvent) -> None:
        match event:
            case CheckpointSaved(step=step):
                self.display.line(f"Saved at step {step}")
            case RunResumed(step=step):
                self.display.line(f"Goes on behind step {step}")
            case RunAdapted(step=step):
                self.display.line(f"Less memory behind step {step}: {_saved(event)}")
            case Stopping():
                self.display.line("Ends after this step. Ctrl+C again ends it now.")

    def _keep(self, event: EngineEvent) -> None:
        match event:
            case EvalFinished(step=step, loss=loss):
                self.held_out.append(HeldOutPoint(step, loss))
            case SampleProduced(step=step, prompt=prompt, text=text):
                self.samples.append(Sample(step, prompt, text))
            case MemoryMeasured():
                self.compared = heard_comparison(event)
            case RunResumed(step=step):
                self.held_out = [each for each in self.held_out if each.step <= step]
                self.samples = [each for each in self.samples if each.step <= step]
            case RunFinished():
                self.finished = event
            case RunPaused():
                self.paused = event
            case Hello():
                self._greet()
            case Stopping():
                self.is_stopping = True
            case RunAdapted():
                self.helped += 1

    def _greet(self) -> None:
        self.paused = None
        if self.on_begun is not None:
            self.on_begun()

    def document(self) -> dict[str, object]:
        """The report for programs."""
        first, last = self.first_and_last_loss()
        machine = snapshot_of(self.directory).machine
        return {
            "run": self.directory.name,
            "directory": str(self.directory.path),
            **self.result(),
            "steps": self.finished.steps if self.finished else 0,
            "paused": self.paused is not None,
            "stopped": self.finished.stopped if self.finished else False,
            "saved_step": self.saved_step,
            "held_out_loss": {"before": first, "after": last},
            "memory": self.compared.document() if self.compared else None,
            "machine": machine.document() if machine else None,
            "samples": [
                {"step": s.step, "prompt": s.prompt, "text": s.text}
                for s in self.samples
            ],
        }

    def result(self) -> dict[str, str]:
        """Where the adapter, or the model all of whose weights were trained, lies."""
        if self.finished is not None and self.finished.model:
            return {"model": str(self.directory.model_path)}
        return {"adapter": str(self.directory.adapter_path)}

    @property
    def saved_step(self) -> int:
        """The step whose weights were saved; 0 before any were."""
        if self.finished is None:
            return 0
        return self.finished.saved_step or self.finished.steps

    def first_and_last_loss(self) -> tuple[float | None, float | None]:
        """Held-out losses before and of the result; None where none was measured."""
        if not self.held_out:
            return None, None
        of_result = {point.step: point.loss for point in self.held_out}
        last = self.held_out[-1].loss
        return self.held_out[0].loss, of_result.get(self.saved_step, last)


def run_training(
    directory: RunDirectory, *, on_begun: Callable[[], object] | None = None
) -> RunReport:
    """Train by the recipe in a run directory, showing progress.

    Args:
        directory: Of the run.
        on_begun: Called when its engine has said its first word.

    Raises:
        StudioError: The run failed; the sentence says how.
    """
    with terminal.ProgressDisplay() as display:
        report = RunReport(directory, display, on_begun=on_begun)
        _lead(report)
    return report


def _lead(report: RunReport, *options: str) -> None:
    """Run the engine, and again in less memory for as long as that helps."""
    directory = report.directory
    with led(directory):
        while True:
            _run(report, *options)
            if report.is_stopping or not goes_on_by_itself(
                directory, report.paused, report.helped
            ):
                return
            options = tuple(again(options))


def _run(report: RunReport, *options: str) -> None:
    """Run one engine to its end; one that Ctrl+C ended by force is written down."""
    directory = report.directory
    try:
        run_engine(
            "train",
            str(directory.path),
            *options,
            listener=report.hear,
            log_path=directory.log_path,
        )
    except StudioError as ended:
        if ended.finding.code == CANCELLED:
            mark_cancelled(directory, snapshot_of(directory).engine)
        raise


def _saved(adapted: RunAdapted) -> str:
    changes = (
        f"{key} {adapted.before.get(key)} → {value}"
        for key, value in adapted.after.items()
    )
    return ", ".join(changes).lower()


def run_merge(directory: RunDirectory, out: str, *options: str) -> Merged:
    """Merge a run's adapter into its base, showing progress.

    Raises:
        StudioError: The merge failed; nothing half-written is left.
    """
    with terminal.ProgressDisplay() as display:
        report = RunReport(directory, display)
        arguments = (str(directory.path), "--out", out, *options)
        merged = run_engine("merge", *arguments, listener=report.hear)
    assert isinstance(merged, Merged)
    return merged


def tell(
    report: RunReport, merged: Merged | None = None, *, json: bool = False
) -> NoReturn:
    """Print what a run came to, and end by its exit code."""
    if json:
        extra = {"merged": merged.path} if merged else {}
        terminal.say_json(report.document() | extra)
    else:
        say_report(report, merged)
    raise typer.Exit(verdict_code(report))


def say_report(report: RunReport, merged: Merged | None = None) -> None:
    """Print what a run came to: losses, answers, and where things lie."""
    terminal.say()
    _say_learning(report)
    if report.compared is not None:
        terminal.say()
        terminal.say(report.compared.sentence())
    told = snapshot_of(report.directory)
    if told.ranks:
        terminal.say(ranks_words(told.ranks))
    machine = told.machine
    if machine is not None and machine.sentence():
        terminal.say(machine.sentence())
    terminal.say()
    if report.paused is not None:
        _say_pause(told, report.paused)
    terminal.say(f"Run           {report.directory.path}")
    if report.paused is None:
        for kind, path in report.result().items():
            terminal.say(f"{kind.capitalize():<14}{path}")
    if merged is not None:
        terminal.say(f"Merged model  {merged.path}")


def _say_learning(report: RunReport) -> None:
    before, after = report.first_and_last_loss()
    if (done := report.finished) is not None and (done.waited or done.saved_step):
        terminal.say(_ended(done))
    if before is not None and after is not None:
        verdict = "lower" if after < before else "not lower"
        terminal.say(
            f"Held-out loss: {before:.4f} before, {after:.4f} after: {verdict}."
        )
    for prompt in dict.fromkeys(sample.prompt for sample in report.samples):
        answers = [s for s in report.samples if s.prompt == prompt]
        terminal.say()
        terminal.say(f"“{prompt}”")
        terminal.say_block("before", answers[0].text)
        later = answers[1:]
        later = [s for s in later if s.step == report.saved_step] or later
        if later:
            terminal.say_block("after", later[-1].text)


def _ended(done: RunFinished) -> str:
    if not done.stopped:
        return ended_words(done.steps, done.waited, done.saved_step)
    return (
        f"Stopped after step {done.steps:,}; the best, of step {done.saved_step:,}, "
        "is what was saved."
    )


def _say_pause(told: RunSnapshot, paused: RunPaused) -> None:
    for words in (paused.message, paused.advice):
        if words:
            terminal.say(words)
    first, *others = ways_on(told)
    terminal.say(f"Paused behind step {paused.step:,}. {first}")
    for way in others:
        terminal.say(way)


def verdict_code(report: RunReport) -> ExitCode:
    """A run that was paused or ended by hand has its own code; so has each fault."""
    if report.paused is not None:
        return exit_code_of(report.paused.kind)
    if report.finished is not None and report.finished.stopped:
        return ExitCode.STOPPED
    return ExitCode.OK


def resume_training(
    directory: RunDirectory, *, accepts_changes: bool, saves_memory: bool = False
) -> RunReport:
    """Go on with a run behind its newest whole checkpoint, showing progress.

    Args:
        directory: Of the run.
        accepts_changes: It goes on although what it depends on has changed.
        saves_memory: It goes on in less memory, be it told or not that it ran out.

    Raises:
        StudioError: It is over or still running, has no checkpoint, something it
            depends on has changed, or it failed again.
    """
    told = snapshot_of(directory)
    refuse_resuming(told)
    with terminal.ProgressDisplay() as display:
        report = RunReport(directory, display, list(told.held_out), list(told.samples))
        _lead(
            report,
            *resume_arguments(
                told, accepts_changes=accepts_changes, saves_memory=saves_memory
            ),
        )
    return report
