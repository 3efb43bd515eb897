"""Which models the converter knows, without running it.

For the package that is a file beside this one, made by asking it. A llama.cpp of the
user's own is asked once for each of its versions, when something is exported by it.
"""

import hashlib
import json
import re
from pathlib import Path

from studio.plugin_api.exporting import Tell
from studio.system.llama_cpp import find_llama_cpp
from studio.system.paths import cache_dir

from . import children
from .converting import Converter, variables

_BUNDLED = Path(__file__).with_name("architectures.json")
_NAMED = re.compile(r"- ([\w.]+)$")
_NOT_TEXT = re.compile(r"MMPROJ", re.IGNORECASE)


def architectures() -> frozenset[str]:
    """Names of what can be converted here; empty when that isn't known."""
    script = find_llama_cpp().script
    file = _BUNDLED if script is None else _kept(script)
    try:
        return frozenset(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return frozenset()


def learn(by: Converter, tell: Tell) -> None:
    """Ask a llama.cpp of the user's own what it knows, unless that is kept already.

    Raises:
        OSError: It can't be started, or the disk refuses.
    """
    script = find_llama_cpp().script
    if script is None or _kept(script).is_file():
        return
    found = ask(by, tell)
    if found:
        file = _kept(script)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")


def ask(by: Converter, tell: Tell) -> list[str]:
    """What a converter says that it knows, in order.

    Raises:
        OSError: It can't be started.
    """
    lines: list[str] = []

    def hear(line: str) -> None:
        tell("Asking the converter what it knows", 0, 1, "lists")
        lines.append(line)

    command = children.python(*by.command, "--print-supported-models")
    children.run(command, Path.cwd(), variables(by), hear)
    found: set[str] = set()
    for line in lines:
        if _NOT_TEXT.search(line):
            break
        if named := _NAMED.search(line.strip()):
            found.add(named[1])
    return sorted(found)


def _kept(script: Path) -> Path:
    """A newer checkout of llama.cpp has another script, or another table beside it."""
    digest = hashlib.sha256()
    for file in (script, script.parent / "conversion" / "__init__.py"):
        if file.is_file():
            digest.update(file.read_bytes())
    return cache_dir() / "gguf" / f"models-{digest.hexdigest()[:16]}.json"
