"""What a program is that holds memory."""

from collections.abc import Mapping
from functools import cache

from studio.domain.programs import ProgramKind, kind_of
from studio.storage.known_programs import load_programs
from studio.system.resources import resource_root


def program_named(name: str) -> ProgramKind:
    """What the program of an executable is; an unknown one is called so."""
    return kind_of(name, _known())


@cache
def _known() -> Mapping[str, ProgramKind]:
    return load_programs(resource_root() / "programs.toml")
