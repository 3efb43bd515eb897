"""The verb measure-memory: a short run of the exact recipe, measured on its device.

In the order of a run: load, held-out loss, answers, two steps on the longest batch,
save, held-out loss, answers. Everything is the engine's own, on real data where there
is any. Afterwards the same batch is predicted, and both become a row of this machine's
table.
"""

import contextlib
import gc
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from transformers import Trainer, TrainerCallback

from studio.domain.errors import StudioError
from studio.domain.memory.estimate import Basis, MemoryPhase
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    Prediction,
    RanOut,
    Source,
    subject_of,
)
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.domain.train_options import PAGED_OPTIMIZERS
from studio.engine.failures import asked_bytes, is_out_of_memory
from studio.engine.measured_rows import by_formula, config_for, keep_row, like
from studio.engine.memory_estimate import Target, estimate_memory
from studio.engine.memory_meters import CardMeter, Meter, ProcessorMeter
from studio.engine.methods.training import build_trainer
from studio.engine.probe_run import ProbeRun, load_probe_run, refuse_other_programs
from studio.engine.random_weights import write_random_model
from studio.engine.session import Session
from studio.engine.wire import Wire
from studio.system.card_memory import CardMemory
from studio.system.machine import read_machine_once
from studio.system.versions import versions


@dataclass(frozen=True, slots=True)
class Probe:
    """What is to be measured.

    Attributes:
        recipe: Free of contradictions.
        model: A folder with a model; with `is_random`, with a config.json.
        used_before: Bytes used of each card before this process used any, by UUID.
        is_random: Random weights are made of the config.
    """

    recipe: Recipe
    model: Path
    used_before: Mapping[str, int]
    is_random: bool = False


def measure_memory(session: Session, probe: Probe) -> None:
    """Measure, predict the same, keep the row and say it.

    Memory that doesn't suffice is a result, not an error.

    Raises:
        StudioError: Bad input.
        Interrupted: The engine was told to end.
    """
    refuse_other_programs(probe.recipe)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, session.lifeline.open():
        scratch = Path(name)
        folder = probe.model
        if probe.is_random:
            session.enter(Phase.PREPARING_MODEL)
            folder = scratch / "model"
            write_random_model(probe.model, folder)
        (scratch / "run").mkdir()
        meter = meter_for(probe)
        batch, ran_out = _measured(session, probe, meter, folder, scratch / "run")
        _let_go()
        row = _row(session, probe, meter, batch, ran_out)
    keep_row(session, row, time.monotonic() - began)


def meter_for(probe: Probe) -> Meter:
    """The meter of the device that the engine computes on."""
    if not torch.cuda.is_available():
        return ProcessorMeter()
    uuid = str(torch.cuda.get_device_properties(0).uuid)
    is_paged = probe.recipe.train.optimizer in PAGED_OPTIMIZERS
    driver = CardMemory(uuid, probe.used_before, counts_card=is_paged)
    return CardMeter(torch.cuda, driver, is_paged)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was measured: rows of the micro-batch, the longest's tokens, the data."""

    rows: int
    tokens: int
    data_sha256: str

    @classmethod
    def asked(cls, recipe: Recipe) -> "_Batch":
        """The batch that a recipe names, where none could be made."""
        return cls(recipe.train.micro_batch, recipe.train.sequence_length, "")


def _measured(
    session: Session, probe: Probe, meter: Meter, folder: Path, scratch: Path
) -> tuple[_Batch, RanOut | None]:
    batch = _Batch.asked(probe.recipe)
    quiet = Session(Wire(None), session.orders, session.lifeline)
    with contextlib.closing(quiet.wire), meter.begin():
        try:
            short = load_probe_run(session, quiet, probe.recipe, folder, scratch)
            meter.meet(short.run.model)
            batch = _Batch(short.micro_batch, short.tokens, short.data_sha256)
            _take(session, short, meter)
        except Exception as fault:
            if not is_out_of_memory(fault):
                raise
            held = meter.held_bytes()
            return batch, RanOut(meter.phase, asked_bytes(fault), held)
    return batch, None


def _take(session: Session, short: ProbeRun, meter: Meter) -> None:
    """The course of a run."""
    run = short.run
    trainer = build_trainer(run)
    _ask(session, short, meter)
    session.enter(Phase.TRAINING)
    # The batch stays as it was put together.
    trainer.args.train_sampling_strategy = "sequential"
    trainer.add_callback(_Phases(meter))
    with _told_of_backward(trainer, meter):
        trainer.train()
    session.enter(Phase.SAVING)
    meter.enter(MemoryPhase.SAVE)
    if not run.recipe.compat.full_training:
        run.save(run.recipe.train.max_steps)
    _ask(session, short, meter)


def _ask(session: Session, short: ProbeRun, meter: Meter) -> None:
    """The held-out loss and the answers, as before and after training."""
    session.enter(Phase.EVALUATING)
    meter.enter(MemoryPhase.EVALUATE)
    short.run.evaluate(0)
    session.enter(Phase.SAMPLING)
    meter.enter(MemoryPhase.GENERATE)
    short.run.sample(0)


class _Phases(TrainerCallback):
    """Tells a meter of the phases that transformers tells of."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_step_begin(self, *_: object, **__: object) -> None:
        """The first micro-batch of a step."""
        self._meter.enter(MemoryPhase.FORWARD)

    def on_substep_end(self, *_: object, **__: object) -> None:
        """Another micro-batch of the same step."""
        self._meter.enter(MemoryPhase.FORWARD)

    def on_pre_optimizer_step(self, *_: object, **__: object) -> None:
        """All gradients are there."""
        self._meter.enter(MemoryPhase.OPTIMIZER_STEP)


@contextlib.contextmanager
def _told_of_backward(trainer: Trainer, meter: Meter) -> Iterator[None]:
    pass_back = trainer.accelerator.backward

    def backward(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - accelerate's own
        meter.enter(MemoryPhase.BACKWARD)
        pass_back(*args, **kwargs)

    with patch.object(trainer.accelerator, "backward", backward):
        yield


def _let_go() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _row(
    session: Session,
    probe: Probe,
    meter: Meter,
    batch: _Batch,
    ran_out: RanOut | None,
) -> Measurement:
    device = read_machine_once().device()
    config = config_for(probe.recipe, probe.model)
    phases = {phase.value: peaks for phase, peaks in meter.phases.items()}
    actual = Peaks()
    for peaks in phases.values():
        actual = actual.joined(peaks)
    recipe = like(probe.recipe, batch.tokens, batch.rows)
    return Measurement(
        subject=subject_of(device, versions(), config, probe.recipe, batch.data_sha256),
        source=Source.PROBE,
        when=time.time(),
        tokens=batch.tokens,
        actual=actual,
        phases=phases,
        phase=max(phases, key=lambda each: phases[each].allocated or 0, default=""),
        predicted={
            **by_formula(config, recipe, device),
            **_by_dry_run(session, config, recipe),
        },
        context_bytes=meter.context_bytes,
        ran_out=ran_out,
    )


def _by_dry_run(
    session: Session, config: Mapping[str, object], recipe: Recipe
) -> dict[str, Prediction]:
    """What a dry run says of the batch; a fault of it costs no measurement."""
    with tempfile.TemporaryDirectory() as name:
        described = Path(name) / "config.json"
        described.write_text(json.dumps(dict(config)), encoding="utf-8")
        try:
            found = estimate_memory(recipe, described, Target.of(None, None))
        except StudioError as refused:
            session.warn(refused.finding)
            return {}
    return {Basis.DRY_RUN.value: Prediction.of(found)}
