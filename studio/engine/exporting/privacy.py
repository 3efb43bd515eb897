"""That nothing of the machine or its user is handed on with a run."""

import re
from pathlib import Path

from studio.domain.errors import refusal
from studio.system.paths import data_dir

SHARED = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".md"})
"""What kinds of files an adapter consists of; none of them can run code."""

_TEXTS = frozenset({".json", ".jinja", ".md", ".svg"})
# The base's own words, of which one may look like a folder.
_WORDS = frozenset({"tokenizer.json", "vocab.json"})
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{20,}")


def refuse_private(folder: Path, *secret: Path) -> None:
    """Refuse to hand on a folder whose texts name a place of this machine or a token.

    Args:
        folder: Whose files are looked through.
        secret: Places that must not be named, besides the user's own folders.

    Raises:
        StudioError: One does.
    """
    places = {str(place).encode() for place in (Path.home(), data_dir(), *secret)}
    named = {place for place in places if len(place) > 1}
    for file in sorted(folder.iterdir()):
        if file.suffix not in _TEXTS or file.name in _WORDS:
            continue
        content = file.read_bytes()
        if _TOKEN.search(content) or any(place in content for place in named):
            raise refusal(
                "export.private",
                f"{file.name} names a folder of this machine, or an access token.",
                why="It would be handed on with the adapter.",
                fix="Take it out of the file in the run’s adapter, and export again.",
                where=file.name,
            )
