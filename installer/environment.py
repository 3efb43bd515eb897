"""The private virtual environment: where its parts lie and what is installed.

Everything here reads files only; nothing starts a Python, so that a healthy
environment is recognised in milliseconds.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console import SetUpError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables that would lead an environment's Python or pip elsewhere.
_MISLEADING = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "__PYVENV_LAUNCHER__",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_TARGET",
    "PIP_USER",
)
_MARKER = "setup.lock"
_PARTS = (
    "bin",
    "include",
    "lib",
    "lib64",
    "share",
    "Include",
    "Lib",
    "Scripts",
    "pyvenv.cfg",
)
_DIST_INFO = ".dist-info"


@dataclass(frozen=True)
class Environment:
    """A virtual environment, which may be half there or not at all.

    Attributes:
        prefix: Its folder.
    """

    prefix: Path

    @property
    def scripts(self) -> Path:
        """The folder of its programs."""
        return self.prefix / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        """Its Python."""
        name = "python.exe" if sys.platform == "win32" else "python"
        return self.scripts / name

    @property
    def lock_file(self) -> Path:
        """The file that marks the folder as the set-up's own, and is locked by it."""
        return self.prefix / _MARKER

    @property
    def log_file(self) -> Path:
        """Where the full output of every command goes."""
        return self.prefix / "setup.log"

    @property
    def constraints_file(self) -> Path:
        """The file that pins torch for every later installation."""
        return self.prefix / "constraints.txt"

    @property
    def site_packages(self) -> Path:
        """The folder of its packages; it need not exist."""
        if sys.platform == "win32":
            return self.prefix / "Lib" / "site-packages"
        found = sorted(self.prefix.glob("lib/python3.*/site-packages"))
        return found[-1] if found else self.prefix / "lib" / "site-packages"

    def installed(self) -> dict[str, str]:
        """Return the version of every wholly installed package, by its name.

        pip writes RECORD last: a package without it is half installed.
        """
        found: dict[str, str] = {}
        for folder in self._distributions():
            if (folder / "RECORD").is_file():
                name, _, version = folder.name.removesuffix(_DIST_INFO).partition("-")
                found[package_name(name)] = version
        return found

    def remove_broken(self) -> list[str]:
        """Remove the records of packages that aren't whole, so that pip puts them back.

        pip believes its records alone, and stumbles over those it left half written.

        Returns:
            The names of what was removed.
        """
        broken = [folder for folder in self._distributions() if not _is_whole(folder)]
        broken += sorted(self.site_packages.glob("~*"))  # pip's uninstall in progress
        for folder in broken:
            if folder.is_dir():
                shutil.rmtree(folder)
            else:
                folder.unlink()
        return [folder.name for folder in broken]

    def remove(self) -> None:
        """Remove the environment, but not the folder's log and lock."""
        for part in _PARTS:
            path = self.prefix / part
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def claim(self) -> None:
        """Make the folder, refusing one that holds something else.

        Raises:
            SetUpError: The folder is not the set-up's, or can't be written to.
        """
        folder = self.prefix
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()) and not self.lock_file.exists():
                raise SetUpError(
                    f"The folder {folder} is not empty and was not made by this"
                    " set-up; nothing was changed in it.",
                    "Name another folder with --prefix, or move this one away.",
                )
            self.lock_file.touch()
        except OSError as error:
            raise SetUpError(
                f"The environment can't be made in {folder}: {error.strerror}.",
                "Name a folder that can be written to with --prefix.",
            ) from error

    def size_bytes(self) -> int:
        """Return what the environment already takes on the disk."""
        total = 0
        for folder, _, files in os.walk(self.prefix):
            for name in files:
                path = Path(folder, name)
                total += 0 if path.is_symlink() else path.stat().st_size
        return total

    def _distributions(self) -> list[Path]:
        return sorted(self.site_packages.glob(f"*{_DIST_INFO}"))


def _is_whole(distribution: Path) -> bool:
    """Return whether every file of a package is there in its recorded size."""
    record = distribution / "RECORD"
    if not record.is_file():
        return False
    with record.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            name, size = row[0], row[-1]
            path = distribution.parent / name
            if name.endswith(".pyc") or not size:
                continue
            if not path.is_file() or path.stat().st_size != int(size):
                return False
    return True


def package_name(name: str) -> str:
    """Return a package's name in its normal form, as PEP 503 defines it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def clean_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would lead Python or pip elsewhere."""
    kept = {
        name: value
        for name, value in variables.items()
        if name not in _MISLEADING and not name.startswith("UV_")
    }
    return {
        **kept,
        "PYTHONNOUSERSITE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
