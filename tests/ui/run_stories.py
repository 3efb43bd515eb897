"""Runs as an engine would have written them down, for tests of pages."""

import time
from datetime import UTC, datetime, timedelta

from studio.protocol.codec import encode
from studio.protocol.events import (
    CheckpointSaved,
    EngineEvent,
    EvalFinished,
    Hello,
    Judged,
    MemorySample,
    PhaseChanged,
    RunAdapted,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    SampleProduced,
    StepFinished,
)
from studio.services.project import Project
from studio.storage.in_force import put_in_force
from studio.storage.run_directory import RunDirectory

PROMPTS = ("Do you ship to Norway?", "What goes with Brie?")
NOBODY = 4_000_000


class Story:
    """Writes a run's journal, an event a second."""

    def __init__(self, project: Project, *, began_s_ago: float = 600.0) -> None:
        self.directory: RunDirectory = project.new_run(project.recipe)
        self._at = datetime.fromtimestamp(time.time() - began_s_ago, UTC)
        self.say(Hello, protocol=1, verb="train", pid=NOBODY, started_at=1.0)

    def say(self, event: type[EngineEvent], **said: object) -> None:
        self._at += timedelta(seconds=1)
        with self.directory.journal_path.open("ab") as journal:
            journal.write(encode(event(at=self._at, **said)))

    def answer(self, step: int, text: str) -> None:
        for prompt in PROMPTS:
            self.say(SampleProduced, step=step, prompt=prompt, text=f"{text} {prompt}")

    def train(
        self, steps: int, total: int, *, reserved: int | None = None, first: int = 1
    ) -> None:
        if first == 1:
            self.begin_training()
        for step in range(first, steps + 1):
            self.say(
                StepFinished,
                step=step,
                total=total,
                epoch=step / total,
                loss=2.5 - step / total,
                lr=1e-4,
                grad_norm=0.5,
                tokens_per_s=100.0,
            )
            self.read_memory(step, reserved)
        self.say(CheckpointSaved, step=steps, path=f"checkpoints/step-{steps}")

    def read_memory(self, step: int, reserved: int | None) -> None:
        """A reading of a processor, or of a card of which others hold a GiB."""
        on_card = {}
        if reserved is not None:
            on_card = {
                "allocated_bytes": reserved,
                "reserved_bytes": reserved,
                "device_used_bytes": reserved + (1 << 30),
            }
        self.say(MemorySample, step=step, process_bytes=1 << 30, **on_card)

    def begin_training(self) -> None:
        self.say(EvalFinished, step=0, loss=2.5, rows=3)
        self.answer(0, "Base:")
        self.say(PhaseChanged, phase="training")


def finished_run(project: Project, *, steps: int = 25, **more: float) -> RunDirectory:
    """A run that ended well, its adapter saved."""
    story = Story(project, **more)
    story.train(steps, steps)
    story.say(EvalFinished, step=steps, loss=1.25, rows=3)
    story.answer(steps, "Tuned:")
    adapter = story.directory.adapter_path
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"\0" * (3 << 20))
    story.say(RunFinished, adapter="adapter", steps=steps)
    return story.directory


def whole_run(project: Project) -> RunDirectory:
    """A run of all weights that ended well, its model saved."""
    story = Story(project)
    story.train(3, 3)
    model = story.directory.model_path
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"\0" * (3 << 20))
    story.say(RunFinished, adapter="", model="model", steps=3)
    return story.directory


def judged_run(project: Project, **more: float) -> RunDirectory:
    """A run on pairs that goes on, measured after ten of a hundred steps."""
    story = Story(project, **more)
    story.train(10, 100)
    story.say(EvalFinished, step=10, loss=0.5, rows=8)
    story.say(Judged, step=10, is_held_out=True, accuracy=0.875)
    return story.directory


def failed_run(project: Project, **more: float) -> RunDirectory:
    """A run that ran out of memory after ten steps of a hundred."""
    story = Story(project, **more)
    story.train(10, 100)
    story.say(
        RunFailed,
        kind="out-of-memory",
        message="Step 11 asked for 0.25 GiB more than was free.",
        advice="Lower train.sequence_length.",
    )
    return story.directory


def lost_run(project: Project, **more: float) -> RunDirectory:
    """A run whose engine is gone without a word."""
    story = Story(project, **more)
    story.train(5, 100)
    return story.directory


def paused_run(project: Project, *, kind: str = "", **more: float) -> RunDirectory:
    """A run on a card that was paused behind twenty steps of a hundred."""
    story = Story(project, **more)
    story.train(20, 100, reserved=1 << 29)
    message = "Step 21 asked for 0.25 GiB more than was free." if kind else ""
    story.say(RunPaused, step=20, kind=kind, message=message)
    return story.directory


def helped_run(project: Project, **more: float) -> RunDirectory:
    """A run that halved its rows behind its fortieth step, and goes on at the last."""
    story = Story(project, **more)
    story.train(40, 100, reserved=3 << 29)
    story.say(RunPaused, step=40, kind="out-of-memory", message="Full.")
    before = project.recipe.train
    rows, batches = before.micro_batch, before.accumulation
    smaller = {
        "train.micro_batch": rows // 2,
        "train.accumulation": batches * 2,
    }
    put_in_force(story.directory, project.recipe.with_values(smaller))
    story.say(Hello, protocol=1, verb="train", pid=NOBODY, started_at=2.0)
    story.say(
        RunAdapted,
        step=40,
        before={"train.micro_batch": rows, "train.accumulation": batches},
        after=smaller,
    )
    story.say(RunResumed, step=40)
    story.train(80, 100, reserved=3 << 28, first=41)
    story.say(RunPaused, step=80)
    return story.directory
