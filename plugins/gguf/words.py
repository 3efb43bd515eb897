"""Whether the converter knows a tokenizer, told without running it.

llama.cpp knows how a tokenizer splits text by the digest of the tokens that it makes
of one long line. Line and digests stand in the converter's source; they are read from
there, wherever it lies, so that they are those of the very version that is used.
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from studio.system.llama_cpp import find_llama_cpp

from . import installing

_LINE, _DIGEST = "chktxt", "chkhsh"


@dataclass(frozen=True, slots=True)
class _Known:
    line: str
    digests: frozenset[str]


def are_known(folder: Path) -> bool | None:
    """Whether a model's tokenizer is one that the converter knows.

    Args:
        folder: Of the model.

    Returns:
        None where there is no converter here yet, or no tokenizer to try.
    """
    source = next((file for file in _sources() if file.is_file()), None)
    file = folder / "tokenizer.json"
    if source is None or not file.is_file():
        return None
    known = _known(source, source.stat().st_mtime_ns)
    if known is None:
        return None
    return _is_known(file, file.stat().st_mtime_ns, known)


def _sources() -> Iterator[Path]:
    """Where the converter keeps them: in a package of its own since 2026."""
    script = find_llama_cpp().script
    if script is not None:
        yield script.parent / "conversion" / "base.py"
        yield script
    elif installing.is_installed():
        yield installing.package_folder() / "conversion" / "base.py"


@lru_cache(maxsize=4)
def _known(source: Path, _changed: int) -> _Known | None:
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    line, digests = "", set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(id=name)], ast.Constant(str(text))):
                line = text if name == _LINE else line
            case ast.Compare(ast.Name(id=name), [ast.Eq()], [ast.Constant(str(text))]):
                digests |= {text} if name == _DIGEST else set()
            case _:
                pass
    return _Known(line, frozenset(digests)) if line and digests else None


@lru_cache(maxsize=16)
def _is_known(file: Path, _changed: int, known: _Known) -> bool | None:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - the library raises this very class
        return None
    # Settings beside may add a word that begins a text; either way it is the same one.
    tries = (
        tokenizer.encode(known.line, add_special_tokens=adds).ids
        for adds in (True, False)
    )
    return any(
        hashlib.sha256(str(ids).encode()).hexdigest() in known.digests for ids in tries
    )
