"""What a program is, and what is advised about it."""

import os
import tomllib

import pytest

from studio.domain.hardware import GIB, MIB, GpuProcess
from studio.domain.programs import UNKNOWN
from studio.services.known_programs import program_named, program_of
from studio.system.resources import resource_root


@pytest.mark.parametrize(
    ("name", "what", "advice"),
    [
        ("firefox", "Web browser", "Close it to get 2.00 GiB back"),
        ("Chrome.exe", "Web browser", "Close it to get 2.00 GiB back"),
        ("Xorg", "Display server", "Draws your screen"),
        ("dwm.exe", "Desktop", "Draws your screen"),
        ("cs2", "Game", "Close it to get 2.00 GiB back"),
        ("python3.12", "Python program", "May be another training run"),
        ("ollama", "Language model server", "Stop it to get 2.00 GiB back"),
        ("blender-4.2", "Pictures and 3-D", "Close it to get 2.00 GiB back"),
        ("nvidia-persistenced", "Part of the driver", ""),
        ("firefoxy", UNKNOWN, ""),
        ("racing-game", UNKNOWN, ""),
        ("42", UNKNOWN, ""),
        ("", UNKNOWN, ""),
    ],
)
def test_that_only_a_known_program_is_named_and_advised_on(name, what, advice):
    kind = program_named(name)
    assert (kind.what, kind.advice_words(2 * GIB)) == (what, advice)


def test_that_nobody_is_told_to_close_a_program_for_next_to_nothing():
    browser = program_named("firefox")
    assert browser.advice_words(3 * MIB) == ""
    assert browser.advice_words(None) == "Close it to get its share back"


def test_that_snugtune_does_not_take_itself_for_another_run():
    own = program_of(GpuProcess(os.getpid(), "python", GIB))
    other = program_of(GpuProcess(os.getpid() + 1, "python", GIB))
    assert (own.what, own.advice_words(GIB)) == ("Snugtune itself", "")
    assert other.what == "Python program"


def test_that_each_listed_name_is_found_and_stands_in_one_kind():
    listed = resource_root() / "programs.toml"
    kinds = tomllib.loads(listed.read_text(encoding="utf-8"))["kinds"]
    names = [name for kind in kinds for name in kind["names"]]
    assert len(set(names)) == len(names)
    for kind in kinds:
        for name in kind["names"]:
            assert name == name.casefold()
            assert program_named(f"{name.upper()}.EXE").what == kind["what"]
