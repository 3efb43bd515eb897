"""This machine's measurements: what they say of a recipe, and what they teach."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from studio.domain.data_options import DataOptions
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import Finding, error
from studio.domain.hardware import TrainingDevice
from studio.domain.memory import learning
from studio.domain.memory.estimate import Basis, MemoryEstimate
from studio.domain.memory.learning import Learned, learn
from studio.domain.memory.measured import measured_estimate, rows_of
from studio.domain.memory.measurement import (
    Measurement,
    RanOut,
    Subject,
    card_key,
    subject_of,
)
from studio.domain.recipe import Recipe
from studio.storage.data_sets import digest_of_data
from studio.storage.disk import unreadable
from studio.storage.measurements import MeasurementTable
from studio.system.allocator_setting import expands_segments
from studio.system.paths import measurements_path
from studio.system.versions import versions

_EXPANDING = (
    "PYTORCH_ALLOC_CONF asks for expandable segments, which only the dry run follows; "
    "the formula takes torch’s own default, which reserves more."
)


def taught(estimate: MemoryEstimate, device: TrainingDevice) -> MemoryEstimate:
    """An estimate with what measurements on its device taught, in words as well."""
    found = learning.taught(estimate, learned(device))
    by_formula = found.basis is Basis.FORMULA and device.kind == "cuda"
    if not (by_formula and expands_segments()):
        return found
    return replace(found, notes=(*found.notes, _EXPANDING))


def with_context(device: TrainingDevice) -> TrainingDevice:
    """A device with the CUDA context that was measured on it, if one was."""
    return replace(device, context_bytes=learned(device).context_bytes)


def learned(device: TrainingDevice) -> Learned:
    """What was learned of a device; nothing where the table can't be read."""
    try:
        return _lessons(*_table_now(), card_key(device), device.driver)
    except StudioError:
        return Learned()


def measured(
    recipe: Recipe, config: Mapping[str, object], device: TrainingDevice
) -> MemoryEstimate:
    """What this very recipe took on this very device.

    Raises:
        StudioError: Nothing was measured for it, it did not fit, or the table can't
            be read.
    """
    found = rows_of(_rows(), subject_here(device, config, recipe))
    if not found:
        raise _not_measured(device)
    ran_out = found[0].ran_out
    if ran_out is not None:
        raise does_not_fit(ran_out)
    return measured_estimate([row for row in found if row.ran_out is None])


def _not_measured(device: TrainingDevice) -> StudioError:
    is_elsewhere = device.kind == "cuda" and not device.driver
    return refusal(
        "estimate.not-measured",
        f"Nothing was measured for this recipe on {device.name} yet.",
        fix="Take --basis dry-run: only a card that is here can be measured."
        if is_elsewhere
        else "Measure it with snugtune estimate --measure, or take --basis dry-run.",
        where="--basis",
    )


def remarks() -> Sequence[Finding]:
    """What is wrong with the table, such as lines that were left out."""
    try:
        return _read(*_table_now())[1]
    except StudioError as refused:
        return [refused.finding]


def does_not_fit(ran_out: RanOut) -> StudioError:
    """The error for a recipe that ran out of memory while it was measured."""
    return StudioError(
        error(
            "estimate.does-not-fit",
            ran_out.sentence(),
            fix="Lower train.micro_batch or train.sequence_length, or turn on "
            "train.checkpointing.",
            where="train.micro_batch",
        ),
        ExitCode.OUT_OF_MEMORY,
    )


def subject_here(
    device: TrainingDevice, config: Mapping[str, object], recipe: Recipe
) -> Subject:
    """What a measurement of a recipe would hold for now.

    Raises:
        StudioError: The data file can't be read.
    """
    return subject_of(device, _versions(), config, recipe, _digest(recipe.data))


def _digest(data: DataOptions) -> str:
    if not data.path:
        return ""
    try:
        return digest_of_data(data)
    except OSError as fault:
        raise unreadable(fault, Path(fault.filename or data.path)) from fault


def _rows() -> Sequence[Measurement]:
    return _read(*_table_now())[0]


def _table_now() -> tuple[Path, int, int]:
    """The table, and by what it is seen to have changed."""
    path = measurements_path()
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1)
def _read(
    path: Path, _changed: int, _size: int
) -> tuple[Sequence[Measurement], Sequence[Finding]]:
    return MeasurementTable(path).read()


@functools.lru_cache(maxsize=4)
def _lessons(path: Path, changed: int, size: int, card: str, driver: str) -> Learned:
    here = Subject(
        card=card, driver=driver, versions=_versions(), architecture="", recipe=""
    )
    return learn(_read(path, changed, size)[0], here)


_versions = functools.cache(versions)
