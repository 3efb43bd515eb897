"""The worst of a run is tried before its first step: better now than in the night.

Two steps of the longest rows in full micro-batches, an evaluation of the longest, and a
save into a scratch folder beside the checkpoints, all by the run's own code. Two steps,
because only the second finds the optimizer's states held. Nothing of it stays.

It is done on a card alone. There memory is refused by an error, which the run can help
itself out of (`studio.domain.relief`). On a processor the system hands out more than it
has and ends the engine when that is touched, without a word that anybody could act on;
trying the costliest batch would only cost its time.
"""

import contextlib
import gc
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from studio.domain.run import Phase
from studio.engine.chance import put_chance, take_chance
from studio.engine.pausing import keep
from studio.engine.probe_run import STEPS, worst_of
from studio.engine.session import Session
from studio.engine.staging import SCRATCH
from studio.engine.training_run import TrainingRun
from studio.engine.wire import Wire
from studio.storage.run_directory import RunDirectory

Build = Callable[[TrainingRun], Any]


def is_tried(model: torch.nn.Module) -> bool:
    """Whether the worst is tried where a model lies; see above."""
    return next(model.parameters()).device.type == "cuda"


def try_worst(run: TrainingRun, build: Build) -> None:
    """Try what takes most memory and disk, and leave no trace.

    Args:
        run: Ready to be trained, without a trainer yet.
        build: Makes a trainer of it, as the run's own method does.

    Raises:
        StudioError: The disk refuses, or a loss is no number.
        torch.OutOfMemoryError: Memory is refused.
        Interrupted: The engine was told to end.
    """
    if not is_tried(run.model):
        return
    run.session.enter(Phase.TRYING)
    try:
        _try(run, build)
    except Exception as fault:
        keep(run, fault)
        raise
    finally:
        _let_go()


def _try(run: TrainingRun, build: Build) -> None:
    quiet = Session(Wire(None), lifeline=run.session.lifeline)
    place = run.directory.path
    with (
        contextlib.closing(quiet.wire),
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=place) as scratch,
        untouched(run.model),
    ):
        recipe, data = worst_of(run.recipe, run.data)
        trial = replace(
            run,
            session=quiet,
            directory=RunDirectory(Path(scratch)),
            recipe=recipe,
            data=data,
            fingerprint=None,
            losses={},
        )
        trainer = build(trial)
        trial.evaluate(0)
        # The batch stays as it was put together.
        trainer.args.train_sampling_strategy = "sequential"
        trainer.train()
        trial.save(STEPS)
        trial.evaluate(STEPS)


@contextlib.contextmanager
def untouched(model: torch.nn.Module) -> Iterator[None]:
    """Put everything back that training inside changes.

    That is the trained weights with their format, what a trainer hangs on modules
    (wrapped forwards, hooks, flags), gradients, and all random numbers.
    """
    chance = take_chance()
    hung = [(module, _shallow(module)) for module in model.modules()]
    trains = {name: each.requires_grad for name, each in model.named_parameters()}
    weights = {
        # On the card, a copy of a whole model's weights would take what is measured.
        name: each.detach().to("cpu", copy=True)
        for name, each in model.named_parameters()
        if each.requires_grad
    }
    try:
        yield
    finally:
        for module, before in hung:
            vars(module).clear()
            vars(module).update(before)
        for name, each in model.named_parameters():
            each.grad = None
            each.requires_grad_(trains[name])
            if name in weights:
                each.data = weights[name].to(each.device)
        put_chance(chance)


def _shallow(module: torch.nn.Module) -> dict[str, Any]:
    """A module's attributes, its tables of parameters, parts and hooks copied."""
    return {
        name: each.copy() if isinstance(each, dict) else each
        for name, each in vars(module).items()
    }


def _let_go() -> None:
    """Leave the card as if nothing had been tried on it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
