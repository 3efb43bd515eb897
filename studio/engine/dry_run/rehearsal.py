"""A run on tensors without memory: load, measure, answer, train, save.

Everything that computes is the engine's own: its adapter, its trainer, its evaluation
and its answers. The order is that of `methods/training.py`.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from bitsandbytes import functional
from bitsandbytes.nn.modules import Linear4bit
from bitsandbytes.optim.optimizer import GlobalOptimManager
from peft import PeftModelForCausalLM
from peft.tuners.lora import dora
from peft.utils.integrations import dequantize_module_weight
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import Trainer, masking_utils
from transformers.utils import logging
from trl.kernels.chunked_logprob import ChunkedLogProbFunction
from trl.trainer import dpo_trainer, kto_trainer
from trl.trainer.utils import use_adapter

from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.part_names import ADAPTER, LOADING, LOGITS, REFERENCE
from studio.engine.adapters import attach
from studio.engine.data_preparation import PreparedData
from studio.engine.devices import refuse_on_processor
from studio.engine.dry_run import stand_ins
from studio.engine.dry_run.card_functions import as_on
from studio.engine.dry_run.corrections import CardKernels
from studio.engine.dry_run.fake_model import make_tables, materialize, movable, outline
from studio.engine.dry_run.foreign import ForeignSteps, upcast
from studio.engine.dry_run.guesses import Guesses
from studio.engine.dry_run.recorder import Recorder, Recording
from studio.engine.dry_run.starts import rehearse_start
from studio.engine.dry_run.steps import Steps
from studio.engine.dry_run.subject import Subject
from studio.engine.dry_run.weightless import weightless
from studio.engine.generation import SAMPLE_TOKENS, answers
from studio.engine.head_rows import multiply_rows_together
from studio.engine.methods.training import build_trainer
from studio.engine.model_loading import Model
from studio.engine.trained_weights import train_all
from studio.engine.training_run import TrainingRun
from studio.storage.models import ModelPlace, ModelState
from studio.storage.run_directory import RunDirectory

# Held-back questions are asked when the recipe names none; how long they are is not
# in the recipe. A quarter of a row is a long question.
_PROMPT_SHARE = 4
_DEFAULT_PROMPTS = 3
_ANSWER_STEPS = 2
_UNPACK = "dequantize_module_weight"
_UNPACK_ITSELF = dequantize_module_weight
_FIND = "find_packed_sequence_indices"
_FIND_ITSELF = masking_utils.find_packed_sequence_indices


def rehearse(subject: Subject) -> Recording:
    """Go through a run without its memory.

    Raises:
        StudioError: The model can't be built, or the recipe can't be carried out.
    """
    if subject.card is None:
        refuse_on_processor(subject.recipe, torch.device("cpu"))
    bare = outline(subject.config, subject.recipe.model, subject.formats)
    if subject.card is None:
        multiply_rows_together(bare)
    with without_memory(subject) as recorder:
        model = load(bare, subject, recorder)
        with tempfile.TemporaryDirectory() as folder:
            run = run_of(subject, model, Path(folder))
            with contextlib.closing(run.session.wire):
                with recorder.purpose(LOADING):
                    trainer = build_trainer(run)
                if not subject.recipe.trains_all:
                    name_adapter(recorder, model)
                _before_and_after(recorder, run, trainer, subject)
        # As it stands now: what ends with the rehearsal itself is no part of the run.
        recording = recorder.recording
        return replace(recording, trace=list(recording.trace))


@contextmanager
def without_memory(subject: Subject) -> Iterator[Recorder]:
    """Tensors made inside take no memory, and the record is kept of what they would."""
    card = subject.card
    recorder = Recorder(Guesses() if card is None else CardKernels(card))
    make_tables()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(_tensors_for(subject))
        stack.enter_context(movable())
        stack.enter_context(_forgetting_overrides())
        stack.enter_context(patch.object(dora, _UNPACK, _unpacked))
        stack.enter_context(_named_loss(recorder))
        stack.enter_context(_named_reference(recorder))
        stack.enter_context(_masked_as(pads=subject.pads, packs=subject.packs))
        if card is not None:
            expands = subject.is_foreign
            stack.enter_context(as_on(card, recorder, expands_keys=expands))
        stack.enter_context(recorder)
        yield recorder


def _tensors_for(subject: Subject) -> AbstractContextManager[object]:
    """Weightless tensors where they will do.

    Autocast and torch's attention go by a tensor's true place, which fake tensors
    alone can put on a processor.
    """
    if subject.card is None or subject.formats.autocast:
        return FakeTensorMode(allow_non_fake_inputs=True)
    return weightless()


def _unpacked(module: torch.nn.Module) -> torch.Tensor:
    """A layer's weight as DoRA asks for it.

    peft knows a 4-bit weight by its class (utils/integrations.py,
    `dequantize_module_weight`), which one without memory hasn't.
    """
    if not isinstance(module, Linear4bit):
        return _UNPACK_ITSELF(module)
    return functional.dequantize_4bit(module.weight.data, module.quant_state)


@contextmanager
def _forgetting_overrides() -> Iterator[None]:
    """Let bitsandbytes forget which weights keep 32-bit states.

    It remembers them by their addresses as long as the process lives, where the next
    rehearsal's weights come to lie (optim/optimizer.py, `GlobalOptimManager`).
    """
    try:
        yield
    finally:
        GlobalOptimManager.get_instance().initialize()  # type: ignore[no-untyped-call]  # bitsandbytes has no types


@contextmanager
def _named_loss(recorder: Recorder) -> Iterator[None]:
    """Let the record know what trl's fused output head allocates."""
    head = ChunkedLogProbFunction
    with ExitStack() as stack:
        for name in ("forward", "backward"):
            named = recorder.purpose(LOGITS)(getattr(head, name))
            stack.enter_context(patch.object(head, name, staticmethod(named)))
        yield


@contextmanager
def _named_reference(recorder: Recorder) -> Iterator[None]:
    """Let the record know what the base alone allocates while it is asked."""

    @contextmanager
    def switched_off(*given: Any, **named: Any) -> Iterator[None]:  # noqa: ANN401 - trl's own
        with recorder.purpose(REFERENCE), use_adapter(*given, **named):
            yield

    with ExitStack() as stack:
        for trainer in (dpo_trainer, kto_trainer):
            stack.enter_context(patch.object(trainer, "use_adapter", switched_off))
        yield


@contextmanager
def _masked_as(*, pads: bool, packs: bool) -> Iterator[None]:
    """Let transformers judge masks as it does for tensors with values.

    It keeps every mask of a tensor whose values it can't read, and positions that it
    can't read are those of a single text.
    """
    with ExitStack() as stack:
        for name in ("is_tracing", "fast_all") if pads else ("is_tracing",):
            stack.enter_context(patch.object(masking_utils, name, lambda *_: False))
        if packs:
            stack.enter_context(patch.object(masking_utils, _FIND, _packed_sequences))
        yield


def _packed_sequences(positions: torch.Tensor) -> torch.Tensor:
    """Which text each token belongs to, where there are several.

    Everything is allocated as transformers does it, but for the judgement.
    """
    made: list[torch.Tensor] = []
    with patch.object(masking_utils, "is_tracing", made.append):
        _FIND_ITSELF(positions)
    return made[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' remarks on values that nobody has."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)


def load(model: Model, subject: Subject, recorder: Recorder) -> PeftModelForCausalLM:
    """Give a model its tensors and put the adapter on it.

    Room for all weights is made where transformers places them itself; other programs
    move a model that isn't quantised by hand.
    """
    is_placed = subject.recipe.model.precision.is_quantized or not subject.is_foreign
    warms_up = subject.card is not None and is_placed
    materialize(model, subject.formats, recorder, warms_up=warms_up)
    if subject.recipe.trains_all:
        return train_all(model)
    upcast(model, recorder, subject)
    with recorder.purpose(LOADING):
        adapted = attach(model, subject.recipe.lora)
        rehearse_start(recorder, adapted, subject.recipe.lora.variant)
        return adapted


def name_adapter(recorder: Recorder, model: PeftModelForCausalLM) -> None:
    """Say of the trained weights what they are."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            recorder.name(parameter, ADAPTER)


def _before_and_after(
    recorder: Recorder, run: TrainingRun, trainer: Trainer, subject: Subject
) -> None:
    recording = recorder.recording
    if subject.recipe.compat.full_logits or subject.recipe.compat.shifted_logits_copy:
        ForeignSteps(recorder, subject, run.model, trainer).take()
        recorder.enter_phase(MemoryPhase.SAVE)
        return
    before = len(recording.trace)
    # Here the engine casts by itself, as `run_of` lets no trainer do.
    casting = replace(run, formats=subject.formats)
    recorder.enter_phase(MemoryPhase.EVALUATE)
    casting.evaluate(0)
    recorder.enter_phase(MemoryPhase.GENERATE)
    _answer(casting)
    after = len(recording.trace)
    Steps(recorder, subject, run.model, trainer).take()
    recorder.enter_phase(MemoryPhase.SAVE)
    recording.repeat(before, after)


def run_of(subject: Subject, model: PeftModelForCausalLM, folder: Path) -> TrainingRun:
    """A run of stand-ins around a model; its folder stays empty."""
    recipe = subject.recipe
    train = recipe.train
    rows = stand_ins.judged_rows(recipe, train.micro_batch, train.sequence_length)
    # Autocast is put around the model by `_wrap_autocast`: on a processor, which the
    # tensors claim to be on, the trainer would refuse what it does on a card.
    formats = replace(subject.formats, autocast=False)
    return TrainingRun(
        session=stand_ins.silent_session(),
        directory=RunDirectory(folder),
        recipe=recipe,
        place=ModelPlace(name="", title="", state=ModelState.READY),
        model=model,
        tokenizer=stand_ins.tokenizer(),
        data=PreparedData(rows, rows if recipe.data.measures else [], ()),
        data_sha256="",
        formats=formats,
    )


def _answer(run: TrainingRun) -> None:
    """The answers' peak: prompts as long as prompt and answer together."""
    recipe = run.recipe
    asked = recipe.data.prompts
    words = max((len(prompt.split()) * 2 for prompt in asked), default=0)
    tokens = (words or recipe.train.sequence_length // _PROMPT_SHARE) + SAMPLE_TOKENS
    prompts = stand_ins.prompts(len(asked) or _DEFAULT_PROMPTS, tokens)
    formats = run.formats
    for _ in answers(run.model, run.tokenizer, prompts, formats, _ANSWER_STEPS):
        pass
