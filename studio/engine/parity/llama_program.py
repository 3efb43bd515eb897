"""The user's own ``llama-server``: whether it runs here, and which one it is.

One that doesn't even tell its version (a library of it is missing, or it was built for
another processor) is passed over: files are then read by transformers, and the report
says so.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from studio.system.llama_cpp import find_llama_cpp

_VERSION = re.compile(r"^version: (.+?)\s*$", re.MULTILINE)
# "4391 (9ba399df)", since 2026 "0.5.0 (build 11434, commit 9ba399df)".
_BUILDS = (
    re.compile(r"(\d+) \((\w+)\)"),
    re.compile(r".*\(build (\d+), commit (\w+)\)"),
)
_PATIENCE_S = 60.0
# They would set another template, port, context or key than what is asked for here.
_MISLEADING = ("LLAMA_", "AIP_")


@dataclass(frozen=True, slots=True)
class LlamaProgram:
    """A server that runs on this machine.

    Attributes:
        file: It.
        version: Its build and commit, such as ``b4391 (9ba399df)``; empty when it
            doesn't know.
    """

    file: Path
    version: str = ""

    @property
    def title(self) -> str:
        """For people."""
        told = f" {self.version}" if self.version else ""
        return f"llama.cpp (llama-server{told})"


def usable_server() -> LlamaProgram | None:
    """The user's llama-server; None where there is none that runs."""
    file = find_llama_cpp().server
    if file is None:
        return None
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        return None
    return _asked(file, changed)


def environment() -> Mapping[str, str]:
    """This process's variables, without those that a server takes its settings from."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_MISLEADING)
    }


@lru_cache(maxsize=4)
def _asked(file: Path, _changed: int) -> LlamaProgram | None:
    try:
        done = subprocess.run(
            [str(file), "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment()),
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return LlamaProgram(file, version_in(done.stdout.decode("utf-8", "replace")))


def version_in(said: str) -> str:
    """Build and commit, of what ``--version`` prints; empty when it tells of none."""
    found = _VERSION.search(said)
    if found is None:
        return ""
    builds = [each.fullmatch(found[1]) for each in _BUILDS]
    build = next((each for each in builds if each), None)
    if build is None:
        return found[1]
    number, commit = build.groups()
    known = commit not in {"unknown", "none"}
    words = [f"b{number}"] if number != "0" else []
    words += [f"({commit})" if words else commit] if known else []
    return " ".join(words)
