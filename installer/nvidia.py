"""Asks the NVIDIA driver, in ways that survive a driver that doesn't answer.

A wedged driver blocks a call for good, so the library is asked in a child
process: `python nvidia.py` prints one JSON line. What the library can't tell,
/proc/driver/nvidia/version and nvidia-smi may.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console import SetUpError
from facts import DriverProblem, Gpu, Nvidia, nvidia_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIME_LIMIT_S = 10.0
KERNEL_VERSION_FILE = Path("/proc/driver/nvidia/version")

_MIB = 1024 * 1024
_SUCCESS = 0
_FUNCTION_NOT_FOUND = 13
_PROBLEMS = {  # nvmlReturn_t, from nvml.h
    4: DriverProblem.NO_PERMISSION,
    9: DriverProblem.NOT_LOADED,
    12: DriverProblem.NO_LIBRARY,
    18: DriverProblem.MISMATCH,
}
_SMI_FIELDS = "driver_version,name,compute_cap,memory.total,mig.mode.current"


class _Memory(ctypes.Structure):
    """The driver's nvmlMemory_t, in bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def read_nvidia(
    kernel_version_file: Path = KERNEL_VERSION_FILE,
    *,
    card_on_bus: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
) -> Nvidia:
    """Return what can be found out about NVIDIA cards on this machine.

    Args:
        kernel_version_file: Where the loaded driver tells its version.
        card_on_bus: Whether the bus shows a card of NVIDIA's.
        time_limit_s: How long the library and nvidia-smi may take, each.
    """
    found = _ask_in_a_child(time_limit_s)
    if found.gpus or found.problem is DriverProblem.MISMATCH:
        return found
    by_tool = _ask_nvidia_smi(time_limit_s)
    if by_tool is not None and by_tool.gpus:
        return by_tool
    driver = found.driver or kernel_driver_version(kernel_version_file)
    problem: DriverProblem | None = found.problem
    if by_tool is not None and problem in {None, DriverProblem.NO_LIBRARY}:
        problem = by_tool.problem
    if problem is DriverProblem.NO_LIBRARY and driver is None:
        problem = DriverProblem.NOT_INSTALLED if card_on_bus else None
    source = "proc" if driver and found.driver is None else found.source
    return dataclasses.replace(found, driver=driver, problem=problem, source=source)


def kernel_driver_version(version_file: Path) -> str | None:
    """Return the version of the loaded kernel driver, from its proc file."""
    try:
        text = version_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", text)
    return match.group(1) if match else None


def _ask_in_a_child(time_limit_s: float) -> Nvidia:
    answer = _answer([sys.executable, "-E", "-s", __file__], time_limit_s)
    if answer is None:
        return Nvidia(problem=DriverProblem.TIMED_OUT)
    try:
        return nvidia_from_json(json.loads(answer))
    except (json.JSONDecodeError, SetUpError):
        return Nvidia(problem=DriverProblem.UNREADABLE)


def _answer(command: Sequence[str], time_limit_s: float) -> str | None:
    """Return what a command printed, or None if it took longer than allowed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=time_limit_s)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        if process.stdout:
            process.stdout.close()
        # A process stuck inside the driver can't even be killed: don't wait long.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        return None


def _ask_nvidia_smi(time_limit_s: float) -> Nvidia | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits"]
    answer = _answer(query, time_limit_s)
    if answer is None:
        return Nvidia(problem=DriverProblem.TIMED_OUT, source="nvidia-smi")
    return parse_nvidia_smi(answer)


def parse_nvidia_smi(answer: str) -> Nvidia:
    """Read nvidia-smi's answer to a query of driver, name, capability, memory, MIG."""
    if "version mismatch" in answer.lower():
        return Nvidia(problem=DriverProblem.MISMATCH, source="nvidia-smi")
    gpus: list[Gpu] = []
    driver: str | None = None
    for row in csv.reader(answer.splitlines(), skipinitialspace=True):
        if len(row) != len(_SMI_FIELDS.split(",")) or not row[0][:1].isdigit():
            continue
        driver, name, capability, memory, mig = (cell.strip() for cell in row)
        pair = re.fullmatch(r"(\d+)\.(\d+)", capability)
        gpus.append(
            Gpu(
                name=name,
                capability=(int(pair[1]), int(pair[2])) if pair else None,
                memory_mib=int(memory) if memory.isdigit() else None,
                mig=mig == "Enabled",
            )
        )
    problem = None if gpus else DriverProblem.UNREADABLE
    return Nvidia(driver, None, tuple(gpus), problem, "nvidia-smi")


# What follows runs in the child: it may hang, and then it is ended from outside.


def _load_library() -> ctypes.CDLL | None:
    names = ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"]
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))
        programs = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
        names = [
            str(system / "System32" / "nvml.dll"),
            str(programs / "NVIDIA Corporation" / "NVSMI" / "nvml.dll"),
        ]
    for name in names:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    return None


def _call(library: ctypes.CDLL, name: str, *arguments: object) -> int:
    """Call a function of the library; one that an old driver lacks is an error."""
    try:
        function = library[name]
    except AttributeError:
        return _FUNCTION_NOT_FOUND
    return int(function(*arguments))


def _ask_library() -> Nvidia:
    library = _load_library()
    if library is None:
        return Nvidia(problem=DriverProblem.NO_LIBRARY)
    code = _call(library, "nvmlInit_v2")
    if code != _SUCCESS:
        problem = _PROBLEMS.get(code, DriverProblem.UNREADABLE)
        return Nvidia(problem=problem, source="nvml")
    driver = ctypes.create_string_buffer(80)
    _call(library, "nvmlSystemGetDriverVersion", driver, 80)
    cuda = ctypes.c_int(0)
    _call(library, "nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(cuda))
    return Nvidia(
        driver=driver.value.decode("utf-8", "replace") or None,
        cuda=f"{cuda.value // 1000}.{cuda.value % 1000 // 10}" if cuda.value else None,
        gpus=tuple(_gpus(library)),
        source="nvml",
    )


def _gpus(library: ctypes.CDLL) -> Iterator[Gpu]:
    count = ctypes.c_uint(0)
    _call(library, "nvmlDeviceGetCount_v2", ctypes.byref(count))
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if _call(library, "nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle)):
            continue
        gpu = _gpu(library, handle)
        slices = list(_slices(library, handle, gpu)) if gpu.mig else []
        yield from slices or [gpu]


def _gpu(library: ctypes.CDLL, handle: ctypes.c_void_p) -> Gpu:
    name = ctypes.create_string_buffer(96)
    _call(library, "nvmlDeviceGetName", handle, name, 96)
    major, minor = ctypes.c_int(0), ctypes.c_int(0)
    known = _call(
        library,
        "nvmlDeviceGetCudaComputeCapability",
        handle,
        ctypes.byref(major),
        ctypes.byref(minor),
    )
    current, pending = ctypes.c_uint(0), ctypes.c_uint(0)
    mig = _call(
        library,
        "nvmlDeviceGetMigMode",
        handle,
        ctypes.byref(current),
        ctypes.byref(pending),
    )
    return Gpu(
        name=name.value.decode("utf-8", "replace"),
        capability=(major.value, minor.value) if known == _SUCCESS else None,
        memory_mib=_memory_mib(library, handle),
        mig=mig == _SUCCESS and current.value == 1,
    )


def _memory_mib(library: ctypes.CDLL, handle: ctypes.c_void_p) -> int | None:
    """Return the memory, or None where it is shared with the processor."""
    memory = _Memory()
    if (
        _call(library, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        != _SUCCESS
    ):
        return None
    return int(memory.total) // _MIB or None


def _slices(
    library: ctypes.CDLL, handle: ctypes.c_void_p, parent: Gpu
) -> Iterator[Gpu]:
    count = ctypes.c_uint(0)
    _call(library, "nvmlDeviceGetMaxMigDeviceCount", handle, ctypes.byref(count))
    for index in range(count.value):
        part = ctypes.c_void_p()
        if _call(
            library,
            "nvmlDeviceGetMigDeviceHandleByIndex",
            handle,
            index,
            ctypes.byref(part),
        ):
            continue
        memory = _memory_mib(library, part)
        yield dataclasses.replace(parent, memory_mib=memory)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_ask_library())))
