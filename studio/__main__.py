"""``python -m studio`` and ``snugtune``: the window, or a command without one."""

import sys


def main() -> int:
    """Open the window, or run a command when one is named."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"--example", "--project"}:
        from studio import app

        return app.main(arguments)
    from studio import cli

    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
