"""Graphics of other makers: named where they can be seen, with what they are good for.

Linux shows every card's maker below /sys/class/drm, and a Mac with Apple's own
processor has Apple's graphics. Windows would have to be asked through a library that is
not here; nothing is claimed there.
"""

import functools
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from studio.domain.finding import Finding

_CARDS: Final = Path("/sys/class/drm")
# PCI-SIG's vendor ids.
_MAKERS: Final = {"0x1002": "AMD", "0x8086": "Intel"}


@functools.cache
def other_graphics() -> tuple[str, ...]:
    """The graphics of other makers, such as ``AMD graphics``; looked up once."""
    if sys.platform == "darwin":
        return ("Apple graphics",) if platform.machine() == "arm64" else ()
    return tuple(graphics_below(_CARDS))


def graphics_below(cards: Path) -> Iterator[str]:
    """The cards that Linux shows in a folder, by name, each device once.

    Args:
        cards: Holds ``card<n>/device/vendor`` and, on some cards, ``product_name``.
    """
    for device in sorted(cards.glob("card[0-9]*/device")):
        if "-" in device.parent.name:
            continue  # a socket of a card, such as card0-HDMI-A-1
        maker = _MAKERS.get(_line(device / "vendor"))
        if maker is not None:
            yield _line(device / "product_name") or f"{maker} graphics"


def with_graphics(finding: Finding | None, graphics: Sequence[str]) -> Finding | None:
    """A finding that no NVIDIA card is here, with what else is and what it can do."""
    if finding is None or finding.code != "gpu.none" or not graphics:
        return finding
    words = " and ".join(graphics)
    verb = "draw" if len(graphics) > 1 else "draws"
    return replace(
        finding,
        what=f"No NVIDIA card found, but {words}.",
        why=f"Training uses NVIDIA cards and the processor; {words} {verb} the screen "
        "and can't train here. You can check data, price recipes for a card you name, "
        "and train the example on the processor.",
    )


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
