"""NVIDIA's binding as it is used here: the names that are called, and safe answers.

The binding has no types, so what it answers is checked before it is believed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol


class NvmlLibrary(Protocol):
    """The part of the module pynvml that is used; its calls raise its `NVMLError`."""

    NVMLError: type[Exception]
    nvmlMemory_v2: int  # noqa: N815 - NVML's own name
    NVML_TEMPERATURE_GPU: int
    NVML_TEMPERATURE_THRESHOLD_SLOWDOWN: int

    def __getattr__(self, name: str) -> Callable[..., object]:
        """A function of NVML; old drivers lack some of them at the call."""


def load_library() -> NvmlLibrary:
    """The driver's own binding, imported on first use."""
    import pynvml

    library: NvmlLibrary = pynvml
    return library


def fault_name(fault: Exception) -> str:
    """The name of NVML's error without its prefix, such as ``NotSupported``."""
    return type(fault).__name__.removeprefix("NVMLError_")


def number(answer: object) -> int | None:
    """A whole number, or None."""
    return answer if isinstance(answer, int) else None


def whole(answer: object) -> int:
    """A whole number, 0 when it is none."""
    return answer if isinstance(answer, int) else 0


def listed(answer: object) -> Iterable[object]:
    """The items of a list; none when it is no list."""
    return answer if isinstance(answer, Sequence) else ()


def flag(answer: object) -> bool | None:
    """NVML's 0 or 1; the first of (now, pending) where it tells both."""
    if isinstance(answer, list | tuple) and answer:
        answer = answer[0]
    return bool(answer) if isinstance(answer, int) else None


def share(percent: object) -> float | None:
    """A percentage as 0 to 1."""
    return percent / 100 if isinstance(percent, int) else None


def watts(milliwatts: object) -> float | None:
    """NVML counts milliwatts."""
    return milliwatts / 1000 if isinstance(milliwatts, int) else None


def text(answer: object) -> str:
    """A name; older bindings answer with bytes."""
    if isinstance(answer, bytes):
        return answer.decode("utf-8", "replace")
    return answer if isinstance(answer, str) else ""


def capability(answer: object) -> tuple[int, int] | None:
    """A compute capability as (major, minor)."""
    match answer:
        case (int(major), int(minor)):
            return major, minor
    return None


def cuda_version(answer: object) -> str:
    """Such as ``12.4``; NVML counts 1000 for a major and 10 for a minor version."""
    if not isinstance(answer, int):
        return ""
    return f"{answer // 1000}.{answer % 1000 // 10}"
