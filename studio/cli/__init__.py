"""The same services without a window.

`main` is the door: it turns refusals into a sentence on standard error and an exit
code (`studio.domain.errors.ExitCode`), so that no command ends in a traceback for
something the user can mend.
"""

from collections.abc import Sequence

from studio.domain.errors import ExitCode, StudioError


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    from studio.cli.commands import app
    from studio.cli.terminal import say_finding

    try:
        app(args=list(arguments), prog_name="snugtune")
    except StudioError as refused:
        say_finding(refused.finding)
        return refused.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.FAILED
    return ExitCode.OK
