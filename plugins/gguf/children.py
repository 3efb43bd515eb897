"""A program beside this one: it is heard, and never outlives a wish to end."""

import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_BEAT_S = 0.2
_KEPT_LINES = 60
# Variables that would lead a Python or its pip elsewhere.
_MISLEADING = frozenset(
    {
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_TARGET",
        "PIP_USER",
    }
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit code.
        lines: The last that it said.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of them."""
        return "\n".join(self.lines)


def environment(**more: str) -> Mapping[str, str]:
    """The variables of a child: this process's, without those that lead astray."""
    kept = {name: each for name, each in os.environ.items() if name not in _MISLEADING}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    plain = {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "TOKENIZERS_PARALLELISM": "0"}
    return {**kept, **offline, **plain, **more}


def run(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    hear: Callable[[str], None],
) -> Ended:
    """Run a program to its end; what interrupts this ends it.

    Args:
        command: Its command line.
        folder: Where it works.
        variables: Its whole environment.
        hear: Is handed each line, and an empty one five times a second.

    Raises:
        OSError: It can't be started.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_listen, args=(process.stdout, lines))
    reader.start()
    try:
        kept = _follow(lines, hear)
        return Ended(process.wait(), tuple(kept))
    finally:
        # Also its own end, which a library's thread may hold up.
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def python(*arguments: str) -> list[str]:
    """The command line of this program's own Python."""
    return [sys.executable, *arguments]


def _follow(
    lines: "queue.SimpleQueue[str | None]", hear: Callable[[str], None]
) -> deque[str]:
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    while True:
        try:
            line = lines.get(timeout=_BEAT_S)
        except queue.Empty:
            hear("")
            continue
        if line is None:
            return kept
        if line.strip():
            kept.append(line)
            sys.stderr.write(f"{line}\n")  # the engine's own log
            hear(line)


def _listen(stream: IO[bytes], lines: "queue.SimpleQueue[str | None]") -> None:
    """Hand lines on; a bar that is drawn over itself is a line each time."""
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            lines.put(line.decode("utf-8", "replace"))
    lines.put(rest.decode("utf-8", "replace"))
    lines.put(None)
