"""Pictures of the Data page in each of its states, light and dark.

    python tests/ui/data_scenes.py DIR [--size 1280x800] [--only SCENE]

It opens the window itself in a home of its own, makes files for each scene in DIR and
chooses them as a user would; nothing else is made up for the picture.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer
from PySide6.QtWidgets import QApplication

SETTLE_MS = 700
PAUSE_MS = 50
WORDS = (
    "the parcel left our hall on Tuesday and should arrive by Friday you can follow it"
)


def main() -> int:
    """Take the pictures; returns the exit code."""
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    os.environ["SNUGTUNE_HOME"] = str(given.folder.resolve() / "home")
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from studio.app import Arguments, Studio
    from studio.services.crash_log import CrashLog
    from studio.services.preferences import Preferences
    from studio.ui.theme import ColourScheme, Theme

    application = QApplication([sys.argv[0]])
    theme = Theme(application, ColourScheme.LIGHT)
    arguments = Arguments(example=True)
    studio = Studio(arguments, Preferences(), theme, CrashLog())
    studio.window.resize(*(int(edge) for edge in given.size.split("x")))
    studio.show()
    _wait(lambda: studio.desk is not None)
    _wait(lambda: studio.desk.data.chat_file and studio.desk.hardware.latest)
    for name, scene in SCENES.items():
        if given.only and name != given.only:
            continue
        scene(studio, given.folder)
        for scheme in (ColourScheme.LIGHT, ColourScheme.DARK):
            theme.set_scheme(scheme)
            _rest(SETTLE_MS)
            path = given.folder / f"{name}-{scheme.value}-{given.size}.png"
            studio.window.grab().save(str(path))
            print(path)
    studio.window.set_close_hook(lambda: True)
    studio.window.close()
    studio.close()
    return 0


def _page(studio):
    return studio.window.show_page("data")


def _open(studio, path: Path) -> None:
    page = _page(studio)
    page.use_file(str(path))
    _wait(lambda: not studio.desk.data.is_reading)
    _rest(SETTLE_MS)


def _empty(studio, folder: Path) -> None:
    model = studio.desk.projects.current.recipe.model.name
    studio.desk.projects.create("Support replies").set_value("model.name", model)
    _page(studio)


def _replies(folder: Path) -> Path:
    """1,842 chats of unlike lengths, some of them wrong."""
    chance, path = random.Random(7), folder / "support_replies.jsonl"
    lines = []
    for number in range(1842):
        words = round(chance.lognormvariate(4.6, 0.8)) + 3
        answer = " ".join(chance.choice(WORDS.split()) for _ in range(words))
        question = f"Where is my parcel? Order {chance.randrange(10**5)}"
        if number in {76, 911, 1529}:
            answer = ""
        if number in {40, 41}:
            answer = f"Write to anna.{number}@example.org, she knows the way."
        turns = [
            {"role": "system", "content": "You answer customers briefly and kindly."},
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer.capitalize()},
        ]
        lines.append(json.dumps({"messages": turns}))
    lines[1203] = '{"messages": [{"role": "user"'
    lines[500] = lines[499]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _restaurants(folder: Path) -> Path:
    """A table whose columns nobody can know."""
    path = folder / "restaurants.csv"
    rows = [
        f'"name[Blue Lamp {n}], food[soup], area[riverside]",'
        f'"Blue Lamp {n} serves soup by the river and is open late."'
        for n in range(1, 61)
    ]
    path.write_text("\n".join(["mr,ref", *rows]) + "\n", encoding="utf-8")
    return path


def _filled(studio, folder: Path) -> None:
    _open(studio, _replies(folder))


def _found(studio, folder: Path) -> None:
    _open(studio, _replies(folder))
    _page(studio).view.filled.rows.search.setText("order 88")


def _guessed(studio, folder: Path) -> None:
    _open(studio, _restaurants(folder))


def _mapping(studio, folder: Path) -> None:
    _open(studio, _restaurants(folder))
    _page(studio).view.filled.strip.assign.click()
    _rest(SETTLE_MS)
    _page(studio).view.mapping.sources["question"].setEditText("Describe {mr}.")


def _checking(studio, folder: Path) -> None:
    """A file of which only the first rows are read while all of it is checked."""
    path = folder / "fifty_thousand.jsonl"
    row = {"question": "Where is my parcel?", "answer": f"{WORDS}. " * 5}
    path.write_text((json.dumps(row) + "\n") * 50_000, encoding="utf-8")
    page = _page(studio)
    page.view.mapping.cancel.click()
    _open(studio, path)
    _wait(lambda: studio.desk.data.progress[0])


def _drafts(studio, folder: Path) -> None:
    page = _page(studio)
    page.drafts.make()
    path = folder / "cheese.md"
    path.write_text("# Cheese\n\nBrie keeps a week in paper.\n", encoding="utf-8")
    page.drafts.panel.form.add_documents([str(path)])


def _refused(studio, folder: Path) -> None:
    path = folder / "notes.pdf"
    path.write_bytes(b"%PDF-1.7 and so on")
    page = _page(studio)
    page.drafts.close()
    _open(studio, path)


SCENES: dict[str, Callable[..., None]] = {
    "empty": _empty,
    "filled": _filled,
    "found": _found,
    "guessed": _guessed,
    "mapping": _mapping,
    "checking": _checking,
    "drafts": _drafts,
    "refused": _refused,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Take pictures of the Data page.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--size", default="1280x800", metavar="WIDTHxHEIGHT")
    parser.add_argument("--only", default="", metavar="SCENE")
    return parser.parse_args()


def _rest(ms: int) -> None:
    """Let events be handled; unlike QTest's, it leaves Python's threads their turn."""
    clock = QElapsedTimer()
    clock.start()
    while clock.elapsed() < ms:
        QApplication.processEvents()
        time.sleep(0.01)


def _wait(is_so: Callable[[], object], limit_ms: int = 20_000) -> None:
    clock = QElapsedTimer()
    clock.start()
    while not is_so() and clock.elapsed() < limit_ms:
        _rest(PAUSE_MS)
    if not is_so():
        sys.exit("The window did not get ready in time.")


if __name__ == "__main__":
    sys.exit(main())
