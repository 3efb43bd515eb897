"""A training step as `Trainer.train` takes it, and what later ones find."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from accelerate.utils import convert_outputs_to_fp32
from peft import PeftModelForCausalLM
from transformers import Trainer
from transformers.integrations.neftune import activate_neftune

from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.part_names import BATCH, GRADIENTS, STATES
from studio.domain.train_options import Optimizer
from studio.engine.devices import Formats
from studio.engine.dry_run import stand_ins
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.subject import Subject
from studio.engine.packing import example


@dataclass(frozen=True, slots=True)
class Steps:
    """Training as the engine's trainer does it.

    Attributes:
        recorder: Told of phases, gradients and states.
        subject: What is rehearsed.
        model: The base with its adapter.
        trainer: From `methods.training.build_trainer`.
    """

    recorder: Recorder
    subject: Subject
    model: PeftModelForCausalLM
    trainer: Trainer

    def take(self) -> None:
        """Train for one step, and write down a second, which finds what it left.

        Every later step finds the same memory, so none needs to be gone through.
        """
        recording = self.recorder.recording
        accumulation = self.subject.recipe.train.accumulation
        enable_checkpointing(self.model, self.trainer)
        add_noise(self.model, self.trainer)
        wrap_autocast(self.model, self.subject.formats)
        optimizer = self.trainer.create_optimizer()
        suit_card(optimizer, self.subject)
        self.trainer.current_gradient_accumulation_steps = accumulation
        start = len(recording.trace)
        self._micro_batch()
        if accumulation > 1:
            recording.repeat(start, len(recording.trace), passing=GRADIENTS)
        self._step(optimizer)
        recording.repeat(start, len(recording.trace))

    def _micro_batch(self) -> None:
        train = self.subject.recipe.train
        rows = stand_ins.training_rows(self.subject.recipe)
        self.recorder.enter_phase(MemoryPhase.FORWARD)
        with self.recorder.purpose(BATCH):
            batch = self.trainer.data_collator([example(row) for row in rows])
            trained = torch.tensor(train.micro_batch * train.sequence_length)
        pass_back = self.trainer.accelerator.backward

        def backward(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - accelerate's own
            self.recorder.enter_phase(MemoryPhase.BACKWARD)
            pass_back(*args, **kwargs)

        with patch.object(self.trainer.accelerator, "backward", backward):
            self.trainer.training_step(self.model, batch, num_items_in_batch=trained)
        name_gradients(self.recorder, self.model)

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        self.recorder.enter_phase(MemoryPhase.OPTIMIZER_STEP)
        self.trainer._clip_grad_norm(self.model)  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        optimizer.step()
        name_states(self.recorder, optimizer)
        name_means(self.recorder, self.trainer)
        self.model.zero_grad()


def enable_checkpointing(model: PeftModelForCausalLM, trainer: Trainer) -> None:
    """As `Trainer` does before the first step."""
    arguments = trainer.args
    if arguments.activation_checkpointing:
        others = arguments.activation_checkpointing_kwargs
        assert isinstance(others, dict | None)
        told = dict(others or {})
        offload = told.pop("offload", False)
        model.activation_checkpointing_enable(told or None, offload=offload)


def add_noise(model: PeftModelForCausalLM, trainer: Trainer) -> None:
    """As `Trainer` does before the first step."""
    if trainer.neftune_noise_alpha is not None:
        activate_neftune(model, trainer.neftune_noise_alpha)  # type: ignore[no-untyped-call]  # transformers leaves it untyped


def suit_card(optimizer: torch.optim.Optimizer, subject: Subject) -> None:
    """Let torch's AdamW choose as it does on a card: all tensors at once."""
    if subject.card is None:
        return
    if subject.recipe.train.optimizer is Optimizer.ADAMW_FOREACH:
        for group in optimizer.param_groups:
            group["foreach"] = True


def wrap_autocast(model: PeftModelForCausalLM, formats: Formats) -> None:
    """As accelerate's `prepare_model` does for mixed precision."""
    if formats.autocast:
        cast = torch.autocast("cpu", dtype=formats.compute)(model.forward)
        model.forward = convert_outputs_to_fp32(cast)  # type: ignore[method-assign]  # as accelerate does


def name_gradients(recorder: Recorder, model: torch.nn.Module) -> None:
    """Say of live gradients what they are."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            recorder.name(parameter.grad, GRADIENTS)


def name_means(recorder: Recorder, trainer: Trainer) -> None:
    """Say likewise of what an adapter's rank is spread by."""
    allocator = getattr(trainer, "allocator", None)
    for tensor in allocator.tensors() if allocator is not None else ():
        recorder.name(tensor, STATES)


def name_states(recorder: Recorder, optimizer: torch.optim.Optimizer) -> None:
    """Say of an optimizer's states what they are."""
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                recorder.name(value, STATES)
