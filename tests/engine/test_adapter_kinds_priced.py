"""What each kind of adapter takes is rehearsed as it really is."""

import pytest
import torch

from studio.domain.memory.estimate import Level, MemoryPhase
from studio.domain.memory.measurement import recipe_key
from studio.domain.memory.on_paper.tape import BLOCK
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.memory.part_names import ADAPTER, GRADIENTS, STATES
from studio.engine.adapters import attach
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.rehearsal import rehearse, run_of
from studio.engine.dry_run.steps import Steps
from studio.engine.methods.training import build_trainer
from studio.engine.model_loading import load_model
from tests.engine.test_dry_run import (
    CARD,
    estimate,
    fake_step,
    held_by_name,
    real_step,
    subject_of,
)

pytestmark = pytest.mark.torch

DORA = {
    "dora": {"lora__variant": "dora"},
    "dora, dropping": {"lora__variant": "dora", "lora__dropout": 0.1},
}
KINDS = {
    **DORA,
    "adalora": {"lora__variant": "adalora"},
    "norms": {"lora__train_norms": True},
    "embeddings": {"lora__train_embeddings": True},
}
BASES = {
    "nf4": {"model__compute_dtype": "bf16"},
    "bf16": {"model__precision": "bf16", "model__compute_dtype": "bf16"},
    "nf4, recomputing": {"model__compute_dtype": "bf16", "train__checkpointing": True},
}
CARDS = {**BASES, "nf4, fp32 adapter": {**BASES["nf4"], "lora__adapter_dtype": "fp32"}}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", KINDS)
def test_that_a_step_allocates_what_it_really_does(kind, base, tiny_qwen, tmp_path):
    subject = subject_of(tiny_qwen, **BASES[base], **KINDS[kind])
    fake = fake_step(subject, tmp_path)
    assert fake == real_step(subject, tiny_qwen, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_that_what_is_trained_is_priced_to_the_byte(kind, tiny_qwen, tmp_path):
    options = {**BASES["nf4"], **KINDS[kind]}
    subject = subject_of(tiny_qwen, train__accumulation=1, **options)
    predicted = held_by_name(rehearse(subject))
    base = load_model(
        tiny_qwen, subject.recipe.model, subject.formats, torch.device("cpu")
    )
    model = attach(base, subject.recipe.lora)
    trainer = build_trainer(run_of(subject, model, tmp_path))
    trained = [p for p in model.parameters() if p.requires_grad]
    Steps(Recorder(), subject, model, trainer).take()
    states = [s for state in trainer.optimizer.state.values() for s in state.values()]
    assert predicted[ADAPTER] == sum(p.nbytes for p in trained)
    assert predicted[GRADIENTS] == sum(p.nbytes for p in trained)
    if trainer.allocator is not None:
        states += trainer.allocator.tensors()
    assert predicted[STATES] == sum(state.nbytes for state in states)


@pytest.mark.parametrize(
    ("start", "base"),
    [
        *(("pissa", base) for base in CARDS),
        *(("loftq", base) for base in CARDS if base != "bf16"),
    ],
)
def test_that_what_starts_from_its_base_takes_what_a_plain_adapter_takes(
    start, base, tiny_qwen
):
    """Only loading knows of it, so one formula and one table serve both."""
    plain = subject_of(tiny_qwen, CARD, **CARDS[base])
    subject = subject_of(tiny_qwen, CARD, **CARDS[base], lora__variant=start)
    given, other = estimate(subject), estimate(plain)
    load = MemoryPhase.LOAD
    assert given.phase_peaks[load] >= other.phase_peaks[load]
    assert {**given.phase_peaks, load: 0} == {**other.phase_peaks, load: 0}
    assert given.bytes_up_to(Level.RESERVED) == other.bytes_up_to(Level.RESERVED)
    assert outside_formula(subject.recipe) is None
    assert recipe_key(subject.recipe) == recipe_key(plain.recipe)


@pytest.mark.parametrize("base", CARDS)
@pytest.mark.parametrize("kind", DORA)
def test_that_a_card_is_asked_for_more_than_by_a_plain_adapter(kind, base, tiny_qwen):
    plain = subject_of(tiny_qwen, CARD, **CARDS[base])
    subject = subject_of(tiny_qwen, CARD, **CARDS[base], **KINDS[kind])
    held = held_by_name(rehearse(subject))
    assert held[ADAPTER] >= held_by_name(rehearse(plain))[ADAPTER] + BLOCK
    backward = MemoryPhase.BACKWARD
    assert (
        estimate(subject).phase_peaks[backward] > estimate(plain).phase_peaks[backward]
    )
    assert outside_formula(subject.recipe) is not None
    assert outside_formula(plain.recipe) is None
