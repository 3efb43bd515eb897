"""Looks at the machine: `probe()` returns facts and changes nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from facts import Display, Facts
from nvidia import read_nvidia
from qt_libraries import missing_libraries

_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
_MAKERS = {"0x1002": "AMD", "0x8086": "Intel"}
_NVIDIA = "0x10de"
_GRAPHICS_CLASSES = ("0x03", "0x12")  # display controllers, processing accelerators
_BUS = Path("/sys/bus/pci/devices")


def probe(target: Path) -> Facts:
    """Return the facts of this machine.

    Args:
        target: Where the environment will lie; its disk is measured.
    """
    system = platform.system()
    libc, libc_version = _libc() if system == "Linux" else ("", "")
    on_bus = _graphics_on_bus(_BUS)
    return Facts(
        system=system,
        machine=_MACHINES.get(platform.machine().lower(), platform.machine().lower()),
        python=platform.python_version(),
        distribution=_distribution() if system == "Linux" else (),
        libc=libc,
        libc_version=libc_version,
        has_venv=importlib.util.find_spec("venv") is not None,
        has_ensurepip=importlib.util.find_spec("ensurepip") is not None,
        nvidia=read_nvidia(card_on_bus=_NVIDIA in dict(on_bus)),
        other_gpus=_other_graphics(system, on_bus),
        is_wsl="microsoft" in platform.release().lower(),
        is_jetson=Path("/etc/nv_tegra_release").exists(),
        free_disk_bytes=free_disk_bytes(target),
        missing_qt_libraries=missing_libraries() if system == "Linux" else (),
        display=_display(system),
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        has_apt=shutil.which("apt-get") is not None,
        has_xvfb=shutil.which("Xvfb") is not None,
    )


def free_disk_bytes(target: Path) -> int | None:
    """Return the bytes free on the disk of a path that may not exist yet."""
    for folder in [target, *target.absolute().parents]:
        if folder.is_dir():
            try:
                return shutil.disk_usage(folder).free
            except OSError:
                return None
    return None


def _libc() -> tuple[str, str]:
    name, version = platform.libc_ver()
    if name == "glibc":
        return name, version
    loaders = [*Path("/lib").glob("ld-musl-*"), *Path("/usr/lib").glob("ld-musl-*")]
    return ("musl", "") if loaders else (name, version)


def _distribution() -> tuple[str, ...]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ()
    return (release.get("ID", "linux"), *release.get("ID_LIKE", "").split())


def _display(system: str) -> Display:
    if system in {"Windows", "Darwin"}:
        return Display.NATIVE
    if os.environ.get("WAYLAND_DISPLAY"):
        return Display.WAYLAND
    return Display.X11 if os.environ.get("DISPLAY") else Display.NONE


def _graphics_on_bus(bus: Path) -> list[tuple[str, str]]:
    """Return vendor and device of each graphics card on Linux's PCI bus."""
    found: list[tuple[str, str]] = []
    for device in sorted(bus.glob("*")):
        try:
            kind, vendor, number = (
                (device / name).read_text(encoding="ascii").strip()
                for name in ("class", "vendor", "device")
            )
        except (OSError, UnicodeDecodeError):
            continue
        if kind.startswith(_GRAPHICS_CLASSES):
            found.append((vendor, number))
    return found


def _other_graphics(system: str, on_bus: list[tuple[str, str]]) -> tuple[str, ...]:
    if system == "Darwin":
        return _apple_graphics()
    if system == "Windows":
        return tuple(name for name in _windows_graphics() if "NVIDIA" not in name)
    return tuple(
        f"{_MAKERS[vendor]} graphics (device {number})"
        for vendor, number in on_bus
        if vendor in _MAKERS
    )


def _apple_graphics() -> tuple[str, ...]:
    answer = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    name = answer.stdout.strip()
    return (name,) if name.startswith("Apple") else ()


def _windows_graphics() -> list[str]:
    """Return the display adapters that Windows has a driver for."""
    names: list[str] = []
    if sys.platform == "win32":
        import winreg

        adapters = (
            r"SYSTEM\CurrentControlSet\Control\Class"
            r"\{4d36e968-e325-11ce-bfc1-08002be10318}"
        )
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, adapters) as folder:
            for index in range(winreg.QueryInfoKey(folder)[0]):
                try:
                    with winreg.OpenKey(folder, winreg.EnumKey(folder, index)) as key:
                        names.append(str(winreg.QueryValueEx(key, "DriverDesc")[0]))
                except OSError:
                    continue
    return names
