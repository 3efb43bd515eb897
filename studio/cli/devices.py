"""Which device a command is asked about, and what is worth knowing of that choice."""

from collections.abc import Iterator
from dataclasses import replace

from studio.cli import terminal
from studio.domain.cards import CardFacts, CardKind
from studio.domain.finding import Finding, Severity
from studio.domain.hardware import GIB, MachineReading, TrainingDevice, amount, gib
from studio.services.cards import device_named, known_cards, size_named
from studio.system.machine import read_machine_once


def asked_device(name: str) -> tuple[TrainingDevice, tuple[Finding, ...]]:
    """The device that --gpu or --vram means, and what to say of it.

    Args:
        name: As `device_named` takes it.

    Raises:
        StudioError: No card is meant by it, or several are.
    """
    machine = read_machine_once()
    device = device_named(name, machine)
    size = size_named(name)
    if size is not None:
        return device, (_taken_as_free(size),)
    return device, () if name.strip() else tuple(_instead_of_card(machine))


def asked_device_aloud(name: str) -> TrainingDevice:
    """The same device, with what there is to say of it said aside.

    Raises:
        StudioError: No card is meant by the name, or several are.
    """
    device, remarks = asked_device(name)
    for remark in remarks:
        terminal.say_finding(remark)
    return device


def own_device() -> tuple[TrainingDevice, tuple[Finding, ...]]:
    """The device that a run would use, and what to say of it."""
    return asked_device("")


def _instead_of_card(machine: MachineReading) -> Iterator[Finding]:
    """Why it is the processor although a card may be here."""
    trouble = machine.gpu_finding
    if trouble is not None and trouble.severity is Severity.ERROR:
        meant = "So the processor and main memory are meant here, not the card."
        why = " ".join(part for part in (meant, trouble.why) if part)
        yield replace(trouble, severity=Severity.WARNING, why=why)


def _taken_as_free(size: int) -> Finding:
    sold = _sold_with(size)
    return Finding(
        code="card.size-alone",
        severity=Severity.INFO,
        what=f"All of the {amount(size)} is taken as free memory, "
        "for no card is named.",
        why=""
        if sold is None
        else f"An idle {sold.name}, sold with as much, leaves programs "
        f"about {gib(sold.usable_bytes)}.",
        how_to_fix="" if sold is None else f"--gpu “{sold.name}” counts so.",
    )


def _sold_with(size: int) -> CardFacts | None:
    """The last in the list that is sold with a memory; one for a desk if there is."""
    found = [each for each in known_cards() if each.memory_gib * GIB == size]
    at_desk = [each for each in found if each.kind is CardKind.CONSUMER]
    return (at_desk or found)[-1] if found else None
