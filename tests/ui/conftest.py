"""One theme for all tests of the window, and nothing left behind by any of them.

A thread, timer, window or process that outlives its test crashes a later one; it is
found here, at the test that made it.
"""

import gc
import os
import threading
from collections.abc import Iterator

import psutil
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from studio.ui.theme import ColourScheme, Theme

pytest.register_assert_rewrite("tests.ui.helpers")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the offscreen platform say what it can't do: hint sizes, raise, grab."""
    mark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
    for item in items:
        if "tests/ui/" in item.path.as_posix():
            item.add_marker(mark)


@pytest.fixture(scope="session")
def _session_theme(qapp: QApplication) -> Theme:
    return Theme(qapp, ColourScheme.LIGHT)


@pytest.fixture
def theme(_session_theme: Theme) -> Iterator[Theme]:
    """The application's theme; whatever a test chose is light again after it."""
    QApplication.instance().setProperty("snugtune_keyboard", False)
    yield _session_theme
    _session_theme.set_scheme(ColourScheme.LIGHT)
    _session_theme.set_reduced_motion(reduced=False)


@pytest.fixture(autouse=True, scope="session")
def _earlier_objects_set_aside() -> None:
    """Keep what other tests imported, such as torch, out of every collection here."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_left_behind(theme: Theme) -> Iterator[None]:
    threads = set(threading.enumerate())
    processes = _child_processes()
    objects = {id(obj) for obj in _living(QThread, QTimer)}
    yield
    _settle()
    left = [
        *_running_qt_objects(objects),
        *_visible_windows(),
        *_living_threads(threads),
        *(f"process {pid}" for pid in _child_processes() - processes),
    ]
    assert left == [], f"left behind by this test: {left}"


def _settle() -> None:
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()


def _living(*kinds: type[QObject]) -> list[QObject]:
    # The type alone is asked: isinstance would wake every lazy object there is.
    return [o for o in gc.get_objects() if issubclass(type(o), kinds) and isValid(o)]


def _running_qt_objects(before: set[int], patience_ms: int = 2_000) -> list[str]:
    found = []
    for obj in _living(QThread, QTimer):
        if id(obj) in before:
            continue
        # A page's reading of the disk may be under way; one that ends by itself is
        # no more left behind than a thread of Python's.
        if isinstance(obj, QThread) and not obj.wait(patience_ms):
            found.append(f"running QThread {obj.objectName()}")
        if isinstance(obj, QTimer) and obj.isActive():
            found.append(f"active QTimer of {obj.parent()}")
    return found


def _visible_windows() -> list[str]:
    shown = QApplication.topLevelWidgets()
    return [f"window {type(w).__name__}" for w in shown if w.isVisible()]


def _living_threads(
    before: set[threading.Thread], patience_s: float = 2.0
) -> list[str]:
    found = []
    for thread in set(threading.enumerate()) - before:
        if isinstance(thread, threading._DummyThread):
            continue  # Python's name for one of Qt's, which are looked at by themselves
        thread.join(timeout=patience_s)
        if thread.is_alive():
            found.append(f"thread {thread.name}")
    return found


def _child_processes() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
