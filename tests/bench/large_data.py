"""What the bench of large data runs in processes of their own.

    python -m tests.bench.large_data baseline FILE MODEL
    python -m tests.bench.large_data window FILE MODEL

`baseline` reads, renders and tokenises every row and does nothing else. `window` opens
the file as the window does and watches how long its thread stands still.
"""

import json
import os
import random
import resource
import sys
import time
from pathlib import Path

AT_ONCE = 256
BEAT_S = 0.005
# fmt: off
WORDS = [
    "the", "cheese", "is", "a", "fine", "old", "Brie", "from", "Normandy", "and", "its",
    "rind", "may", "be", "eaten", "with", "bread", "or", "wine", "after", "dinner",
    "while", "milk", "sours", "in", "warm", "rooms", "that", "nobody", "airs",
]
# fmt: on


def write_rows(path, rows):
    """JSON Lines of about 150 bytes a row, each another question."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            asked = " ".join(chance.choices(WORDS, k=chance.randint(3, 8)))
            said = " ".join(chance.choices(WORDS, k=chance.randint(3, 10)))
            turns = [
                {"role": "user", "content": f"Which {asked} number {number}?"},
                {"role": "assistant", "content": f"Aye, {said}."},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    return path


def baseline(file, model):
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    from studio.engine.model_places import place_of
    from studio.engine.tokenizer_alone import tokenizer_alone
    from studio.storage.data_reading import open_data

    tokenizer = tokenizer_alone(place_of(model))
    tokens, texts = 0, []

    def count():
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        texts.clear()
        return sum(map(len, encoded))

    for _, chat in open_data(Path(file)).examples():
        messages = [turn.as_message() for turn in chat.turns]
        texts.append(tokenizer.apply_chat_template(messages, tokenize=False))
        if len(texts) == AT_ONCE:
            tokens += count()
    print(json.dumps({"tokens": tokens + (count() if texts else 0)}))


class Watch:
    """Beats in the window's thread; the longest time between two beats is a stall."""

    def __init__(self, application):
        from PySide6.QtCore import QTimer

        self.longest, self._last = 0.0, time.perf_counter()
        self._timer = QTimer(application)
        self._timer.timeout.connect(self._beat)
        self._timer.start(int(BEAT_S * 1000))

    def _beat(self):
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last - BEAT_S)
        self._last = now


def window(file, model):  # noqa: PLR0915 - one story from the first row to the last
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QTableView

    from studio.services.data_inspector import DataInspector
    from studio.services.data_reader import DataReader
    from studio.services.projects import Projects
    from studio.storage import data_sets
    from studio.ui.item_models.chats import ChatTableModel
    from studio.ui.pages.data.view_model import split_of
    from studio.ui.pages.project_data import ProjectData

    if Path(file).stat().st_size < 2 * data_sets.KEPT_BYTES:
        data_sets.KEPT_BYTES = 1 << 20  # so that few rows are read as many are
    application = QApplication([])
    projects = Projects()
    project = projects.create("Bench")
    data = ProjectData(projects, DataReader(), DataInspector())
    table, rows = QTableView(), ChatTableModel()
    table.setModel(rows)
    table.resize(1000, 700)
    table.show()
    application.processEvents()
    watch, times, shown = Watch(application), {}, []
    scroll = QTimer()
    chance = random.Random(2)

    def show():
        found = data.chat_file
        if found is not None and not (shown and shown[-1] is found.chats):
            shown.append(found.chats)
            rows.set_chats(found.chats, split_of(found, project.recipe))
            table.viewport().repaint()
            times.setdefault("first", time.perf_counter() - began)
        if found is not None and found.is_whole:
            times.setdefault("whole", time.perf_counter() - began)
        if data.report is not None and data.report.lengths.counted:
            times["counted"] = time.perf_counter() - began
            QTimer.singleShot(1000, application.quit)
        if data.trouble is not None or data.finding is not None:
            print(data.trouble or data.finding, file=sys.stderr)
            application.exit(1)

    def scroll_on():
        if rows.rowCount():
            table.scrollTo(rows.index(chance.randrange(rows.rowCount()), 0))

    data.data_changed.connect(show)
    scroll.timeout.connect(scroll_on)
    scroll.start(100)
    began = time.perf_counter()
    recipe = project.recipe.with_value("data.path", file)
    project.set_recipe(recipe.with_value("model.name", model))
    code = application.exec()
    data.close()
    told = {
        **times,
        "rows": len(shown[-1]) if shown else 0,
        "stall": watch.longest,
        "window_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "engine_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    }
    print(json.dumps(told))
    return code


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    sys.exit({"baseline": baseline, "window": window}[verb](*arguments) or 0)
