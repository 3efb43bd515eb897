"""What a run took at most, told at its end beside what was predicted for it.

torch keeps the highest of a process by itself, so nothing is added to the steps.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from studio.domain.errors import StudioError
from studio.domain.memory.estimate import Basis
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    RanOut,
    Source,
    subject_of,
)
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.domain.train_options import PAGED_OPTIMIZERS
from studio.engine.measured_rows import (
    by_formula,
    config_for,
    keep_row,
    known_predictions,
    like,
)
from studio.engine.memory_meters import Counters
from studio.engine.session import Session
from studio.system.card_memory import CardMemory
from studio.system.machine import read_machine_once
from studio.system.resident_memory import highest_resident_bytes
from studio.system.versions import versions

# The first step makes the optimizer's states; only the second finds all memory held.
LEAST_STEPS = 2


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run that has come to its end.

    Attributes:
        recipe: Of the run.
        folder: Of its model; None when that isn't known.
        data_sha256: Of its data file.
        rows: That it trained on.
        tokens: Of the longest.
        seconds: That it took.
    """

    recipe: Recipe
    folder: Path | None
    data_sha256: str
    rows: int
    tokens: int
    seconds: float


def predicted_bytes(run: WholeRun) -> int | None:
    """What the process will hold on this machine's device, by the formula.

    Returns:
        Bytes; None where the formula knows no such model or recipe.
    """
    recipe = like(run.recipe, run.tokens, run.rows)
    device = read_machine_once().device()
    told = by_formula(config_for(run.recipe, run.folder), recipe, device)
    return told[Basis.FORMULA.value].peaks.device if told else None


def tell_memory(session: Session, run: WholeRun) -> None:
    """Say what a run took, and keep it; what can't be told costs no run."""
    try:
        row = _row(run)
    except StudioError as refused:
        session.warn(refused.finding)
    else:
        keep_row(session, row, run.seconds)


def tell_ran_out(session: Session, run: WholeRun, asked: int | None) -> None:
    """Keep that a run's memory didn't suffice, so that it is predicted from now on.

    Args:
        session: Told of the row.
        run: As far as it came.
        asked: Bytes that were asked for in vain; None where nobody says.
    """
    held = torch.cuda.memory_allocated() if torch.cuda.is_available() else None
    try:
        row = replace(_row(run), ran_out=RanOut(Phase.TRAINING, asked, held))
        keep_row(session, row, run.seconds)
    except StudioError as refused:
        session.warn(refused.finding)


def peaks_on_card(counters: Counters, driver: CardMemory) -> tuple[Peaks, int | None]:
    """The highest of this process on a card, and what it holds beside the allocator.

    The driver keeps no high-water mark: what the process holds beside torch's
    allocator now is added to the allocator's highest.

    Returns:
        (peaks, bytes beside the allocator; None where the driver doesn't tell)
    """
    allocated, reserved = (
        counters.max_memory_allocated(),
        counters.max_memory_reserved(),
    )
    now = driver.read()
    if now is None:
        return Peaks(allocated, reserved), None
    beside = max(0, now - counters.memory_reserved())
    return Peaks(allocated, reserved, reserved + beside), beside


def _row(run: WholeRun) -> Measurement:
    device = read_machine_once().device()
    config = config_for(run.recipe, run.folder)
    measured = like(run.recipe, run.tokens, run.rows)
    if torch.cuda.is_available():
        uuid = str(torch.cuda.get_device_properties(0).uuid)
        # What the card held before is unknown here, so paged states leave a gap.
        is_paged = run.recipe.train.optimizer in PAGED_OPTIMIZERS
        driver = CardMemory(uuid, counts_card=is_paged)
        actual, context = peaks_on_card(torch.cuda, driver)
    else:
        actual, context = Peaks(device=highest_resident_bytes()), None
    return Measurement(
        subject=subject_of(device, versions(), config, run.recipe, run.data_sha256),
        source=Source.RUN,
        when=time.time(),
        tokens=run.tokens,
        actual=actual,
        predicted=known_predictions(config, measured, device),
        context_bytes=context,
    )
