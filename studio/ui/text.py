"""Numbers as the window writes them: grouped, with unit, never mixed units.

Free of Qt, so that view models use the same words as the widgets.
"""

import re
from typing import Final

GIB: Final = 1024**3
MIB: Final = 1024**2
_LONG_WORD: Final = re.compile(r"\S{25,}")
_PIECE: Final = re.compile(r".{1,12}?[/\\_.\-]|.{1,12}")
_MAY_BREAK: Final = "\u200b"  # a space without width


def gib(size_bytes: float) -> str:
    """Bytes as GiB with two decimals and no unit, such as ``10.89``."""
    return f"{size_bytes / GIB:.2f}"


def size(size_bytes: float) -> str:
    """Bytes with the unit that suits: ``726 MiB`` below 1 GiB, else ``8.24 GiB``."""
    if size_bytes < GIB:
        return f"{size_bytes / MIB:,.0f} MiB"
    return f"{gib(size_bytes)} GiB"


def signed_gib(size_bytes: float) -> str:
    """A change in GiB with its sign, a true minus, not a hyphen; 0 has none."""
    hundredths = round(abs(size_bytes) / GIB * 100)
    if hundredths == 0:
        return "0"
    sign = "−" if size_bytes < 0 else "+"
    return f"{sign}{hundredths / 100:.2f}"


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun, such as ``1,841 rows``."""
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}"


def breakable(text: str) -> str:
    """A text whose long words, such as paths, may break within a line.

    Qt lets a label be no narrower than its longest word.
    """

    def broken(word: re.Match[str]) -> str:
        return _MAY_BREAK.join(_PIECE.findall(word.group()))

    return _LONG_WORD.sub(broken, text)


def percent(share: float, decimals: int = 0) -> str:
    """A share from 0 to 1 as ``65 %``."""
    return f"{share * 100:.{decimals}f} %"


def whole_percent(done: float) -> int:
    """How much of a run is done, 0 to 1, in percent; 100 only when all of it is.

    Everything that tells a run's progress rounds here, so that no two places differ.
    """
    # 0.29 * 100 is 28.999999999999996, and 29 steps of 100 are 29 %.
    return int(round(done * 100, 6))
