"""Pictures of every page of a real project, light and dark, at 1280 x 800.

    python tests/ui/screenshots.py DIR [--project NAME] [--train] [--size 1280x800]

It opens the window itself on the user's own projects (``SNUGTUNE_HOME`` chooses
others), with the real machine's readings and, where there are runs, the newest one.
With ``--train`` the example is fine-tuned first if it has no run yet. Nothing is made
up for the picture; without a display it renders offscreen.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

SETTLE_MS = 1600
TRAIN_MS = 60 * 60 * 1000
PAUSE_MS = 50


def main() -> int:
    """Take the pictures; returns the exit code."""
    given = _arguments()
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from studio.app import Arguments, Studio
    from studio.services.crash_log import CrashLog
    from studio.services.preferences import Preferences
    from studio.ui.theme import ColourScheme, Theme

    application = QApplication([sys.argv[0]])
    theme = Theme(application, ColourScheme.LIGHT)
    arguments = Arguments(example=not given.project, project=given.project)
    studio = Studio(arguments, Preferences(), theme, CrashLog())
    width, height = (int(edge) for edge in given.size.split("x"))
    studio.window.resize(width, height)
    studio.show()
    _wait(lambda: studio.desk is not None)
    _wait(lambda: studio.desk.data.chat_file and studio.desk.hardware.latest)
    _show_newest_run(studio, train=given.train)
    given.folder.mkdir(parents=True, exist_ok=True)
    for scheme in (ColourScheme.LIGHT, ColourScheme.DARK):
        theme.set_scheme(scheme)
        for place, key in enumerate(studio.window.side_nav.page_keys(), start=1):
            studio.window.show_page(key)
            QTest.qWait(SETTLE_MS)
            path = given.folder / f"{place:02}-{key}-{scheme.value}.png"
            studio.window.grab().save(str(path))
            print(path)
    studio.window.set_close_hook(lambda: True)
    studio.window.close()
    studio.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Take pictures of every page.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--project", default="", metavar="NAME")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--size", default="1280x800", metavar="WIDTHxHEIGHT")
    return parser.parse_args()


def _show_newest_run(studio, *, train: bool) -> None:
    from studio.services.library import all_runs

    desk = studio.desk
    project = desk.projects.current
    own = [run for run in all_runs() if project.directory in run.path.parents]
    if own:
        desk.controller.attach(own[0])
    elif train:
        desk.controller.start(project, project.recipe)
        _wait(lambda: not desk.controller.is_running, TRAIN_MS)


def _wait(is_so: Callable[[], object], limit_ms: int = 20_000) -> None:
    clock = QElapsedTimer()
    clock.start()
    while not is_so() and clock.elapsed() < limit_ms:
        QTest.qWait(PAUSE_MS)
    if not is_so():
        sys.exit("The window did not get ready in time.")


if __name__ == "__main__":
    sys.exit(main())
