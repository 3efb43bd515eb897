"""What events are made of: their common base, and parts that are no events."""

from datetime import UTC, datetime

import msgspec


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="event",
    forbid_unknown_fields=True,
):
    """Anything that the engine reports; `at` is when it happened, UTC."""

    at: datetime = msgspec.field(default_factory=now)


class MemoryPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a peak; see `studio.domain.memory.estimate.Component`."""

    name: str
    group: str
    bytes: int
    phase: str
    level: int


class StepTimeline(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A step's memory; see `studio.domain.memory.timeline.Timeline`."""

    allocated: list[int]
    reserved: list[int]
    marks: list[tuple[int, str]]


class MemoryPeaks(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Highest memory; see `studio.domain.memory.measurement.Peaks`."""

    allocated: int | None
    reserved: int | None
    device: int | None


class MemoryRanOut(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """How memory ended; see `studio.domain.memory.measurement.RanOut`."""

    phase: str
    asked_bytes: int | None
    held_bytes: int | None


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding on the wire; see `studio.domain.finding.Finding`."""

    code: str
    severity: str
    what: str
    why: str = ""
    how_to_fix: str = ""
    where: str = ""


class ToldOfRows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding about many rows; see `studio.domain.data_report.DataFinding`."""

    code: str
    severity: str
    count: int
    rows: list[int]
    what: str
    why: str = ""
    fix: str = ""
    mends: bool = False
