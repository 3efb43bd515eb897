"""The programs that Snugtune knows by name, from resources/programs.toml."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from studio.domain.programs import Advice, ProgramKind
from studio.storage.documents import read_toml


class _Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of resources/programs.toml."""

    what: str
    names: list[str]
    advice: Advice | None = None


def load_programs(path: Path) -> Mapping[str, ProgramKind]:
    """Read all kinds, by each name of their programs.

    Raises:
        StudioError: The file is missing or no document of programs.
    """
    kinds = msgspec.convert(read_toml(path, "programs")["kinds"], list[_Kind])
    return {
        name: ProgramKind(kind.what, kind.advice)
        for kind in kinds
        for name in kind.names
    }
