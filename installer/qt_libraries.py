"""The system libraries that Qt's wheels expect, and who packages them.

PySide6's wheels bring Qt but not these. Without them a window ends in an abort
that names one library at a time; here all missing ones are named at once, with
the line that installs them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facts import Display, Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class QtLibrary:
    """One system library.

    Attributes:
        file: Its name for the loader.
        debian: Debian's and Ubuntu's package.
        fedora: Fedora's package.
        arch: Arch Linux's package.
        only_on: The kind of display it serves; None if Qt always needs it.
    """

    file: str
    debian: str
    fedora: str
    arch: str
    only_on: Display | None = None


_X11 = Display.X11
_WAYLAND = Display.WAYLAND

QT_LIBRARIES = (
    QtLibrary("libEGL.so.1", "libegl1", "libglvnd-egl", "libglvnd"),
    QtLibrary("libGL.so.1", "libgl1", "libglvnd-glx", "libglvnd"),
    QtLibrary("libfontconfig.so.1", "libfontconfig1", "fontconfig", "fontconfig"),
    QtLibrary("libfreetype.so.6", "libfreetype6", "freetype", "freetype2"),
    QtLibrary("libdbus-1.so.3", "libdbus-1-3", "dbus-libs", "dbus"),
    QtLibrary("libglib-2.0.so.0", "libglib2.0-0", "glib2", "glib2"),
    QtLibrary("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    QtLibrary(
        "libxkbcommon-x11.so.0",
        "libxkbcommon-x11-0",
        "libxkbcommon-x11",
        "libxkbcommon-x11",
        _X11,
    ),
    QtLibrary("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb", "libx11", _X11),
    QtLibrary(
        "libxcb-cursor.so.0",
        "libxcb-cursor0",
        "xcb-util-cursor",
        "xcb-util-cursor",
        _X11,
    ),
    QtLibrary("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", _X11),
    QtLibrary(
        "libxcb-image.so.0", "libxcb-image0", "xcb-util-image", "xcb-util-image", _X11
    ),
    QtLibrary(
        "libxcb-keysyms.so.1",
        "libxcb-keysyms1",
        "xcb-util-keysyms",
        "xcb-util-keysyms",
        _X11,
    ),
    QtLibrary("libxcb-randr.so.0", "libxcb-randr0", "libxcb", "libxcb", _X11),
    QtLibrary(
        "libxcb-render-util.so.0",
        "libxcb-render-util0",
        "xcb-util-renderutil",
        "xcb-util-renderutil",
        _X11,
    ),
    QtLibrary("libxcb-shape.so.0", "libxcb-shape0", "libxcb", "libxcb", _X11),
    QtLibrary("libxcb-shm.so.0", "libxcb-shm0", "libxcb", "libxcb", _X11),
    QtLibrary("libxcb-sync.so.1", "libxcb-sync1", "libxcb", "libxcb", _X11),
    QtLibrary("libxcb-util.so.1", "libxcb-util1", "xcb-util", "xcb-util", _X11),
    QtLibrary("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb", "libxcb", _X11),
    QtLibrary("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", "libxcb", _X11),
    QtLibrary(
        "libwayland-client.so.0",
        "libwayland-client0",
        "libwayland-client",
        "wayland",
        _WAYLAND,
    ),
    QtLibrary(
        "libwayland-cursor.so.0",
        "libwayland-cursor0",
        "libwayland-cursor",
        "wayland",
        _WAYLAND,
    ),
)


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


def stops_a_window(facts: Facts) -> tuple[str, ...]:
    """Return the missing libraries without which this display shows no window."""
    needed = {None, facts.display}
    missing = _libraries(facts.missing_qt_libraries)
    return tuple(each.file for each in missing if each.only_on in needed)


def stops_offscreen(facts: Facts) -> tuple[str, ...]:
    """Return the missing libraries without which Qt can't even draw in memory."""
    missing = _libraries(facts.missing_qt_libraries)
    return tuple(each.file for each in missing if each.only_on is None)


def _libraries(files: Sequence[str]) -> list[QtLibrary]:
    return [library for library in QT_LIBRARIES if library.file in files]
