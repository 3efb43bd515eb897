"""This machine's table of measured memory: one JSON line each, only ever appended.

Engines write to it, several at a time perhaps, so each takes the lock for its line; a
line that was torn by a power cut is closed by the next writer and left out by readers.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, warning
from studio.domain.memory.measurement import Measurement
from studio.storage.disk import disk_refusal, unreadable

VERSION = 1
_LOCK_PATIENCE_S = 5.0


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    row: Measurement


class _Versioned(msgspec.Struct, frozen=True):
    version: int


_encoder = msgspec.json.Encoder()
_lines = msgspec.json.Decoder(_Line)
_versions = msgspec.json.Decoder(_Versioned)


@dataclass(frozen=True, slots=True)
class MeasurementTable:
    """The table on disk.

    Attributes:
        path: Its file; it and its folder are made by the first row.
    """

    path: Path

    def add(self, row: Measurement) -> None:
        """Append a row; it is on disk when this returns.

        Raises:
            StudioError: The disk is full or may not be written, or another program
                keeps the table locked.
        """
        line = _encoder.encode(_Line(VERSION, row)) + b"\n"
        lock = FileLock(f"{self.path}.lock", timeout=_LOCK_PATIENCE_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with lock:
                _append(self.path, line)
        except Timeout:
            raise _busy(self.path) from None
        except OSError as fault:
            raise disk_refusal(fault, self.path) from fault

    def read(self) -> tuple[Sequence[Measurement], Sequence[Finding]]:
        """Every row, and a finding if lines had to be left out.

        Raises:
            StudioError: The table can't be read, or a newer Snugtune has written in
                it.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return (), ()
        except OSError as fault:
            raise unreadable(fault, self.path) from fault
        rows: list[Measurement] = []
        torn = 0
        for line in filter(None, content.split(b"\n")):
            row = self._row(line)
            if row is None:
                torn += 1
            else:
                rows.append(row)
        return rows, [_left_out(torn, self.path)] if torn else []

    def _row(self, line: bytes) -> Measurement | None:
        try:
            version = _versions.decode(line).version
            if version > VERSION:
                raise _newer(version, self.path)
            return _lines.decode(line).row
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def _append(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    table = os.open(path, flags, 0o644)
    try:
        before = os.fstat(table).st_size
        if before and _last_byte(table, before) != b"\n":
            line = b"\n" + line
        if os.write(table, line) < len(line):
            os.ftruncate(table, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(table)
    finally:
        os.close(table)


def _last_byte(table: int, size: int) -> bytes:
    os.lseek(table, size - 1, os.SEEK_SET)
    return os.read(table, 1)


def _busy(path: Path) -> StudioError:
    return refusal(
        "measurements.busy",
        "Another program keeps the table of measurements locked.",
        fix="Try again when it has ended.",
        where=str(path),
    )


def _newer(version: int, path: Path) -> StudioError:
    return refusal(
        "document.newer",
        "The table of measurements was written by a newer Snugtune "
        f"(its version is {version}, this one reads up to {VERSION}).",
        fix="Update Snugtune; the file was left as it is.",
        where=str(path),
    )


def _left_out(count: int, path: Path) -> Finding:
    lines = "1 line is" if count == 1 else f"{count} lines are"
    return warning(
        "measurements.line",
        f"{lines} no measurement and left out.",
        fix="Delete the file to begin a new table; probes fill it again.",
        where=str(path),
    )
