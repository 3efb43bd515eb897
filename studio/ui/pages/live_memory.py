"""What the run under way holds of its device, told apart from other programs.

The driver and the system count our own engine among all programs; the live bars must
not call it somebody else's.
"""

from studio.domain.hardware import MachineReading
from studio.domain.run import MemoryPoint, RunSnapshot


def engine_pid(run: RunSnapshot | None) -> int | None:
    """The process of a run under way; None when nothing runs or it is not known."""
    if run is None or run.state.is_over or run.engine is None:
        return None
    return run.engine.pid


def held_by_run(run: RunSnapshot | None, reading: MachineReading) -> int | None:
    """Bytes of the reading's device that the run under way holds.

    The run's own last word counts, as on the Run page; before it, while weights are
    being loaded, what the driver tells of its process.

    Returns:
        None when nothing runs, or nothing was measured of it yet.
    """
    if run is None or run.state.is_over:
        return None
    device = reading.device()
    held = None
    if run.memory:
        held = _of(run.memory[-1], device.kind)
    elif device.kind == "cuda":
        held = _told_by_driver(engine_pid(run), reading)
    # The two were read at different moments, and a process shares pages with others.
    return None if held is None else min(held, device.used_bytes)


def _of(point: MemoryPoint, kind: str) -> int | None:
    if kind == "cuda":
        return point.reserved_bytes
    return point.process_bytes if point.reserved_bytes is None else None


def _told_by_driver(pid: int | None, reading: MachineReading) -> int | None:
    programs = (program for card in reading.gpus for program in card.processes)
    return next((p.used_bytes for p in programs if p.pid == pid), None)
