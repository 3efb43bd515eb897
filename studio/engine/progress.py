"""What the trainer does becomes events, and what the user orders reaches the trainer.

transformers reports a step in two calls: `on_step_end`, then `on_log` with its
figures. Everything that follows a step, such as a checkpoint, happens in the second, so
that its event stands behind the step's own.
"""

import contextlib
import math
import time
from typing import Any, Protocol

import psutil
import torch
from transformers import (
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype
from studio.domain.run import Phase
from studio.domain.spill import SpillWatch
from studio.engine.session import Session
from studio.protocol.events import Judged, MemorySample, StepFinished
from studio.system.platform_words import platform_of_driver
from studio.system.resident_memory import highest_since_last

_MEMORY_EVERY_S = 0.25
_MINUTE_S = 60.0


class BetweenSteps(Protocol):
    """What the method does when a step is done."""

    def save(self, step: int) -> None:
        """Write a checkpoint."""

    def evaluate(self, step: int) -> None:
        """Measure the held-out loss."""

    def sample(self, step: int) -> None:
        """Answer the sample prompts."""

    def is_to_keep(self, step: int) -> bool:
        """Whether a step just measured best of all and must not be lost."""

    @property
    def has_waited_enough(self) -> bool:
        """Whether so many measurements weren't better that training ends."""


class StepReporter(TrainerCallback):
    """Reports every optimizer step and carries out what is due behind it."""

    def __init__(self, session: Session, recipe: Recipe, between: BetweenSteps) -> None:
        self._session = session
        self._recipe = recipe
        self._between = between
        self._meter = MemoryMeter(session)
        self._spill = SpillWatch(platform_of_driver())
        self._updating = contextlib.ExitStack()
        self._began = time.monotonic()
        self._saved_at = self._began
        self._tokens = 0.0

    def on_step_begin(self, *_: object, **__: object) -> None:
        """Remember when the step began."""
        self._began = time.monotonic()

    def on_pre_optimizer_step(self, *_: object, **__: object) -> None:
        """From here until the step is reported, weights must not be left half-way."""
        self._updating.enter_context(self._session.lifeline.held())

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' own signature
        state: TrainerState,
        control: TrainerControl,
        **given: Any,  # noqa: ANN401 - as in the superclass
    ) -> None:
        """Report the step and do what is due; also called once at the end."""
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return
        try:
            self._report(state, logs)
            self._watch_spill()
            self._meter.read(state.global_step)
        finally:
            self._updating.close()
        self._carry_out(state.global_step, state.max_steps)
        if self._session.orders.stop_is_ordered or self._between.has_waited_enough:
            control.should_training_stop = True

    def _report(self, state: TrainerState, logs: dict[str, float]) -> None:
        step, loss, norm = state.global_step, logs["loss"], logs.get("grad_norm")
        scales = self._recipe.model.compute_dtype is ComputeDtype.FP16
        if norm is not None and scales and not math.isfinite(norm):
            norm = None  # the gradient scaler skips such a step and scales lower
        tokens = logs["num_tokens"]
        seconds = max(time.monotonic() - self._began, 1e-6)
        self._session.say(
            StepFinished(
                step=step,
                total=state.max_steps,
                epoch=state.epoch or 0.0,
                loss=loss,
                lr=logs["learning_rate"],
                grad_norm=norm,
                tokens_per_s=(tokens - self._tokens) / seconds,
            )
        )
        self._tokens = tokens
        accuracy, margin = logs.get("rewards/accuracies"), logs.get("rewards/margins")
        if accuracy is not None or margin is not None:
            told = Judged(
                step=step, is_held_out=False, accuracy=accuracy, margin=margin
            )
            self._session.say(told)

    def _watch_spill(self) -> None:
        if not torch.cuda.is_available():
            return
        free, total = torch.cuda.mem_get_info()
        seconds = time.monotonic() - self._began
        finding = self._spill.take(seconds, total - free, total)
        if finding is not None:
            self._session.warn(finding)

    def _carry_out(self, step: int, total: int) -> None:
        orders, train = self._session.orders, self._recipe.train
        minutes = (time.monotonic() - self._saved_at) / _MINUTE_S
        late = 0 < train.save_minutes <= minutes
        is_threatened = self._session.warn_of_outages()
        late = late or (is_threatened and train.keeps_checkpoints)
        if orders.take_save() or is_due(step, train.save_steps) or late:
            self._save(step)
        evaluates = is_due(step, train.eval_steps)
        samples = orders.take_sample()
        if step >= total or orders.stop_is_ordered:
            return  # the run's end measures or leaves it
        if evaluates:
            self._between.evaluate(step)
            if self._between.is_to_keep(step):
                self._save(step)
        if evaluates or samples:
            self._between.sample(step)
            self._session.enter(Phase.TRAINING)

    def _save(self, step: int) -> None:
        with self._session.lifeline.held():
            self._between.save(step)
        self._saved_at = time.monotonic()


class MemoryMeter:
    """Reports the engine's memory, a few times a second at most."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._process = psutil.Process()
        self._read_at = -math.inf

    def read(self, step: int) -> None:
        """Report what is held now, unless that was done a moment ago."""
        if time.monotonic() - self._read_at < _MEMORY_EVERY_S:
            return
        self._read_at = time.monotonic()
        on_card = torch.cuda.is_available()
        self._session.say(
            MemorySample(
                step=step,
                process_bytes=self._process.memory_info().rss,
                allocated_bytes=torch.cuda.memory_allocated() if on_card else None,
                reserved_bytes=torch.cuda.memory_reserved() if on_card else None,
                device_used_bytes=_used_on_card() if on_card else None,
                # Between two steps a processor's memory is given back.
                peak_bytes=None if on_card else highest_since_last(),
            )
        )


def _used_on_card() -> int:
    free, total = torch.cuda.mem_get_info()
    return total - free


def is_due(step: int, every: int) -> bool:
    """Whether something is done behind a step that is done every so many."""
    return every > 0 and step % every == 0
