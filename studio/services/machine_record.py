"""What the recording of the machine tells of a run that is over.

The engine records one line a second beside the journal. Here it is summed up, and held
against the journal's steps once more: whether the run spilled into main memory.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.machine_summary import MachineSummary
from studio.domain.run import RunSnapshot
from studio.domain.spill import SPILLED, SpillWatch
from studio.protocol.machine_sample import MachineSample
from studio.storage.run_directory import RunDirectory

_LONGEST_S: Final = 10.0  # between two lines


def with_machine(snapshot: RunSnapshot, directory: RunDirectory) -> RunSnapshot:
    """The snapshot of a run that is over, with what its machine did meanwhile.

    A run that goes on, or without a recording that can be read, stays as it is.
    """
    if not snapshot.state.is_over or snapshot.machine is not None:
        return snapshot
    try:
        samples = list(directory.machine_samples())
    except StudioError:
        return snapshot
    if not samples:
        return snapshot
    told = {finding.code for finding in snapshot.findings}
    spill = None if SPILLED in told else spill_in(snapshot, samples)
    findings = snapshot.findings if spill is None else (*snapshot.findings, spill)
    return replace(snapshot, machine=summary_of(samples), findings=findings)


def summary_of(samples: Sequence[MachineSample]) -> MachineSummary:
    """Sum up a recording of at least one sample."""
    # Lines come less often after an hour, so each counts for the time since the last.
    weights = list(_seconds_of(samples))
    pairs = list(zip(samples, weights, strict=True))
    loads = [(s.utilization, w) for s, w in pairs if s.utilization is not None]
    busy = sum(weight for _, weight in loads)
    causes: Counter[str] = Counter()
    for sample, weight in pairs:
        causes.update(dict.fromkeys(sample.throttle, weight))
    troubles = [sample.trouble for sample in samples if sample.trouble]
    return MachineSummary(
        hottest_c=max(
            (s.temperature_c for s in samples if s.temperature_c is not None),
            default=None,
        ),
        most_power_w=max(
            (s.power_w for s in samples if s.power_w is not None), default=None
        ),
        most_others_bytes=max(_others(samples), default=None),
        load=sum(load * weight for load, weight in loads) / busy if busy else None,
        held_back=MappingProxyType(
            {why: part / sum(weights) for why, part in causes.most_common()}
        ),
        trouble=troubles[-1] if troubles else "",
    )


def spill_in(snapshot: RunSnapshot, samples: Sequence[MachineSample]) -> Finding | None:
    """Whether steps became slow while the card was full, on a driver that spills."""
    platform = next((sample.platform for sample in samples if sample.platform), "")
    watch, began = SpillWatch(platform), snapshot.training_at or snapshot.started_at
    if not platform or began is None:
        return None
    at, before = 0, 0.0
    for step in snapshot.steps:
        ended = began + step.seconds
        while at + 1 < len(samples) and samples[at + 1].at.timestamp() <= ended:
            at += 1
        sample = samples[at]
        used = sample.total_bytes - sample.free_bytes
        found = watch.take(step.seconds - before, used, sample.total_bytes)
        if found is not None:
            return found
        before = step.seconds
    return None


def _others(samples: Sequence[MachineSample]) -> Iterator[int]:
    for sample in samples:
        if sample.run_bytes is not None:
            held = sample.total_bytes - sample.free_bytes - sample.run_bytes
            yield max(0, held)


def _seconds_of(samples: Sequence[MachineSample]) -> Iterator[float]:
    yield 1.0
    for before, sample in pairwise(samples):
        # A run that went on after a pause has a gap, which nobody watched.
        since = (sample.at - before.at).total_seconds()
        yield min(max(since, 0.0), _LONGEST_S)
