"""A run while it trains: what is done before, between and behind the steps."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import PeftModelForCausalLM

from studio.domain.best_step import best_step, measured_since_best
from studio.domain.method_options import REFERRING_METHODS
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.domain.waypoints import passing
from studio.engine.adapter_files import renew_card
from studio.engine.adaptive_rank.directions import ranks_of
from studio.engine.chat_rendering import TrainingRow
from studio.engine.checkpoints import save_checkpoint
from studio.engine.data_preparation import PreparedData
from studio.engine.devices import Formats
from studio.engine.evaluation import held_out_loss
from studio.engine.failures import broken_down
from studio.engine.generation import answers
from studio.engine.judged_evaluation import judged_loss
from studio.engine.leaving_best import losses_told, put_best
from studio.engine.lifeline import Interrupted
from studio.engine.model_card import Facts
from studio.engine.packing import rows_for
from studio.engine.progress import is_due
from studio.engine.result_files import save_result
from studio.engine.run_memory import LEAST_STEPS, WholeRun, tell_memory
from studio.engine.session import Session
from studio.engine.starting.pissa import Start
from studio.engine.tokenizer_loading import Tokenizer
from studio.engine.training_state import (
    Resumable,
    StateKeeper,
    put_weights,
    read_state,
    refuse_broken_weights,
)
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.events import (
    EvalFinished,
    Judged,
    RunFinished,
    RunResumed,
    SampleProduced,
)
from studio.storage.checkpoint_folders import Fingerprint, Found
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.system.versions import versions


@dataclass(slots=True, kw_only=True)
class TrainingRun:
    """One run: its parts, and the deeds that every method of training needs.

    Attributes:
        session: Where it reports.
        directory: Where it writes.
        recipe: What it does.
        place: Its base model.
        model: The base with the adapter; where all weights are trained, the bare
            model.
        tokenizer: With the chat template.
        data: Its rows and prompts.
        data_sha256: Of the data file.
        formats: Its number formats.
        start: What is taken off the adapter when it is handed over; mostly nothing.
        fingerprint: What its weights depend on; None where nothing is kept.
        losses: Held-out losses so far, by step.
        keeper: Knows the state of the last whole step.
        began: When it was put together, by the monotonic clock.
        judge: The trainer, where held-out rows are judged by its own loss.
    """

    session: Session
    directory: RunDirectory
    recipe: Recipe
    place: ModelPlace
    model: PeftModelForCausalLM
    tokenizer: Tokenizer
    data: PreparedData
    data_sha256: str
    formats: Formats
    start: Start = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    losses: dict[int, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    judge: Any = None
    keeper: StateKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = StateKeeper(self.losses)

    @property
    def pad(self) -> int:
        """The token that fills up what is shorter than its neighbours."""
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad is None else pad)

    @property
    def result_path(self) -> Path:
        """Where what was trained is written: the adapter's folder, or the model's."""
        if self.recipe.trains_all:
            return self.directory.model_path
        return self.directory.adapter_path

    @property
    def has_waited_enough(self) -> bool:
        """Whether so many measurements weren't better that training ends."""
        patience = self.recipe.train.patience
        return 0 < patience <= measured_since_best(self.losses)

    def is_to_keep(self, step: int) -> bool:
        """Whether a step just measured best of all, and the best is what is left."""
        return self.recipe.train.keeps_best and best_step(self.losses) == step

    def evaluate(self, step: int) -> None:
        """Measure the held-out loss, if rows were held out.

        Raises:
            StudioError: It is no number.
        """
        rows = self.data.held_out
        if not rows:
            return
        self.session.enter(Phase.EVALUATING)
        passing("evaluate.begun", step)
        loss, accuracy = self._measured(rows)
        if not math.isfinite(loss):
            self.keeper.disown()
            raise broken_down(step, loss)
        self.losses[step] = loss
        self.session.say(EvalFinished(step=step, loss=loss, rows=len(rows)))
        # Before training nothing has gained on the model before training.
        refers = self.recipe.train.method in REFERRING_METHODS
        if accuracy is not None and (step or not refers):
            self.session.say(Judged(step=step, is_held_out=True, accuracy=accuracy))

    def _measured(self, rows: Sequence[TrainingRow]) -> tuple[float, float | None]:
        """The loss of rows, and how often a better answer is likelier; see there."""
        session, formats = self.session, self.formats
        together = self.recipe.train.micro_batch
        if self.judge is not None:
            return judged_loss(session, self.judge, rows, formats, together)
        return held_out_loss(session, self.model, rows, formats, together), None

    def sample(self, step: int) -> None:
        """Answer the sample prompts."""
        self.session.enter(Phase.SAMPLING)
        for prompt, text in answers(
            self.model, self.tokenizer, self.data.prompts, self.formats
        ):
            self.session.say(SampleProduced(step=step, prompt=prompt, text=text))

    def save(self, step: int) -> None:
        """Write a checkpoint, and let surplus ones go.

        Raises:
            StudioError: The disk refuses, or a weight is no number.
        """
        refuse_broken_weights(self.model, step)
        save_checkpoint(self, step)

    def take_up(self, found: Found, trainer: Resumable) -> None:
        """Know again what a checkpoint knows, and say from where on it goes."""
        passing("resume.found")
        state = read_state(found.path)
        passing("resume.read")
        self.losses.update(state.pop("losses"))
        self.losses.update(losses_told(self.directory.events(), found.manifest.step))
        trainer.state_read = state
        self.session.say(RunResumed(step=found.manifest.step))

    def catch_up(self, step: int, trainer: Resumable) -> None:
        """Do what was due behind the step that a run goes on from, and wasn't done.

        So it ends where it would have ended, had it never been interrupted.

        Raises:
            StudioError: The held-out loss is no number.
            Interrupted: The engine was told to end.
        """
        due = is_due(step, self.recipe.train.eval_steps)
        due = due and step not in self.losses and step < self.total_steps()
        if not due and not self.has_waited_enough:
            return
        assert trainer.state_read is not None
        put_weights(self.model, trainer.state_read["weights"])
        if due:
            self.evaluate(step)
            self.sample(step)

    def finish(self, steps: int, *, stopped: bool) -> None:
        """Save the result, measure what was reached, and say the last word.

        The result is written before anything is measured, so that nothing that
        happens meanwhile can cost it; a better one that was measured takes its place.
        A run that was stopped isn't measured.
        """
        has_trained = self.keeper.whole_step is not None
        waited = measured_since_best(self.losses) if self.has_waited_enough else 0
        measures = not stopped and steps not in self.losses
        self.session.conclude(Phase.SAVING)
        if measures:
            save_result(self, self.facts(steps), self.result_path)
            self._measure_result(steps)
        saved = put_best(self, steps)
        if measures and saved != steps:
            self.session.conclude(Phase.SAVING)
        if not measures or saved != steps:
            save_result(self, self.facts(saved, steps), self.result_path)
        if has_trained and steps >= LEAST_STEPS:
            tell_memory(self.session, self.whole())
        if ranks := ranks_of(self.model):
            self.session.say(RanksSpread(step=saved, ranks=ranks))
        path = self.result_path.relative_to(self.directory.path).as_posix()
        whole = self.recipe.trains_all
        self.session.say(
            RunFinished(
                adapter="" if whole else path,
                model=path if whole else "",
                steps=steps,
                stopped=stopped,
                saved_step=saved if saved != steps else 0,
                waited=waited,
            )
        )

    def facts(self, steps: int, of: int | None = None) -> Facts:
        """What a card tells of the weights of a step.

        Args:
            steps: That were done for them.
            of: That the whole run did, where they are told to be the best of these.
        """
        return Facts(
            place=self.place,
            recipe=self.recipe,
            data_sha256=self.data_sha256,
            rows=len(self.data.training),
            steps=steps,
            of=of or steps,
            losses=dict(self.losses),
            versions=versions(),
        )

    def total_steps(self) -> int:
        """Optimizer steps from the first to the last."""
        return self.recipe.total_steps(len(rows_for(self.recipe, self.data.training)))

    def whole(self) -> WholeRun:
        """The run as far as it came, for the table of measurements."""
        rows = rows_for(self.recipe, self.data.training)
        return WholeRun(
            recipe=self.recipe,
            folder=self.place.folder,
            data_sha256=self.data_sha256,
            rows=len(rows),
            tokens=max(row.width for row in rows),
            seconds=time.monotonic() - self.began,
        )

    def _measure_result(self, steps: int) -> None:
        try:
            with self.session.lifeline.open():
                self.evaluate(steps)
                self.sample(steps)
        except Interrupted:
            return  # the result is whole; its card keeps what was known
        renew_card(self.result_path, self.facts(steps))
