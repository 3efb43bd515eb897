"""Reads the code of a plug-in; only what is asked for, and only when it is."""

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from studio.domain.errors import refusal


def code_of(title: str, file: Path, holds: tuple[str, ...], fix: str) -> ModuleType:
    """Run a plug-in's file, as a module of a package that its folder is.

    So its other files are at hand for it by relative imports.

    Args:
        title: Of the plug-in, for the sentence.
        file: That holds the code.
        holds: Functions that it must have.
        fix: What the user can do when it fails.

    Raises:
        StudioError: It fails, whatever the reason.
    """
    try:
        module = importlib.import_module(f"{_package(file.parent)}.{file.stem}")
        for name in holds:
            getattr(module, name)
    except Exception as fault:
        raise refusal(
            "plugin.code",
            f"The plug-in {title} doesn’t work ({type(fault).__name__}).",
            why=str(fault),
            fix=fix,
            where=str(file),
        ) from fault
    return module


def _package(folder: Path) -> str:
    """A package without code of its own for a folder, made once."""
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    name = f"snugtune_plugin_{folder.name}_{digest}"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name
