"""What may end a long run from outside: sleep, an empty battery, a restart."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

# Debian and its children leave this file behind an update that wants a restart.
_REBOOT_MARK = Path("/run/reboot-required")
# Where Windows keeps the same, below HKEY_LOCAL_MACHINE.
_VERSION = r"SOFTWARE\Microsoft\Windows\CurrentVersion"
_REBOOT_KEYS = (
    rf"{_VERSION}\WindowsUpdate\Auto Update\RebootRequired",
    rf"{_VERSION}\Component Based Servicing\RebootPending",
)


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery that a machine runs on.

    Attributes:
        percent: Of it that is left, 0 to 100.
        seconds: Until it is empty; None where the system doesn't say.
    """

    percent: float
    seconds: float | None


def battery() -> Battery | None:
    """The battery that is being emptied; None on mains, or without one."""
    ask = getattr(psutil, "sensors_battery", None)  # not on every system
    try:
        told = ask() if ask is not None else None
    except (OSError, RuntimeError, psutil.Error):
        return None
    if told is None or told.power_plugged is not False:
        return None
    left = float(told.secsleft)
    return Battery(float(told.percent), left if left > 0 else None)


def reboot_is_pending() -> bool:
    """Whether the system has said that it wants a restart."""
    if sys.platform == "win32":
        return any(map(_is_key, _REBOOT_KEYS))
    return _REBOOT_MARK.exists()


@contextlib.contextmanager
def kept_awake() -> Iterator[bool]:
    """Keep the system from going to sleep by itself, while its screen may.

    Yields:
        Whether that was granted.
    """
    with contextlib.ExitStack() as held:
        granted = False
        try:
            from wakepy import keep

            granted = held.enter_context(keep.running(on_fail="pass")).active
        except Exception:  # noqa: BLE001 - whatever a desktop answers, the run goes on
            granted = False
        yield granted


def falls_asleep() -> bool:
    """Whether this system may go to sleep by itself: it is somebody's desktop."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("XDG_CURRENT_DESKTOP"))


def _is_key(path: str) -> bool:
    winreg: Any = importlib.import_module("winreg")  # Windows alone has it
    try:
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path).Close()
    except OSError:
        return False
    return True
