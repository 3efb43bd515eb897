import ctypes
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from studio.system.windows_job import (
    EXTENDED_LIMITS,
    KILL_ON_CLOSE,
    ExtendedLimits,
    tie_children,
)

JOB, SELF = 24, -1
PARENT = """
import subprocess, sys
from studio.system.windows_job import tie_children
assert tie_children()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
sys.stdin.read()
"""


def kernel(job=JOB, limits=1, joins=1):
    """What a played kernel32 answers, and what it was asked."""
    asked = []

    def set_information(handle, kind, told, size):
        flags = told._obj.Basic.LimitFlags
        asked.append(("limits", handle, kind, flags, size))
        return limits

    library = SimpleNamespace(
        CreateJobObjectW=lambda *_: job,
        SetInformationJobObject=set_information,
        GetCurrentProcess=lambda: SELF,
        AssignProcessToJobObject=lambda *who: asked.append(("joined", *who)) or joins,
        CloseHandle=lambda handle: asked.append(("closed", handle)),
    )
    return library, asked


def test_that_a_process_joins_a_job_that_ends_with_it():
    library, asked = kernel()
    assert tie_children(library)
    size = ctypes.sizeof(ExtendedLimits)
    limited = ("limits", JOB, EXTENDED_LIMITS, KILL_ON_CLOSE, size)
    assert asked == [limited, ("joined", JOB, SELF)]


@pytest.mark.parametrize("refused", [{"limits": 0}, {"joins": 0}])
def test_that_a_job_without_effect_is_given_back(refused):
    library, asked = kernel(**refused)
    assert not tie_children(library)
    assert asked[-1] == ("closed", JOB)


def test_that_a_system_that_makes_no_job_is_left_alone():
    library, asked = kernel(job=None)
    assert not tie_children(library)
    assert not asked


@pytest.mark.skipif(sys.maxsize < 2**32, reason="sizes of a 64-bit system")
def test_that_the_limits_have_the_size_that_windows_expects():
    assert ctypes.sizeof(ExtendedLimits) == 144


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has jobs")
def test_that_nothing_is_tied_off_windows():
    assert not tie_children()


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has jobs")
def test_that_a_killed_process_takes_its_children_along():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    until = time.monotonic() + 10
    while child.is_running() and time.monotonic() < until:
        time.sleep(0.05)
    assert not child.is_running()
