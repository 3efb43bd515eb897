"""Where the files that come with the program lie.

A checkout has them in ``resources/`` beside the package, an installed wheel in
``studio/_resources``; nobody else needs to know which of the two it is.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def resource_root() -> Path:
    """The folder that holds icons, fonts, facts and examples.

    Raises:
        FileNotFoundError: Neither place exists: the installation is incomplete.
    """
    for folder in (_PACKAGE / "_resources", _PACKAGE.parent / "resources"):
        if folder.is_dir():
            return folder
    message = (
        f"Snugtune's own files are missing beside {_PACKAGE}. "
        "Install it again, or clone the whole repository."
    )
    raise FileNotFoundError(message)
