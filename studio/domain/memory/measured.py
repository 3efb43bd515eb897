"""An estimate that is a measurement: this very recipe was taken on this very card."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.measurement import Measurement, Peaks, Source, Subject

_PROCESSOR = "cpu"
# Paged states, for example; the driver shows them with the process.
_BESIDE = "Beside torch’s allocator"


def rows_of(rows: Iterable[Measurement], subject: Subject) -> Sequence[Measurement]:
    """The measurements of a subject, newest first, if they tell every level.

    A run that knows its process alone, as on a processor, tells too little. Where its
    own data weren't measured, rows of full length stand for them.
    """
    telling = [row for row in rows if row.ran_out is not None or _is_whole(row.actual)]
    found = [row for row in telling if row.subject == subject]
    if not found:
        found = [row for row in telling if row.subject == replace(subject, data="")]
    return sorted(found, key=lambda row: -row.when)


def measured_estimate(rows: Sequence[Measurement]) -> MemoryEstimate:
    """The newest measurement as an estimate; its range is what all of them came to.

    Args:
        rows: Of one subject, newest first, at least one, none of which ran out.
    """
    newest = rows[0]
    return MemoryEstimate(
        components=tuple(_components(newest)),
        phase=newest.phase,
        basis=Basis.MEASURED,
        expected_error=0.0,
        phase_peaks={
            phase: peaks.allocated
            for phase, peaks in newest.phases.items()
            if peaks.allocated is not None
        },
        ratios={level: _ratios(rows, level) for level in Level},
        notes=(_in_words(rows),),
    )


def _components(row: Measurement) -> Iterable[Component]:
    allocated, reserved, device = (row.actual.at(level) or 0 for level in Level)
    is_processor = row.subject.card.startswith(_PROCESSOR)
    yield Component("Live tensors", Group.ACTIVATIONS, allocated, row.phase)
    if reserved > allocated:
        cached = reserved - allocated
        yield Component("Fragmentation", Group.OVERHEAD, cached, level=Level.RESERVED)
    beside = max(0, device - reserved)
    if is_processor or row.context_bytes is None:
        name = "Python and its libraries" if is_processor else _BESIDE
        yield Component(name, Group.OVERHEAD, beside, level=Level.DEVICE)
        return
    context = min(beside, row.context_bytes)
    yield Component(CUDA_CONTEXT_NAME, Group.OVERHEAD, context, level=Level.DEVICE)
    if beside > context:
        rest = beside - context
        yield Component(_BESIDE, Group.OVERHEAD, rest, level=Level.DEVICE)


def _ratios(rows: Sequence[Measurement], level: Level) -> tuple[float, float]:
    newest = rows[0].actual.at(level)
    if not newest:
        return 1.0, 1.0
    ratios = [held / newest for row in rows if (held := row.actual.at(level))]
    return min(ratios), max(ratios)


def _in_words(rows: Sequence[Measurement]) -> str:
    newest = rows[0]
    day = datetime.fromtimestamp(newest.when, UTC).astimezone().strftime("%Y-%m-%d")
    times = "once" if len(rows) == 1 else f"{len(rows)} times, last"
    by = "a probe of two steps" if newest.source is Source.PROBE else "a whole run"
    return (
        f"Measured {times} on {day} on this device by {by}, "
        f"the longest row having {newest.tokens:,} tokens."
    )


def _is_whole(peaks: Peaks) -> bool:
    return all(peaks.at(level) is not None for level in Level)
