"""Where the files that come with the program lie.

A checkout has them in ``resources/`` and ``plugins/`` beside the package, an installed
wheel in ``studio/_resources`` and ``studio/_plugins``; nobody else needs to know which
of the two it is.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def resource_root() -> Path:
    """The folder that holds icons, fonts, facts and examples.

    Raises:
        FileNotFoundError: Neither place exists: the installation is incomplete.
    """
    return _beside("resources")


def plugin_root() -> Path:
    """The folder that holds the bundled plug-ins, each in a folder of its own.

    Raises:
        FileNotFoundError: As for `resource_root`.
    """
    return _beside("plugins")


def _beside(name: str) -> Path:
    for folder in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    message = (
        f"Snugtune's own files are missing beside {_PACKAGE}. "
        "Install it again, or clone the whole repository."
    )
    raise FileNotFoundError(message)
