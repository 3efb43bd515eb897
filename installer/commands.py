"""Runs one command of the set-up: its output to the log, its end as a sentence."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from console import SetUpError
from environment import clean_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_LINES_SHOWN = 12


class CommandError(SetUpError):
    """A command ended with an error.

    Attributes:
        output: Its last lines.
    """

    def __init__(self, what: str, remedy: str, output: str) -> None:
        super().__init__(what, remedy, output)
        self.output = output


class Run(Protocol):
    """Runs a command; the tests put a quick stand-in here."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        progress: Callable[[str], None] = ...,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command to its end and return its output's last lines.

        Args:
            command: The program and its arguments.
            progress: Told each line of output.
            variables: Environment variables to add.

        Raises:
            CommandError: It could not be started or ended with an error.
        """


def _ignore(_: str) -> None:
    pass


class Commands:
    """The real thing: starts processes and logs what they print.

    Args:
        log_file: Where everything they print goes.
        keep_open: File descriptors they inherit. A command that outlives a killed
            set-up thereby holds its lock until it has ended.
    """

    def __init__(self, log_file: Path, keep_open: Sequence[int] = ()) -> None:
        self._log_file = log_file
        self._keep_open = tuple(keep_open)

    def __call__(
        self,
        command: Sequence[str],
        *,
        progress: Callable[[str], None] = _ignore,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command; see Run."""
        last: deque[str] = deque(maxlen=_LINES_SHOWN)
        with self._log_file.open("a", encoding="utf-8") as log:
            log.write(f"\n[{time.strftime('%H:%M:%S')}] {' '.join(command)}\n")
            with self._started(command, variables or {}) as process:
                for line in process.stdout or ():
                    log.write(line)
                    last.append(line.rstrip())
                    progress(line.strip())
            log.write(f"[{time.strftime('%H:%M:%S')}] exit code {process.returncode}\n")
        output = "\n".join(last)
        if process.returncode:
            raise CommandError(
                f"The command {command[0]} failed with exit code {process.returncode}.",
                f"Its whole output is in {self._log_file}.",
                output,
            )
        return output

    @contextlib.contextmanager
    def _started(
        self, command: Sequence[str], variables: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command and end it when this process gives up waiting."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**clean_variables(os.environ), **variables},
                encoding="utf-8",
                errors="replace",
                pass_fds=self._keep_open,
            )
        except OSError as error:
            raise CommandError(
                f"The command {command[0]} could not be started: {error.strerror}.",
                "Start the set-up again; it repairs what is missing.",
                "",
            ) from error
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
