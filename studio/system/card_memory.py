"""What one process holds of one card, as the driver sees it.

Where the driver doesn't tell processes apart, as in containers, under WSL and on
Windows, what the whole card holds beyond what it held before stands for it.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.system.nvml_library import NvmlLibrary, fault_name, load_library

_PREFIX = "GPU-"


@dataclass(slots=True)
class CardMemory:
    """Asks the driver for a card's memory; may be asked from any one thread.

    Attributes:
        uuid: Of the card, with or without the driver's ``GPU-`` before it.
        before: Used bytes of each card before this process used any, by UUID.
        tells_processes: Whether the driver told this process's own memory so far.
        counts_card: Whether the card's growth is told even where processes are told
            apart: memory that the driver moves between card and main memory, such as
            paged optimizer states, is counted to the card and to no process (2 GiB of
            it on an H100, driver 580: 2,048 MiB more on the card, none on the process).
    """

    uuid: str
    before: Mapping[str, int] = field(default_factory=dict)
    library: NvmlLibrary = field(default_factory=load_library)
    tells_processes: bool = False
    counts_card: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Start the driver's library; where there is none, nothing is told."""
        with contextlib.suppress(self.library.NVMLError):
            self.library.nvmlInit()

    def read(self) -> int | None:
        """Bytes of this process on the card now; None where nothing tells them."""
        library = self.library
        name = bare(self.uuid)
        try:
            handle = library.nvmlDeviceGetHandleByUUID(_PREFIX + name)
            own = _own(_running(library, handle))
            used = getattr(library.nvmlDeviceGetMemoryInfo(handle), "used", None)
        except library.NVMLError:
            return None
        if own is not None and not self.counts_card:
            self.tells_processes = True
            return own
        if self.tells_processes or not isinstance(used, int) or name not in self.before:
            return None  # figures of two kinds would not be one series
        return max(0, used - self.before[name])


def used_by_card(library: NvmlLibrary | None = None) -> Mapping[str, int]:
    """Used bytes of every card now, by bare UUID; empty without a driver."""
    library = library or load_library()
    found: dict[str, int] = {}
    try:
        library.nvmlInit()
        count = library.nvmlDeviceGetCount()
        for index in range(count if isinstance(count, int) else 0):
            handle = library.nvmlDeviceGetHandleByIndex(index)
            used = getattr(library.nvmlDeviceGetMemoryInfo(handle), "used", None)
            uuid = library.nvmlDeviceGetUUID(handle)
            name = uuid.decode() if isinstance(uuid, bytes) else str(uuid)
            if isinstance(used, int):
                found[bare(name)] = used
    except library.NVMLError:
        return found
    return found


def bare(uuid: str) -> str:
    """A UUID as torch writes it: without the driver's prefix."""
    return uuid.removeprefix(_PREFIX)


def _running(library: NvmlLibrary, handle: object) -> object:
    """The computing processes; drivers before 510 know the second version only."""
    try:
        return library.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except library.NVMLError as fault:
        if fault_name(fault) != "FunctionNotFound":
            raise
        return library.nvmlDeviceGetComputeRunningProcesses_v2(handle)


def _own(processes: object) -> int | None:
    for told in processes if isinstance(processes, list) else ():
        used = getattr(told, "usedGpuMemory", None)
        if getattr(told, "pid", None) == os.getpid() and isinstance(used, int):
            return used
    return None
