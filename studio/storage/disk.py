"""What a disk refuses, in words: full, read-only, or broken."""

import errno
from pathlib import Path

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def disk_refusal(fault: OSError, path: Path) -> StudioError:
    """Put a failed write into words.

    Args:
        fault: What the operating system said.
        path: The file or folder that was to be written.

    Returns:
        An error to raise, with exit code `ExitCode.DISK`.
    """
    if fault.errno in _FULL:
        return _refused(
            "disk.full",
            f"There is no space left to write {path.name}.",
            fix="Free some space on that disk, then try again.",
            path=path,
        )
    if fault.errno in _FORBIDDEN:
        return _refused(
            "disk.read-only",
            f"{path.name} may not be written.",
            fix="Allow writing there, or choose another folder.",
            path=path,
        )
    return _refused(
        "disk.failed",
        f"{path.name} could not be written: {fault.strerror or fault}.",
        fix="Check the disk, or choose another folder.",
        path=path,
    )


def unreadable(fault: OSError, path: Path) -> StudioError:
    """Put a failed read of an existing file into words."""
    return _refused(
        "disk.unreadable",
        f"{path.name} could not be read: {fault.strerror or fault}.",
        fix="Check its permissions and the disk.",
        path=path,
    )


def _refused(code: str, what: str, *, fix: str, path: Path) -> StudioError:
    return StudioError(error(code, what, fix=fix, where=str(path)), ExitCode.DISK)
