"""Small files of strangers, read no further than a model's could reach."""

import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG

from studio.domain.errors import StudioError, refusal

# The largest honest one is an index of 90,000 tensors, about 9 MB.
_MOST_JSON = 16 << 20
_MOST_TEXT = 64 << 10


def read_object(path: Path) -> Mapping[str, object]:
    """Read a JSON object.

    Raises:
        StudioError: It is missing, too long, or no JSON object.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) or status.st_size > _MOST_JSON:
            raise _unreadable(path, "can't be read: it is no plain small file")
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _unreadable(path, "is missing") from None
    except (OSError, ValueError, RecursionError):
        raise _unreadable(path, "can't be read: it is no JSON") from None
    if not isinstance(read, dict):
        raise _unreadable(path, "can't be read: it holds no object")
    return read


def read_beginning(path: Path) -> str:
    """The first 64 KiB of a text; empty when there is none."""
    try:
        if not S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_TEXT).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _unreadable(path: Path, what: str) -> StudioError:
    return refusal(
        "model.config" if path.name == "config.json" else "model.file",
        f"{path.name} {what}.",
        fix="Fetch the file again.",
        where=str(path),
    )
