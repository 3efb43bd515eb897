"""``snugtune hardware``: the machine in words."""

from collections.abc import Iterator

from studio.cli import terminal
from studio.domain import card_words
from studio.domain.hardware import GpuReading, GpuSlice, MachineReading, gib
from studio.services.known_programs import program_of

_NAME_WIDTH = 12


def say_machine(reading: MachineReading) -> None:
    """Print what a machine has and what is free of it."""
    if reading.gpu_finding is not None:
        terminal.say_finding(reading.gpu_finding)
    for remark in reading.gpu_remarks:
        terminal.say_finding(remark)
    if reading.driver_version:
        cuda = f", CUDA {reading.cuda_version}" if reading.cuda_version else ""
        _say("Driver", f"{reading.driver_version}{cuda}")
    for gpu in reading.gpus:
        _say(f"Card {gpu.index}", card_words.title(gpu))
        for name, value in _rows(gpu):
            if value:
                _say(f"  {name}", value)
    _say("Processor", f"{reading.processor}, {reading.processor_cores} cores")
    free, total = reading.ram_available_bytes, reading.ram_total_bytes
    _say("Main memory", f"{gib(free)} free of {gib(total)}")
    _say("Disk", f"{gib(reading.disk_free_bytes)} free")


def _rows(gpu: GpuReading) -> Iterator[tuple[str, str]]:
    yield "Runs", "" if not gpu.is_hidden else "hidden by CUDA_VISIBLE_DEVICES"
    yield "Memory", _free_of(gpu)
    for part in gpu.slices:
        yield "Slice", f"{part.name}: {_free_of(part)}"
    for process in gpu.processes:
        held = process.used_bytes
        amount = "not reported" if held is None else gib(held)
        kind = program_of(process)
        advice = kind.advice_words(held)
        yield (
            "Held by",
            f"{process.name or '?'} ({process.pid}), {kind.what.lower()}: {amount}"
            + (f". {advice}." if advice else ""),
        )
    yield "Load", card_words.load(gpu)
    yield "Heat", _heat(gpu)
    yield "Power", card_words.power(gpu)
    yield "Clock", card_words.clock(gpu)
    yield "Mem. clock", card_words.memory_clock(gpu)
    yield "Held back", card_words.throttling(gpu)
    yield "Fan", card_words.fan(gpu)
    yield "Link", card_words.link(gpu)
    yield "Display", card_words.display(gpu)
    yield "ECC", card_words.correction(gpu)
    for names, reason in card_words.not_told(gpu):
        yield "Not told", f"{names}: {reason}"


def _heat(gpu: GpuReading) -> str:
    if gpu.temperature_c is None:
        return ""
    slows = "" if gpu.slowdown_c is None else f", slows at {gpu.slowdown_c} °C"
    return f"{gpu.temperature_c} °C{slows}"


def _free_of(held: GpuReading | GpuSlice) -> str:
    if isinstance(held, GpuReading) and held.is_unified:
        return "the machine's main memory"
    if held.free_bytes is None or held.total_bytes is None:
        return ""
    return f"{gib(held.free_bytes)} free of {gib(held.total_bytes)}"


def _say(name: str, value: str) -> None:
    terminal.say(f"{name:<{_NAME_WIDTH}} {value}")
