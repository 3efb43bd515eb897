"""This machine's table of measured memory: one JSON line each, only ever appended.

Engines write to it, several at a time perhaps, so each takes the lock for its line; a
line that was torn by a power cut is closed by the next writer and left out by readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, warning
from studio.domain.memory.measurement import Measurement
from studio.storage.appending import append_line
from studio.storage.disk import disk_refusal, unreadable
from studio.storage.locks import locked

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
        lock = self.path.with_name(f"{self.path.name}.lock")
        with locked(lock, _LOCK_PATIENCE_S, _busy(self.path)):
            try:
                append_line(self.path, line)
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
