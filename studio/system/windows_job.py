"""Ties what a process starts to its own life, on Windows.

There a child outlives its parent, and nothing like a process group can be ended as a
whole. A job object can: this one ends its processes when its last handle is closed, and
the only handle is the process's own, which the system closes whichever way it ends.
"""

import ctypes
import sys

# winnt.h: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JobObjectExtendedLimitInformation.
KILL_ON_CLOSE = 0x2000
EXTENDED_LIMITS = 9


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("Basic", BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def tie_children(library: ctypes.CDLL | None = None) -> bool:
    """Let the system end whatever this process starts from now on when it ends.

    Args:
        library: kernel32; the system's own when left out.

    Returns:
        Whether that was done; False off Windows and where the system refuses.
    """
    library = library or _kernel32()
    if library is None:
        return False
    job = library.CreateJobObjectW(None, None)
    if not job:
        return False
    # The handle is never closed: the system does so at this process's end.
    if _limited(library, job) and _joined(library, job):
        return True
    library.CloseHandle(job)
    return False


def _limited(library: ctypes.CDLL, job: int) -> bool:
    limits = ExtendedLimits()
    limits.Basic.LimitFlags = KILL_ON_CLOSE
    told, size = ctypes.byref(limits), ctypes.sizeof(limits)
    return bool(library.SetInformationJobObject(job, EXTENDED_LIMITS, told, size))


def _joined(library: ctypes.CDLL, job: int) -> bool:
    return bool(library.AssignProcessToJobObject(job, library.GetCurrentProcess()))


def _kernel32() -> ctypes.CDLL | None:
    if sys.platform != "win32":
        return None
    else:  # noqa: RET505 - mypy reads no further behind a system's own return
        library = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = ctypes.c_void_p
        library.CreateJobObjectW.restype = handle
        library.CreateJobObjectW.argtypes = (handle, ctypes.c_wchar_p)
        limits = (handle, ctypes.c_int, handle, ctypes.c_uint32)
        library.SetInformationJobObject.argtypes = limits
        library.GetCurrentProcess.restype = handle
        library.AssignProcessToJobObject.argtypes = (handle, handle)
        library.CloseHandle.argtypes = (handle,)
        return library
