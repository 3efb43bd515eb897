"""How much main memory this process held at most.

Linux keeps a high-water mark that can be set back (proc(5): VmHWM of status, and 5
written to clear_refs); Windows and macOS keep one for the whole life of a process.
"""

import os
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_STATM = Path("/proc/self/statm")
_CLEAR = Path("/proc/self/clear_refs")
_KIB = 1024


class _Kept:
    """What the system's own mark forgot when it was cleared between two readings."""

    highest = 0


def resident_bytes() -> int:
    """Resident now."""
    return int(psutil.Process().memory_info().rss)


def highest_resident_bytes() -> int:
    """The high-water mark since the start or since `set_back`."""
    return max(_Kept.highest, _mark())


def highest_since_last() -> int:
    """The high-water mark since this was last asked; without one, what is held now.

    `highest_resident_bytes` still tells the highest of all.
    """
    highest = _mark()
    if not _cleared():
        return resident_bytes()
    _Kept.highest = max(_Kept.highest, highest)
    return highest


def _mark() -> int:
    if _STATUS.exists():
        return _high_water_mark()
    if os.name == "nt":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def resident_file_bytes() -> int | None:
    """Pages of mapped files that are resident now; None off Linux.

    proc(5), statm: what is shared are pages of files and of shared memory. The system
    may drop them at any time and read them anew.
    """
    try:
        shared = _STATM.read_text(encoding="ascii").split()[2]
    except OSError:
        return None
    return int(shared) * os.sysconf("SC_PAGE_SIZE")


def set_back() -> bool:
    """Set the high-water mark back to what is resident now, if the system lets us."""
    if not _cleared():
        return False
    _Kept.highest = 0
    return True


def _cleared() -> bool:
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _high_water_mark() -> int:
    status = _STATUS.read_text(encoding="ascii", errors="replace")
    marks = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(marks[0].split()[1]) * _KIB if marks else resident_bytes()
