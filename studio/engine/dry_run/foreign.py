"""Other programs' habits, so that their measurements can be compared with ours.

A loop around the model's own loss, as tutorials, measuring scripts and transformers'
Trainer have it: no mask, all logits at once.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModelForCausalLM, prepare_model_for_kbit_training
from torch.nn import functional
from transformers import Trainer
from transformers.utils.generic import ModelOutput

from studio.domain.memory.allocator import EmptyCache
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.part_names import BATCH, PLAIN
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.steps import (
    enable_checkpointing,
    name_gradients,
    name_states,
    suit_card,
    wrap_autocast,
)
from studio.engine.dry_run.subject import Subject
from studio.engine.model_loading import Model


def upcast(model: Model, recorder: Recorder, subject: Subject) -> None:
    """What peft and trl do to a quantised model before training, if the recipe asks.

    peft holds in fp32 whatever isn't quantised; trl casts embeddings and head back to
    bf16, which leaves the norms (trl 0.13, trainer/utils.py,
    `peft_module_casting_to_bf16`).
    """
    compat = subject.recipe.compat
    if not subject.recipe.model.precision.is_quantized:
        return
    with recorder.purpose(PLAIN):
        if compat.upcast_unquantized:
            prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]  # peft leaves it untyped
        elif compat.upcast_norms:
            for name, module in model.named_modules():
                if isinstance(module, torch.nn.LayerNorm) or "norm" in name:
                    module.to(torch.float32)
    if compat.upcast_unquantized or compat.upcast_norms:
        recorder.recording.trace.append(EmptyCache())


@dataclass(frozen=True, slots=True)
class ForeignSteps:
    """Training as other programs do it; for the attributes see `steps.Steps`."""

    recorder: Recorder
    subject: Subject
    model: PeftModelForCausalLM
    trainer: Trainer

    def take(self) -> None:
        """Train for one step, and write down a second, which finds what it left."""
        recording = self.recorder.recording
        enable_checkpointing(self.model, self.trainer)
        compat = self.subject.recipe.compat
        whole = self.model if compat.full_training else self.model.get_base_model()
        if compat.shifted_logits_copy:
            vars(whole)["_loss_function"] = _shifted_loss
        if compat.early_logits_upcast:
            _upcast_logits(whole)
        wrap_autocast(self.model, self.subject.formats)
        optimizer = self.trainer.create_optimizer()
        suit_card(optimizer, self.subject)
        batch = self._batch()
        start = len(recording.trace)
        outputs: ModelOutput | None = None
        for _ in range(min(2, self.subject.recipe.train.accumulation)):
            del outputs
            outputs = self._micro_batch(batch)
        self.recorder.enter_phase(MemoryPhase.OPTIMIZER_STEP)
        optimizer.step()
        name_states(self.recorder, optimizer)
        del outputs
        optimizer.zero_grad()
        recording.repeat(start, len(recording.trace))

    def _batch(self) -> torch.Tensor:
        train = self.subject.recipe.train
        shape = (train.micro_batch, train.sequence_length)
        with self.recorder.purpose(BATCH):
            return torch.zeros(shape, dtype=torch.long)

    def _micro_batch(self, batch: torch.Tensor) -> ModelOutput | None:
        """What a loop's variable goes on holding, if it does."""
        self.recorder.enter_phase(MemoryPhase.FORWARD)
        outputs: ModelOutput | None = self.model(input_ids=batch, labels=batch)
        assert outputs is not None
        loss = outputs["loss"]
        if not self.subject.recipe.compat.keeps_outputs:
            outputs = None
        self.recorder.enter_phase(MemoryPhase.BACKWARD)
        loss.backward()
        name_gradients(self.recorder, self.model)
        return outputs


def _upcast_logits(model: Any) -> None:  # noqa: ANN401 - a causal model, whose class mixes its parts in
    """Let a model's forward pass go as transformers 4.45 has it.

    The logits are scaled or capped in 16 bits, as the model does, then made fp32; the
    16-bit ones are gone before the loss (models/granite/modeling_granite.py of 4.45.2).
    """
    forward = model.forward
    named: list[object] = []  # until the loss is known, as a local name holds it
    head: torch.nn.Module = model.get_output_embeddings()
    head.register_forward_pre_hook(lambda _, hidden: named.append(hidden))

    def forward_in_fp32(*, labels: torch.Tensor, **inputs: object) -> ModelOutput:
        outputs: ModelOutput = forward(**inputs)
        outputs["logits"] = outputs["logits"].float()
        words = model.config.get_text_config().vocab_size
        outputs["loss"] = model.loss_function(outputs["logits"], labels, words)
        named.clear()
        return outputs

    model.forward = forward_in_fp32


def _shifted_loss(
    logits: torch.Tensor, labels: torch.Tensor, vocab_size: int, **_: object
) -> torch.Tensor:
    """The loss of transformers 4: fp32 logits, and a shifted copy of them."""
    logits = logits.float()
    shifted = logits[..., :-1, :].contiguous().view(-1, vocab_size)
    return functional.cross_entropy(shifted, labels[..., 1:].contiguous().view(-1))
