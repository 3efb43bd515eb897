"""Versions of the libraries that decide what a run computes, without importing them."""

import platform
from importlib.metadata import PackageNotFoundError, version

from studio.system.allocator_setting import EXPANDABLE, expands_segments

LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "safetensors",
    "snugtune",
)


def versions() -> dict[str, str]:
    """Versions by name, Python's first; a library that is missing is left out."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        number = version_of(name)
        if number:
            found[name] = number
    return found


def deciding_an_estimate() -> dict[str, str]:
    """The same, and how torch's allocator is set where that isn't by default."""
    expands = {"allocator": EXPANDABLE} if expands_segments() else {}
    return versions() | expands


def version_of(name: str) -> str:
    """The version of an installed distribution; empty when it isn't installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
