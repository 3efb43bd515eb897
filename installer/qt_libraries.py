"""The system libraries that Qt's wheels expect, and who packages them.

PySide6's wheels bring Qt but not these. Without them a window ends in an abort
that names one library at a time; here all missing ones are named at once, with
the line that installs them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from facts import Display, Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Need(StrEnum):
    """What of Qt doesn't load without a library."""

    CORE = "core"  # everything, also the terminal's commands
    DRAWING = "drawing"  # any window, also one in memory
    X11 = "x11"
    WAYLAND = "wayland"


@dataclass(frozen=True)
class QtLibrary:
    """One system library.

    Attributes:
        file: Its name for the loader.
        debian: Debian's and Ubuntu's package.
        fedora: Fedora's package.
        arch: Arch Linux's package.
        need: What doesn't load without it.
    """

    file: str
    debian: str
    fedora: str
    arch: str
    need: Need


# By need: file, and the packages of Debian, Fedora and Arch. Read off the wheels of
# PySide6 6.11 with ldd, on a Debian that has none of the libraries.
_TABLE = """
core:
  libglib-2.0.so.0        libglib2.0-0        glib2               glib2
  libgthread-2.0.so.0     libglib2.0-0        glib2               glib2
drawing:
  libEGL.so.1             libegl1             libglvnd-egl        libglvnd
  libGL.so.1              libgl1              libglvnd-glx        libglvnd
  libX11.so.6             libx11-6            libX11              libx11
  libbrotlidec.so.1       libbrotli1          libbrotli           brotli
  libdbus-1.so.3          libdbus-1-3         dbus-libs           dbus
  libfontconfig.so.1      libfontconfig1      fontconfig          fontconfig
  libfreetype.so.6        libfreetype6        freetype            freetype2
  libxkbcommon.so.0       libxkbcommon0       libxkbcommon        libxkbcommon
x11:
  libX11-xcb.so.1         libx11-xcb1         libX11-xcb          libx11
  libxcb-cursor.so.0      libxcb-cursor0      xcb-util-cursor     xcb-util-cursor
  libxcb-icccm.so.4       libxcb-icccm4       xcb-util-wm         xcb-util-wm
  libxcb-image.so.0       libxcb-image0       xcb-util-image      xcb-util-image
  libxcb-keysyms.so.1     libxcb-keysyms1     xcb-util-keysyms    xcb-util-keysyms
  libxcb-randr.so.0       libxcb-randr0       libxcb              libxcb
  libxcb-render.so.0      libxcb-render0      libxcb              libxcb
  libxcb-render-util.so.0 libxcb-render-util0 xcb-util-renderutil xcb-util-renderutil
  libxcb-shape.so.0       libxcb-shape0       libxcb              libxcb
  libxcb-shm.so.0         libxcb-shm0         libxcb              libxcb
  libxcb-sync.so.1        libxcb-sync1        libxcb              libxcb
  libxcb-util.so.1        libxcb-util1        xcb-util            xcb-util
  libxcb-xfixes.so.0      libxcb-xfixes0      libxcb              libxcb
  libxcb-xkb.so.1         libxcb-xkb1         libxcb              libxcb
  libxkbcommon-x11.so.0   libxkbcommon-x11-0  libxkbcommon-x11    libxkbcommon-x11
wayland:
  libwayland-client.so.0  libwayland-client0  libwayland-client   wayland
  libwayland-cursor.so.0  libwayland-cursor0  libwayland-cursor   wayland
"""


def _read_table() -> tuple[QtLibrary, ...]:
    libraries: list[QtLibrary] = []
    need = Need.CORE
    for line in _TABLE.strip().splitlines():
        if line.endswith(":"):
            need = Need(line.removesuffix(":"))
        else:
            file, debian, fedora, arch = line.split()
            libraries.append(QtLibrary(file, debian, fedora, arch, need))
    return tuple(libraries)


QT_LIBRARIES = _read_table()


def missing_libraries(
    load: Callable[[str], object] = ctypes.CDLL,
) -> tuple[str, ...]:
    """Return the files of QT_LIBRARIES that the loader doesn't find."""
    missing: list[str] = []
    for library in QT_LIBRARIES:
        try:
            load(library.file)
        except OSError:
            missing.append(library.file)
    return tuple(missing)


def debian_packages(files: Sequence[str]) -> list[str]:
    """Return the Debian packages that bring these libraries, each once."""
    packages = [library.debian for library in _libraries(files)]
    return list(dict.fromkeys(packages))


def install_line(facts: Facts) -> str:
    """Return the command that installs what is missing, for this distribution."""
    libraries = _libraries(facts.missing_qt_libraries)
    if facts.has_apt:
        command, packages = "apt-get install", [each.debian for each in libraries]
    elif {"fedora", "rhel"} & set(facts.distribution):
        command, packages = "dnf install", [each.fedora for each in libraries]
    elif "arch" in facts.distribution:
        command, packages = "pacman -S", [each.arch for each in libraries]
    else:
        files = ", ".join(facts.missing_qt_libraries)
        return f"Install the packages that bring {files}."
    prefix = "" if facts.is_root else "sudo "
    return f"{prefix}{command} {' '.join(dict.fromkeys(packages))}"


def stops_everything(facts: Facts) -> tuple[str, ...]:
    """Return the missing libraries without which no part of Qt loads."""
    return _missing(facts, {Need.CORE})


def stops_drawing(facts: Facts) -> tuple[str, ...]:
    """Return the missing libraries without which Qt can't even draw in memory."""
    return _missing(facts, {Need.CORE, Need.DRAWING})


def stops_a_window(facts: Facts) -> tuple[str, ...]:
    """Return the missing libraries without which this display shows no window."""
    needs = {Need.CORE, Need.DRAWING}
    if facts.display is Display.X11:
        needs.add(Need.X11)
    if facts.display is Display.WAYLAND:
        needs.add(Need.WAYLAND)
    return _missing(facts, needs)


def _missing(facts: Facts, needs: set[Need]) -> tuple[str, ...]:
    missing = _libraries(facts.missing_qt_libraries)
    return tuple(each.file for each in missing if each.need in needs)


def _libraries(files: Sequence[str]) -> list[QtLibrary]:
    return [library for library in QT_LIBRARIES if library.file in files]
