"""The Hardware page's words and figures, made from one reading of the machine.

Whatever the platform doesn't report reads "not reported" with the reason; nothing is
shown as zero because it is unknown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain import card_words
from studio.domain.finding import Finding
from studio.domain.hardware import GIB, MIB, GpuProcess, GpuReading, MachineReading
from studio.domain.programs import Advice, ProgramKind
from studio.domain.run import RunSnapshot
from studio.services.known_programs import program_of
from studio.ui.icon_names import IconName
from studio.ui.pages.bar_states import measured_bar
from studio.ui.pages.live_memory import engine_pid, held_by_run
from studio.ui.text import count, gib, percent
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

NOT_REPORTED: Final = "not reported"
NO_CARD: Final = "gpu.none"
NOT_MEASURED: Final = "not measured yet"
NOT_LISTED: Final = "Not listed yet."
THIS_RUN: Final = ProgramKind("This training run")
LITTLE_MEMORY: Final = 2 * GIB
LITTLE_DISK: Final = 5 * GIB
"""Below these, a run of even the smallest model may fail."""


@dataclass(frozen=True, slots=True)
class HealthRow:
    """A fact of the machine's health: its name, its value, and a mark or a reason."""

    name: str
    value: str
    mark: Mark | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """A program that holds memory.

    Attributes:
        name: Of its executable.
        pid: Its process.
        what: What it is.
        held: MiB.
        share: Of what the largest one holds.
        advice: What its user could do about it; empty where nothing is known.
        frees: Whether that gives memory back.
        is_run: Whether it is the engine of the run under way.
    """

    name: str
    pid: int
    what: str
    held: str
    share: float
    advice: str = ""
    frees: bool = False
    is_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareView:
    """All that the page shows of one reading.

    Attributes:
        facts: The line below the title; where cards can be chosen, the choice has
            the name.
        whole_facts: The same with the name, for a report.
        answer: How much is free, the page's first words.
        beside: What the rest is.
        bar: The memory, measured.
        mark: Whether training can begin here.
        findings: Why there is no card, what is wrong with its driver, and what else
            is worth knowing.
        programs: Who holds memory, largest first.
        programs_note: What they hold in all.
        programs_missing: Why nobody is listed.
        health: Rows of facts.
    """

    facts: str
    whole_facts: str
    answer: str
    beside: str
    bar: MemoryBarState
    mark: Mark
    findings: tuple[Finding, ...]
    programs: tuple[ProgramRow, ...]
    programs_note: str
    programs_missing: str
    health: tuple[HealthRow, ...]


def hardware_view(
    reading: MachineReading,
    programs: Sequence[GpuProcess] = (),
    run: RunSnapshot | None = None,
    looked_at: str = "",
) -> HardwareView:
    """Put a reading into words.

    Args:
        reading: The machine now.
        programs: The largest programs in main memory, for a machine without a card.
        run: The run that this window shows or leads, whether under way or over.
        looked_at: The UUID of the card to show; empty for the one that runs use.
    """
    used = reading.card_in_use()
    reading = reading.looked_at(looked_at)
    device, card = reading.device(), reading.card_in_use()
    if used is None or card is None or card.index != used.index:
        run = run if card is None else None  # it holds nothing of another card
    holders = programs if card is None else card.processes
    pid = engine_pid(run)
    rows = tuple(_program_rows(holders, pid))
    bar = measured_bar(device, held_by_run(run, reading))
    return HardwareView(
        facts=_facts(reading, card, used, named=not choices(reading)),
        whole_facts=_facts(reading, card, used, named=True),
        answer=f"{gib(device.free_bytes)} GiB free",
        beside=_beside(bar, card, pid),
        bar=bar,
        mark=_ready_mark(card, used),
        findings=_findings(reading),
        programs=rows,
        programs_note=_programs_note(holders, card),
        programs_missing="" if rows else _programs_missing(card),
        health=tuple(_health(reading, card)),
    )


def choices(reading: MachineReading) -> tuple[tuple[str, str], ...]:
    """(UUID, name) of each card that can be looked at; none where there is one."""
    cards = [gpu for gpu in reading.gpus if gpu.can_be_shown()]
    if len(cards) <= 1:
        return ()
    return tuple(
        (gpu.uuid, f"Card {gpu.index}: {gpu.name.removeprefix('NVIDIA ')}")
        for gpu in cards
    )


def report(view: HardwareView) -> str:
    """The reading as plain text, to be pasted where somebody asks for it."""
    lines = [view.whole_facts, f"Memory: {view.answer} {view.beside}"]
    lines += [
        f"{row.name}: {row.value}{f' ({row.reason})' if row.reason else ''}"
        for row in view.health
    ]
    lines += [
        f"Program {row.name} {row.pid} ({row.what}): {row.held}"
        for row in view.programs
    ]
    lines += [finding.sentence() for finding in view.findings]
    return "\n".join(lines) + "\n"


def _findings(reading: MachineReading) -> tuple[Finding, ...]:
    first = () if reading.gpu_finding is None else (reading.gpu_finding,)
    return *first, *reading.gpu_remarks


def _facts(
    reading: MachineReading,
    card: GpuReading | None,
    used: GpuReading | None,
    *,
    named: bool,
) -> str:
    cores = count(reading.processor_cores, "core")
    if card is None:
        return f"{reading.processor or 'Processor'} · {cores} · {_why_no_card(reading)}"
    parts = [card_words.title(card) if named else card_words.kind(card)]
    if len(reading.gpus) > 1:
        if named:
            parts[0] = f"Card {card.index}, {parts[0]}"
        is_used = used is not None and used.index == card.index
        parts.append(f"{len(reading.gpus)} cards{', runs use this' if is_used else ''}")
    if reading.driver_version:
        parts.append(f"driver {reading.driver_version}")
    if reading.cuda_version:
        parts.append(f"CUDA {reading.cuda_version}")
    return " · ".join(part for part in parts if part)


def _why_no_card(reading: MachineReading) -> str:
    trouble = reading.gpu_finding
    is_missing = trouble is None or trouble.code == NO_CARD
    return "no NVIDIA card" if is_missing else "no NVIDIA card that can be used"


def _beside(bar: MemoryBarState, card: GpuReading | None, pid: int | None) -> str:
    """Who holds the rest, in the bar's own figures."""
    of = f"of {bar.total_figure()}" + (" main memory" if card is None else "")
    others, held = _others(card, pid), bar.figure(Segment.OTHER)
    if bar.held(Segment.ACTIVATIONS):
        own = bar.figure(Segment.ACTIVATIONS)
        return f"{of}. This run holds {own}, {others} {held} GiB."
    return f"{of}. {others[0].upper()}{others[1:]} hold {held} GiB."


def _others(card: GpuReading | None, pid: int | None) -> str:
    if card is None:
        return "other programs and the system"
    number = sum(program.pid != pid for program in card.processes)
    programs = count(number, "other program") if number else "other programs"
    return f"{programs} and the driver"


def _ready_mark(card: GpuReading | None, used: GpuReading | None) -> Mark:
    if card is None:
        return Mark(IconName.INFO, "Small models, on the processor", Tone.MUTED)
    if used is None:
        return Mark(IconName.INFO, "Hidden from runs", Tone.MUTED)
    if used.index != card.index:
        return Mark(IconName.INFO, f"Runs use card {used.index}", Tone.MUTED)
    return Mark(IconName.CHECK_CIRCLE, "Ready to train", Tone.SUCCESS)


def _program_rows(
    programs: Sequence[GpuProcess], pid: int | None
) -> Iterator[ProgramRow]:
    most = max((p.used_bytes or 0 for p in programs), default=0)
    for program in programs:
        held = program.used_bytes
        kind = THIS_RUN if program.pid == pid else program_of(program)
        yield ProgramRow(
            name=program.name or "hidden by the system",
            pid=program.pid,
            what=kind.what,
            held=NOT_REPORTED if held is None else f"{held / MIB:,.0f}",
            share=(held or 0) / most if most else 0.0,
            advice=kind.advice_words(held),
            frees=kind.advice in {Advice.CLOSE, Advice.STOP},
            is_run=kind is THIS_RUN,
        )


def _programs_note(programs: Sequence[GpuProcess], card: GpuReading | None) -> str:
    known = [p.used_bytes for p in programs if p.used_bytes is not None]
    if not known:
        return ""
    whose = "the largest programs" if card is None else "in all"
    return f"{sum(known) / MIB:,.0f} MiB, {whose}"


def _programs_missing(card: GpuReading | None) -> str:
    if card is None:
        return NOT_LISTED
    return card.missing.get("processes", "No program holds memory of this card.")


def _health(reading: MachineReading, card: GpuReading | None) -> Iterator[HealthRow]:
    if card is None:
        yield from _processor_health(reading)
    else:
        yield _throttling(card)
        yield _temperature(card)
        yield _told("Power", card_words.power(card), card, "power_w")
        yield _told("Load", card_words.load(card), card, "utilization")
    free = f"{reading.ram_available_bytes / GIB:.1f}"
    total = f"{reading.ram_total_bytes / GIB:.1f}"
    low = reading.ram_available_bytes < LITTLE_MEMORY
    yield HealthRow("Main memory", f"{free} of {total} GiB free", _enough(low=low))
    disk = reading.disk_free_bytes
    yield HealthRow(
        "Disk", f"{disk / GIB:,.0f} GiB free", _enough(low=disk < LITTLE_DISK)
    )
    if card is not None:
        yield from _details(card)


def _processor_health(reading: MachineReading) -> Iterator[HealthRow]:
    load = reading.processor_load
    words = NOT_MEASURED if load is None else f"{percent(load)} of all cores"
    yield HealthRow("Load", words)
    for graphics in reading.other_graphics:
        yield HealthRow("Graphics", graphics, reason="can't train here")
    yield HealthRow("Temperature", NOT_REPORTED, reason="no card to ask")
    yield HealthRow("Power", NOT_REPORTED, reason="no card to ask")


def _details(card: GpuReading) -> Iterator[HealthRow]:
    """What seldom decides anything, below what does."""
    yield _told("Clock", card_words.clock(card), card, "sm_clock_mhz")
    words = card_words.memory_clock(card)
    yield _told("Memory clock", words, card, "memory_clock_mhz")
    yield _told("Fan", card_words.fan(card), card, "fan")
    yield _told("Link", card_words.link(card), card, "pcie")
    yield _told("Display", card_words.display(card), card, "is_display_attached")
    yield _told("ECC", card_words.correction(card), card, "ecc")
    for place, part in enumerate(card.slices, start=1):
        free = "" if part.free_bytes is None else gib(part.free_bytes)
        total = "" if part.total_bytes is None else gib(part.total_bytes)
        words = f"{free} of {total} GiB free" if free and total else NOT_REPORTED
        yield HealthRow(f"Slice {place}", words, reason=part.name)


def _throttling(card: GpuReading) -> HealthRow:
    reasons = card.throttle_reasons
    if reasons is None:
        return _not_reported("Throttling", card, "throttle_reasons")
    if not reasons:
        mark = Mark(IconName.CHECK_CIRCLE, "Full speed", Tone.SUCCESS)
        return HealthRow("Throttling", "None", mark)
    words = card_words.throttling(card)
    mark = Mark(IconName.WARNING, "Held back", Tone.WARNING)
    return HealthRow("Throttling", f"{words[0].upper()}{words[1:]}", mark)


def _told(name: str, words: str, card: GpuReading, field: str) -> HealthRow:
    return HealthRow(name, words) if words else _not_reported(name, card, field)


def _temperature(card: GpuReading) -> HealthRow:
    if card.temperature_c is None:
        return _not_reported("Temperature", card, "temperature_c")
    mark = None
    if card.slowdown_c is not None:
        mark = Mark(
            IconName.CHECK_CIRCLE, f"Slows at {card.slowdown_c} °C", Tone.SUCCESS
        )
        if card.temperature_c >= card.slowdown_c:
            mark = Mark(IconName.WARNING, "Slowing down", Tone.WARNING)
    return HealthRow("Temperature", f"{card.temperature_c} °C", mark)


def _not_reported(name: str, card: GpuReading, field: str) -> HealthRow:
    return HealthRow(name, NOT_REPORTED, reason=card.missing.get(field, ""))


def _enough(*, low: bool) -> Mark:
    if low:
        return Mark(IconName.WARNING, "Little left", Tone.WARNING)
    return Mark(IconName.CHECK_CIRCLE, "Enough", Tone.SUCCESS)


@dataclass(frozen=True, slots=True)
class Point:
    """One reading for the histories; None where nothing is reported.

    Attributes:
        seconds: When, by the readings' own clock.
        other_gib, run_gib, free_gib: The device's memory.
        load: Share of the last second with work, 0 to 100.
        temperature_c: Of the card.
        power_w: Of the card.
    """

    seconds: float
    other_gib: float
    run_gib: float
    free_gib: float
    load: float | None
    temperature_c: float | None
    power_w: float | None

    def memory_words(self) -> str:
        """Who holds what, next to the chart's name; the bar tells it exactly."""
        own = f"this run {self.run_gib:.1f}, " if self.run_gib else ""
        return f"{own}others {self.other_gib:.1f} GiB"


def point_of(reading: MachineReading, run_bytes: int | None = None) -> Point:
    """A reading as a point of the histories.

    Args:
        reading: The machine.
        run_bytes: What the run under way held of the device; None without one.
    """
    card, device = reading.card_in_use(), reading.device()
    load = reading.processor_load if card is None else card.utilization
    return Point(
        seconds=reading.read_at,
        other_gib=(device.used_bytes - (run_bytes or 0)) / GIB,
        run_gib=(run_bytes or 0) / GIB,
        free_gib=device.free_bytes / GIB,
        load=None if load is None else load * 100,
        temperature_c=None if card is None else card.temperature_c,
        power_w=None if card is None else card.power_w,
    )
