"""The certificate in an exported model's folder, for whoever reads it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MOST_BYTES = 16 << 20


def read_certificate(document: Path) -> Mapping[str, Any] | None:
    """What a comparison found; None where there is no certificate that can be read.

    Args:
        document: The file ``parity.json``.
    """
    try:
        with document.open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def is_proven(document: Path) -> bool:
    """Whether a certificate says that the model says what was trained."""
    told = read_certificate(document)
    return told is not None and told.get("proven") is True
