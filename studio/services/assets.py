"""The window's door to the files that come with the program.

The window may not ask the machine's layer itself, so icons, fonts and example files
are handed out here by name.
"""

from collections.abc import Sequence
from pathlib import Path

from studio.system.resources import resource_root


def icon_svg(name: str) -> str:
    """The SVG text of an icon; its ink is ``currentColor``.

    Raises:
        FileNotFoundError: No icon of that name comes with the program.
    """
    return _existing(Path("icons") / f"{name}.svg").read_text(encoding="utf-8")


def control_mark(name: str, palette: str) -> Path:
    """The file of a mark inside a control, drawn for one palette.

    Style sheets name files and can't tint them, so these few exist once a palette.

    Raises:
        FileNotFoundError: No mark of that name comes with the program.
    """
    return _existing(Path("icons") / "controls" / f"{name}-{palette}.svg")


def font_files() -> Sequence[Path]:
    """The font files to register, in a stable order."""
    folder = resource_root() / "fonts"
    return sorted(p for p in folder.iterdir() if p.suffix in {".otf", ".ttf"})


def example_file(name: str) -> Path:
    """A file of example data.

    Raises:
        FileNotFoundError: No example of that name comes with the program.
    """
    return _existing(Path("examples") / name)


def _existing(relative: Path) -> Path:
    path = resource_root() / relative
    if path.is_file():
        return path
    message = (
        f"The file {relative.as_posix()} is missing from {resource_root()}. "
        "Install Snugtune again, or clone the whole repository."
    )
    raise FileNotFoundError(message)
