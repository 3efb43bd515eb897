"""The programs that hold most of main memory, for machines that train there."""

import heapq
from collections.abc import Sequence

import psutil

from studio.domain.hardware import GpuProcess

MOST = 12


def largest_programs(most: int = MOST) -> Sequence[GpuProcess]:
    """The programs with the most resident main memory, largest first.

    A program that ends meanwhile, or that the system hides, is left out. Takes some
    tens of milliseconds, so not for the window's own thread.

    Args:
        most: How many to name.
    """
    found = []
    for process in psutil.process_iter(["pid", "name", "memory_info"]):
        memory = process.info["memory_info"]
        if memory is not None and memory.rss:
            name = process.info["name"] or ""
            found.append(GpuProcess(process.info["pid"], name, memory.rss))
    return heapq.nlargest(most, found, key=_held)


def _held(program: GpuProcess) -> int:
    return program.used_bytes or 0
