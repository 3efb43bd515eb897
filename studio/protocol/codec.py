"""Lines to messages and back; the only place where the wire's JSON is known."""

import msgspec

from studio.domain.finding import Finding, Severity
from studio.domain.memory.estimate import (
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.measurement import (
    Measurement,
    MemoryComparison,
    Peaks,
    Prediction,
    RanOut,
    Source,
    Subject,
)
from studio.domain.memory.timeline import PhaseMark, Timeline
from studio.protocol.commands import EngineCommand
from studio.protocol.event_parts import (
    MemoryPart,
    MemoryPeaks,
    MemoryRanOut,
    StepTimeline,
    Told,
)
from studio.protocol.events import EngineEvent, MemoryEstimated, MemoryMeasured


class WireError(ValueError):
    """A line that is no message of this protocol; says which part is not."""


_encoder = msgspec.json.Encoder()
_events: msgspec.json.Decoder[EngineEvent] = msgspec.json.Decoder(EngineEvent)
_commands: msgspec.json.Decoder[EngineCommand] = msgspec.json.Decoder(EngineCommand)


def encode(message: EngineEvent | EngineCommand) -> bytes:
    """One message as one line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_event(line: bytes) -> EngineEvent:
    """Read an engine's line.

    Raises:
        WireError: The line is torn, or of another protocol.
    """
    try:
        return _events.decode(line)
    except msgspec.DecodeError as fault:
        raise WireError(str(fault)) from fault


def decode_command(line: bytes) -> EngineCommand:
    """Read a window's line.

    Raises:
        WireError: The line is torn, or of another protocol.
    """
    try:
        return _commands.decode(line)
    except msgspec.DecodeError as fault:
        raise WireError(str(fault)) from fault


def told(finding: Finding) -> Told:
    """A finding in its wire form."""
    return Told(
        code=finding.code,
        severity=finding.severity.value,
        what=finding.what,
        why=finding.why,
        how_to_fix=finding.how_to_fix,
        where=finding.where,
    )


def heard(message: Told) -> Finding:
    """A finding from its wire form."""
    return Finding(
        code=message.code,
        severity=Severity(message.severity),
        what=message.what,
        why=message.why,
        how_to_fix=message.how_to_fix,
        where=message.where,
    )


def told_estimate(
    estimate: MemoryEstimate, recipe: int = 0, left: int = 0
) -> MemoryEstimated:
    """A prediction in its wire form; for the numbers see `MemoryEstimated`."""
    return MemoryEstimated(
        parts=[
            MemoryPart(
                name=part.name,
                group=part.group.value,
                bytes=part.bytes,
                phase=part.phase,
                level=part.level.value,
            )
            for part in estimate.components
        ],
        phase=estimate.phase,
        basis=estimate.basis.value,
        expected_error=estimate.expected_error,
        reserved_error=estimate.reserved_error,
        phase_peaks=dict(estimate.phase_peaks or {}),
        seconds=estimate.seconds,
        timeline=_told_timeline(estimate.timeline),
        recipe=recipe,
        left=left,
        runs_out=estimate.runs_out,
    )


def heard_estimate(message: MemoryEstimated) -> MemoryEstimate:
    """A prediction from its wire form."""
    return MemoryEstimate(
        components=tuple(
            Component(
                part.name, Group(part.group), part.bytes, part.phase, Level(part.level)
            )
            for part in message.parts
        ),
        phase=message.phase,
        basis=Basis(message.basis),
        expected_error=message.expected_error,
        reserved_error=message.reserved_error,
        runs_out=message.runs_out,
        phase_peaks=message.phase_peaks,
        seconds=message.seconds,
        timeline=_heard_timeline(message.timeline),
    )


def _told_timeline(timeline: Timeline | None) -> StepTimeline | None:
    if timeline is None:
        return None
    return StepTimeline(
        allocated=list(timeline.allocated),
        reserved=list(timeline.reserved),
        marks=[(mark.point, mark.phase) for mark in timeline.marks],
    )


def _heard_timeline(message: StepTimeline | None) -> Timeline | None:
    if message is None:
        return None
    return Timeline(
        tuple(message.allocated),
        tuple(message.reserved),
        tuple(PhaseMark(phase, point) for point, phase in message.marks),
    )


def told_measurement(row: Measurement, seconds: float) -> MemoryMeasured:
    """A measurement in its wire form, which leaves out what it holds for."""
    ran_out = row.ran_out
    return MemoryMeasured(
        source=row.source.value,
        tokens=row.tokens,
        actual=_told_peaks(row.actual),
        phases={phase: _told_peaks(peaks) for phase, peaks in row.phases.items()},
        phase=row.phase,
        predicted={
            basis: _told_peaks(said.peaks) for basis, said in row.predicted.items()
        },
        context_bytes=row.context_bytes,
        ran_out=MemoryRanOut(
            phase=ran_out.phase,
            asked_bytes=ran_out.asked_bytes,
            held_bytes=ran_out.held_bytes,
        )
        if ran_out
        else None,
        seconds=seconds,
    )


def heard_measurement(message: MemoryMeasured, subject: Subject) -> Measurement:
    """A measurement from its wire form.

    Args:
        message: What was said.
        subject: What it holds for, as the listener knows.
    """
    ran_out = message.ran_out
    return Measurement(
        subject=subject,
        source=Source(message.source),
        when=message.at.timestamp(),
        tokens=message.tokens,
        actual=heard_peaks(message.actual),
        phases={phase: heard_peaks(peaks) for phase, peaks in message.phases.items()},
        phase=message.phase,
        predicted={
            basis: Prediction(heard_peaks(peaks))
            for basis, peaks in message.predicted.items()
        },
        context_bytes=message.context_bytes,
        ran_out=RanOut(ran_out.phase, ran_out.asked_bytes, ran_out.held_bytes)
        if ran_out
        else None,
    )


def heard_comparison(message: MemoryMeasured) -> MemoryComparison | None:
    """What was taken beside the best prediction of it; None where there is none."""
    predicted = {
        basis: heard_peaks(peaks) for basis, peaks in message.predicted.items()
    }
    return MemoryComparison.best_of(
        heard_peaks(message.actual), predicted, message.tokens
    )


def heard_peaks(message: MemoryPeaks) -> Peaks:
    """Peaks from their wire form."""
    return Peaks(message.allocated, message.reserved, message.device)


def _told_peaks(peaks: Peaks) -> MemoryPeaks:
    return MemoryPeaks(
        allocated=peaks.allocated, reserved=peaks.reserved, device=peaks.device
    )
