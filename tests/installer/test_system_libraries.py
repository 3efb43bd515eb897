"""What Qt needs of the system, and the line that installs it."""

import dataclasses

import pytest
from facts import Display
from qt_libraries import (
    QT_LIBRARIES,
    debian_packages,
    install_line,
    missing_libraries,
    stops_a_window,
    stops_drawing,
    stops_everything,
)
from stand_ins import NO_GPU

ALL = tuple(library.file for library in QT_LIBRARIES)
CURSOR = ("libxcb-cursor.so.0", "libxcb-icccm.so.4")


def test_that_a_library_the_loader_lacks_is_missing():
    def load(name):
        if name in CURSOR:
            raise OSError(name)

    assert missing_libraries(load) == CURSOR
    assert missing_libraries(lambda name: name) == ()


def test_that_every_library_has_its_debian_package_once():
    packages = debian_packages(ALL)
    assert len(packages) == len(set(packages)) == len(QT_LIBRARIES) - 1  # glib's two
    assert {"libegl1", "libxcb-icccm4", "libwayland-cursor0"} <= set(packages)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"has_apt": True}, "sudo apt-get install libxcb-cursor0 libxcb-icccm4"),
        (
            {"has_apt": True, "is_root": True},
            "apt-get install libxcb-cursor0 libxcb-icccm4",
        ),
        (
            {"distribution": ("rocky", "rhel", "centos", "fedora")},
            "sudo dnf install xcb-util-cursor xcb-util-wm",
        ),
        ({"distribution": ("arch",)}, "sudo pacman -S xcb-util-cursor xcb-util-wm"),
        (
            {"distribution": ("nixos",)},
            "Install the packages that bring libxcb-cursor.so.0, libxcb-icccm.so.4.",
        ),
    ],
)
def test_that_the_line_suits_the_distribution(facts, line):
    machine = dataclasses.replace(NO_GPU, missing_qt_libraries=CURSOR, **facts)
    assert install_line(machine) == line


@pytest.mark.parametrize(
    ("display", "stopping"),
    [
        (Display.NONE, ("libEGL.so.1",)),
        (Display.WAYLAND, ("libEGL.so.1", "libwayland-client.so.0")),
        (Display.X11, ("libEGL.so.1", "libxcb-cursor.so.0")),
    ],
)
def test_that_only_what_a_display_needs_stops_its_window(display, stopping):
    missing = ("libEGL.so.1", "libxcb-cursor.so.0", "libwayland-client.so.0")
    facts = dataclasses.replace(NO_GPU, display=display, missing_qt_libraries=missing)
    assert stops_a_window(facts) == stopping
    assert stops_drawing(facts) == ("libEGL.so.1",)
    assert stops_everything(facts) == ()
