"""Names of folders: whatever a person types becomes a name every system takes."""

import re
import unicodedata

# Windows keeps these for devices, with any suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)]
)
_LONGEST = 60


def slug(name: str, fallback: str = "project") -> str:
    """A folder name: lower-case ASCII letters, digits and single hyphens.

    Args:
        name: Any text, of any length.
        fallback: What a name without a single letter or digit becomes.

    Returns:
        At most 60 characters; never empty, hidden, or a device of Windows.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    short = words[:_LONGEST].rstrip("-")
    if not short:
        return fallback
    return f"{short}-{fallback}" if short in _DEVICES else short
