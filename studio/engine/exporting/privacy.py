"""That nothing of the machine or its user is handed on with a run."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from studio.domain.errors import refusal
from studio.system.paths import data_dir

SHARED = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".md"})
"""What kinds of files an adapter consists of; none of them can run code."""

_TEXTS = frozenset({".json", ".jinja", ".md", ".svg"})
# The base's own words, of which one may look like a folder.
_WORDS = frozenset({"tokenizer.json", "vocab.json"})
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{20,}")
_WEIGHTS = frozenset({".safetensors", ".gguf"})
# What a file of weights says of itself lies at its beginning.
_HEAD_BYTES = 32 << 20
_SURE_PARTS = 3  # the root, and two names


def refuse_private(folder: Path, *secret: Path) -> None:
    """Refuse to hand on a folder whose texts name a place of this machine or a token.

    Args:
        folder: Whose files are looked through.
        secret: Places that must not be named, besides the user's own folders.

    Raises:
        StudioError: One does.
    """
    named = _as_written(_own(secret))
    for file in sorted(folder.iterdir()):
        if file.suffix not in _TEXTS or file.name in _WORDS:
            continue
        if _tells(file.read_bytes(), named):
            raise refusal(
                "export.private",
                f"{file.name} names a folder of this machine, or an access token.",
                why="It would be handed on with the adapter.",
                fix="Take it out of the file in the run’s adapter, and export again.",
                where=file.name,
            )


def refuse_private_files(files: Iterable[Path], *secret: Path) -> None:
    """Refuse to push files that name a place of this machine or a token.

    Texts are read as a whole, weights where they say something of themselves. There
    and among a model's words, "/root" alone may be a word; a longer place is none.

    Args:
        files: That are looked through.
        secret: Places that must not be named, besides the user's own folders.

    Raises:
        StudioError: One does.
    """
    own = _own(secret)
    sure = {place for place in own if len(place.parts) >= _SURE_PARTS}
    for file in files:
        has_words = file.suffix in _WEIGHTS or file.name in _WORDS
        with file.open("rb") as opened:
            content = opened.read(_HEAD_BYTES)
        if _tells(content, _as_written(sure if has_words else own)):
            raise refusal(
                "push.private",
                f"{file.name} names a folder of this machine, or an access token.",
                why="Nothing was pushed.",
                fix="Take it out of the file, or export the run again.",
                where=str(file),
            )


def _own(secret: Iterable[Path]) -> set[Path]:
    """A user's folders, and those that are named."""
    return {Path.home(), data_dir(), *secret}


def _as_written(places: Iterable[Path]) -> set[bytes]:
    """Places as texts may name them, in JSON as well."""
    plain = {form for place in places for form in (str(place), place.as_posix())}
    written = plain | {json.dumps(form)[1:-1] for form in plain}
    return {form.encode() for form in written if len(form) > 1}


def _tells(content: bytes, places: Iterable[bytes]) -> bool:
    return bool(_TOKEN.search(content)) or any(place in content for place in places)
