"""The one exception that carries words for the user, and the exit codes."""

from enum import IntEnum

from studio.domain.finding import Finding, error


class ExitCode(IntEnum):
    """Exit codes of the command line and of the engine.

    The engine's own codes begin at 10, so that a shell's codes (126 and up) and
    Python's (1, 2) can't be mistaken for them.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 10
    OUT_OF_MEMORY = 11
    NON_FINITE = 12
    DISK = 13
    ORPHANED = 14
    STOPPED = 15
    PAUSED = 16
    DIFFERENT = 17


EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 misused, 10 bad input, 11 out of memory, "
    "12 a loss that is no number, 13 disk, 14 its window went, 15 stopped by you, "
    "16 paused, 17 an export that says something else."
)
"""What a command's exit code means, for its help."""


class StudioError(Exception):
    """A refusal or failure that has been put into words.

    Attributes:
        finding: What is wrong, where, and how to mend it.
        exit_code: What a command that ends by this error exits with.
    """

    def __init__(
        self, finding: Finding, exit_code: ExitCode = ExitCode.BAD_INPUT
    ) -> None:
        super().__init__(finding.sentence())
        self.finding = finding
        self.exit_code = exit_code


def refusal(
    code: str, what: str, *, why: str = "", fix: str = "", where: str = ""
) -> StudioError:
    """Build the error for bad input.

    Args:
        code: The finding's stable name.
        what: What is wrong, one sentence.
        why: What follows from it.
        fix: What the user can do.
        where: The file, line or option.

    Returns:
        An error to raise, with exit code `ExitCode.BAD_INPUT`.
    """
    return StudioError(error(code, what, why=why, fix=fix, where=where))
