"""Why a run was paused by a fault, by stable names, and what a command exits with."""

from enum import StrEnum

from studio.domain.errors import ExitCode


class Cause(StrEnum):
    """Kinds of `RunPaused` that aren't the user's wish."""

    OUT_OF_MEMORY = "out-of-memory"
    NON_FINITE = "non-finite"
    DISK_FULL = "disk.full"
    DISK_READ_ONLY = "disk.read-only"
    DISK_FAILED = "disk.failed"
    CARD_LOST = "card.lost"
    CARD_BUSY = "card.busy"
    CARD_CRASHED = "card.crashed"


OUT_OF_MEMORY = Cause.OUT_OF_MEMORY.value
NON_FINITE = Cause.NON_FINITE.value

_CODES = {
    OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    NON_FINITE: ExitCode.NON_FINITE,
    Cause.DISK_FULL.value: ExitCode.DISK,
    Cause.DISK_READ_ONLY.value: ExitCode.DISK,
    Cause.DISK_FAILED.value: ExitCode.DISK,
    Cause.CARD_LOST.value: ExitCode.FAILED,
    Cause.CARD_BUSY.value: ExitCode.FAILED,
    Cause.CARD_CRASHED.value: ExitCode.FAILED,
}


def exit_code_of(kind: str) -> ExitCode:
    """What a command exits with whose run was paused; empty for a wish."""
    return _CODES.get(kind, ExitCode.FAILED) if kind else ExitCode.PAUSED
