"""What a program is that holds memory."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Final

from studio.domain.hardware import GpuProcess
from studio.domain.programs import ProgramKind, kind_of
from studio.storage.known_programs import load_programs
from studio.system.resources import resource_root

THIS_PROGRAM: Final = ProgramKind("Snugtune itself")


def program_of(process: GpuProcess) -> ProgramKind:
    """What a program that runs now is; this one is told apart."""
    return THIS_PROGRAM if process.pid == os.getpid() else program_named(process.name)


def program_named(name: str) -> ProgramKind:
    """What the program of an executable is; an unknown one is called so."""
    return kind_of(name, _known())


@cache
def _known() -> Mapping[str, ProgramKind]:
    return load_programs(resource_root() / "programs.toml")
