"""A user's hand in the real window: run as a script, it calls main() and clicks.

    python tests/e2e/window_driver.py SCRIPT REPORT

SCRIPT is a function of this module that yields what it waits for; REPORT is a folder
for what was seen: report.json and a picture of each page. The window's own objects are
only used to find what a user would see and click.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTableView,
    QTextEdit,
    QWidget,
)

POLL_MS = 50
PATIENCE_S = 900.0
TURNS_WHILE_IT_HANGS = 20
POLLS_OF_CARDS_EVERY_S = 0.2

Awaited = tuple[str, Callable[[], object]]
Script = Iterator[Awaited]


class Driver(QObject):
    """Steps a script whenever what it waits for has come."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.report: dict[str, object] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._since = time.monotonic()
        self._awaited: Awaited = ("the first step", lambda: True)
        self.longest_stall_s = 0.0
        self.polls = 0
        self._polled_at = 0.0

    def begin(self, window: QWidget, make: Callable[["Driver"], Script]) -> None:
        self.window = window
        self._script = make(self)
        self._timer.start()

    def _poll(self) -> None:
        now = time.monotonic()
        self.polls += 1
        if self._polled_at:
            self.longest_stall_s = max(self.longest_stall_s, now - self._polled_at)
        try:
            if self._awaited[1]():
                self._awaited = next(self._script)
                self._since = time.monotonic()
            elif time.monotonic() - self._since > PATIENCE_S:
                self._end(f"waited in vain for {self._awaited[0]}")
        except StopIteration:
            self._end("")
        except Exception as fault:  # noqa: BLE001 - the report tells it
            self._end(f"{type(fault).__name__}: {fault}")
        self._polled_at = time.monotonic()

    def _end(self, fault: str) -> None:
        self._timer.stop()
        self.picture("last")
        self.report["fault"] = fault
        self.report["words"] = self.words()
        self.report["longest_stall_s"] = self.longest_stall_s
        text = json.dumps(self.report, indent=1, ensure_ascii=False)
        (self.folder / "report.json").write_text(text, encoding="utf-8")
        self.window.close()

    def page(self) -> QWidget:
        return self.window.built_page(self.window.current_page())

    def go_to(self, title: str) -> Awaited:
        """Click an item of the side nav."""
        self.click(title, inside=self.window.side_nav)
        return (
            f"the page {title}",
            lambda: self.window.current_page() == title.lower(),
        )

    def click(self, words: str, inside: QWidget | None = None) -> None:
        """Click the visible, enabled button that says so."""
        QTest.mouseClick(self.button(words, inside), Qt.MouseButton.LeftButton)

    def button(self, words: str, inside: QWidget | None = None) -> QAbstractButton:
        where = inside or self.page()
        found = self.buttons(words, where)
        if not found:
            raise LookupError(f"no button “{words}” on {self.window.current_page()}")
        return found[0]

    def buttons(self, words: str, where: QWidget) -> list[QAbstractButton]:
        return [
            button
            for button in where.findChildren(QAbstractButton)
            if button.isVisible()
            and button.isEnabled()
            and (button.text() or button.accessibleName()).strip().startswith(words)
        ]

    def has_button(self, words: str) -> bool:
        try:
            return bool(self.button(words))
        except LookupError:
            return False

    def type_into(self, name: str, text: str) -> None:
        fields = [
            field
            for field in self.page().findChildren(QLineEdit)
            if field.isVisible() and field.accessibleName().startswith(name)
        ]
        fields[0].setFocus()
        QTest.keyClicks(fields[0], text)

    def replace_in(self, name: str, text: str) -> bool:
        """Type over what an editable box of that name holds; whether there is one."""
        for box in self.page().findChildren(QComboBox):
            if box.isVisible() and box.isEditable() and box.accessibleName() == name:
                box.lineEdit().setFocus()
                box.lineEdit().selectAll()
                QTest.keyClicks(box.lineEdit(), text)
                return True
        return False

    def click_row(self, name: str, words: str) -> bool:
        """Click the row of a table that begins so; whether there is one."""
        tables = self.page().findChildren(QTableView)
        table = next(t for t in tables if t.accessibleName() == name)
        for row in range(table.model().rowCount()):
            index = table.model().index(row, 0)
            if str(index.data()).startswith(words):
                place = table.visualRect(index).center()
                left = Qt.MouseButton.LeftButton
                QTest.mouseClick(table.viewport(), left, pos=place)
                return True
        return False

    def dialog(self) -> QFileDialog | None:
        """The picker that is open."""
        found = [d for d in self.page().findChildren(QFileDialog) if d.isVisible()]
        return found[0] if found else None

    def choose_in_dialog(self, path: str) -> None:
        """Paste a path into the open picker and click Open."""
        dialog = self.dialog()
        field = dialog.findChild(QLineEdit, "fileNameEdit")  # as Qt names it
        field.setText(path)  # typed, it would be completed to something else
        buttons = dialog.findChildren(QPushButton)
        take = next(b for b in buttons if b.text().replace("&", "") == "Open")
        QTest.mouseClick(take, Qt.MouseButton.LeftButton)

    def words(self) -> str:
        """All that the current page says."""
        seen = [w for w in self.page().findChildren(QWidget) if w.isVisible()]
        said = [w.text() for w in seen if isinstance(w, QLabel)]
        said += [
            w.toPlainText() for w in seen if isinstance(w, QPlainTextEdit | QTextEdit)
        ]
        # Labels that shorten what they show say all of it to a screen reader.
        said += [w.accessibleName() for w in seen]
        return "\n".join(said)

    def answers(self) -> list[str]:
        """What stands in each box of an answer."""
        boxes = [
            box
            for kind in (QPlainTextEdit, QTextEdit)
            for box in self.page().findChildren(kind)
            if box.isVisible() and box.accessibleName().endswith(": answer")
        ]
        return [box.toPlainText() for box in boxes]

    def says(self, *words: str) -> Callable[[], bool]:
        return lambda: all(word in self.words() for word in words)

    def picture(self, name: str) -> None:
        self.window.grab().save(str(self.folder / f"{name}.png"))


def click_through(driver: Driver) -> Script:
    """Every page of the first job, from the card to the merged model's answer."""
    yield "the start page", lambda: driver.window.current_page() == "start"
    yield "the example", lambda: driver.has_button("Fine-tune the example")
    driver.picture("1-start")
    yield driver.go_to("Hardware")
    yield "the memory", driver.says("GiB")
    driver.picture("2-hardware")
    yield driver.go_to("Model")
    yield "the model in use", driver.says("SmolLM2")
    driver.picture("3-model")
    yield driver.go_to("Data")
    yield "the rows", driver.says("180")
    driver.picture("4-data")
    yield driver.go_to("Recipe")
    yield "the price", driver.says("GiB")
    yield "leave to start", lambda: driver.has_button("Start training")
    driver.picture("5-recipe")
    driver.click("Start training")
    yield "the run page", lambda: driver.window.current_page() == "run"
    yield "a percentage", lambda: " % " in driver.window.windowTitle()
    driver.report["title"] = driver.window.windowTitle()
    driver.picture("6-run")
    yield "the end of the run", lambda: driver.has_button("Go on to the result")
    driver.picture("7-run-finished")
    driver.report["run"] = driver.words()
    driver.click("Go on to the result")
    yield "the result", lambda: driver.window.current_page() == "export"
    yield "leave to export", lambda: driver.has_button("Export and prove")
    driver.picture("8-export")
    opened: list[Path] = []
    driver.page().deed.open_folder = opened.append
    driver.click("Export and prove")
    yield "the exported folder", lambda: opened
    driver.report["exported"] = [str(folder) for folder in opened]
    yield "the verdict", lambda: driver.has_button("Read the certificate")
    driver.report["verdict"] = driver.page().view.proof.certificate.verdict.mark.words
    driver.picture("8-exported")
    driver.click("Answers")
    driver.type_into("Prompt", "How do I keep Brie?")
    driver.click("Ask both")
    yield "both answers", lambda: driver.has_button("Ask both")
    driver.picture("9-answers")
    driver.report["answers"] = driver.answers()
    yield driver.go_to("Runs")
    yield "the run in the list", lambda: driver.has_button("Open")
    driver.picture("10-runs")


def train_and_wait(driver: Driver) -> Script:
    """Start the example, tell when it trains, then tell what the page says at last."""
    yield "the example", lambda: driver.has_button("Fine-tune the example")
    driver.click("Fine-tune the example")
    yield "a first step", lambda: " % " in driver.window.windowTitle()
    (driver.folder / "training").touch()
    yield "the end", driver.says("ended without a word")
    (driver.folder / "told").touch()


def train_and_close(driver: Driver) -> Script:
    """Start the example and close the window while it trains."""
    yield "the example", lambda: driver.has_button("Fine-tune the example")
    driver.click("Fine-tune the example")
    yield "a first step", lambda: " % " in driver.window.windowTitle()
    (driver.folder / "training").touch()


def import_map_train(driver: Driver) -> Script:
    """A table of unknown columns, from the picker to a finished run.

    The table's path is the environment variable SNUGTUNE_TEST_TABLE.
    """
    yield "the start page", lambda: driver.window.current_page() == "start"
    yield "the buttons", lambda: driver.has_button("New project")
    driver.click("New project")
    yield "the name's field", lambda: driver.has_button("Create")
    driver.type_into("Name", "")
    driver.click("Create")
    yield "the model page", lambda: driver.window.current_page() == "model"
    driver.type_into("Find a model", "SmolLM2-135M")
    yield "the model", lambda: driver.click_row("Models", "SmolLM2 135M")
    yield "leave to use it", lambda: driver.has_button("Use SmolLM2")
    driver.click("Use SmolLM2")
    yield driver.go_to("Data")
    yield "the picker's button", lambda: driver.has_button("Choose a file")
    driver.click("Choose a file")
    yield "the picker", lambda: driver.dialog() is not None
    driver.choose_in_dialog(os.environ["SNUGTUNE_TEST_TABLE"])
    yield "the guess", driver.says("Which column is which is a guess.")
    driver.picture("1-guessed")
    driver.click("Assign columns")
    yield "the form", driver.says("Row 2: Question")
    words = "Describe this place: {mr}"
    yield "the part's box", lambda: driver.replace_in("Question", words)
    yield "the template", driver.says("Describe this place: name[")
    driver.picture("2-mapping")
    yield "leave to use them", lambda: driver.has_button("Use these columns")
    driver.click("Use these columns")
    yield "the rows", driver.says("As assigned")
    driver.picture("3-data")
    driver.report["data"] = driver.words()
    driver.click("Go on to the recipe")
    yield "leave to start", lambda: driver.has_button("Start training")
    driver.click("Start training")
    yield "the end of the run", lambda: driver.has_button("Go on to the result")
    driver.report["run"] = driver.words()


SCENES = Path(__file__).parent.parent / "nvml_stub" / "scenes"
CARDS = {
    "rtx-4090-idle": ("23.63 GiB free", "RTX 4090 · Ada, compute 8.9", "Full speed"),
    "rtx-3060-game": ("6.34 GiB free", "2 other programs", "Held back"),
    "t4": ("14.57 GiB free", "Tesla T4 · Turing", "on, 0 uncorrected"),
    "two-unlike-cards": ("11.34 GiB free", "2 cards"),
    "a100-mig": ("19.61 GiB free", "is divided (MIG)", "10.62 of 19.62 GiB free"),
    "wsl": ("10.32 GiB free", "RTX 4070"),
    "gb10": ("NVIDIA GB10", "shares the machine's main memory"),
    "vgpu": ("7.38 GiB free", "is a virtual card (vGPU)"),
    "old-driver": ("7.67 GiB free", "too old for some of the questions"),
    "version-mismatch": ("was updated while the old one is still loaded",),
    "no-permission": ("This account may not use the NVIDIA card",),
    "driver-not-loaded": ("installed but not loaded",),
    "lost-at-tenth-poll": ("NVIDIA GeForce RTX 4090 stopped answering",),
    "hot-plug": ("RTX 3060 is no longer there",),
    "hanging-call": ("The NVIDIA driver has not answered for",),
}
"""What the page says of each scene, at the latest when the scene has played."""


def watch_cards(driver: Driver) -> Script:
    """Every scene of the played driver on the Hardware page, the hanging one last."""
    yield "the start page", lambda: driver.window.current_page() == "start"
    yield driver.go_to("Hardware")
    for scene, words in CARDS.items():
        os.environ["SNUGTUNE_NVML_SCENE"] = str(SCENES / f"{scene}.scene")
        driver.click("Look again")
        yield f"the scene {scene}", driver.says(*words)
        driver.picture(scene)
    # The driver hangs by now; the window goes on.
    yield driver.go_to("Model")
    yield driver.go_to("Hardware")
    told = driver.polls
    yield "more turns of the loop", lambda: driver.polls > told + TURNS_WHILE_IT_HANGS


SCRIPTS = {
    script.__name__: script
    for script in (
        click_through,
        import_map_train,
        train_and_wait,
        train_and_close,
        watch_cards,
    )
}


def main() -> int:
    from studio import app
    from studio.services.hardware_monitor import HardwareMonitor

    script, folder = sys.argv[1], Path(sys.argv[2])
    driver = Driver(folder)
    if script == watch_cards.__name__:
        # Ten polls of a scene shall not take ten seconds.
        HardwareMonitor.start.__defaults__ = (POLLS_OF_CARDS_EVERY_S,)

    def begin(window: QWidget) -> None:
        window.resize(1280, 800)
        driver.begin(window, SCRIPTS[script])

    return app.main(["--example"], on_shown=begin)


if __name__ == "__main__":
    sys.exit(main())
