"""The watch itself: what it must find, and what it must let pass."""

import gc
import subprocess
import sys
import threading
import warnings

from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QWidget

from tests.ui import conftest as watch


class Touchy:
    """Warns when it is asked for its class, as deprecated names of torch do."""

    @property
    def __class__(self) -> type:
        warnings.warn("ask something else", FutureWarning, stacklevel=2)
        return Touchy


def test_that_objects_that_warn_when_asked_are_left_alone(qapp):
    touchy = Touchy()
    touchy.circle = touchy  # the collector knows only what can be part of a circle
    assert any(found is touchy for found in gc.get_objects())
    assert all(found is not touchy for found in watch._living(QTimer))
    del touchy.circle


def test_that_a_timer_left_running_is_found(qapp):
    timer = QTimer()
    timer.start(60_000)
    found = watch._running_qt_objects(before=set())
    timer.stop()
    assert [words for words in found if "QTimer" in words]


def test_that_a_thread_of_qt_left_running_is_found(qapp):
    thread = QThread()
    thread.setObjectName("forgotten")
    thread.start()
    found = watch._running_qt_objects(before=set())
    thread.quit()
    assert thread.wait(5_000)
    assert "running QThread forgotten" in found


def test_that_a_window_left_open_is_found(qapp):
    window = QWidget()
    window.show()
    found = watch._visible_windows()
    window.close()
    assert found == ["window QWidget"]
    assert watch._visible_windows() == []


def test_that_a_dangling_thread_is_found():
    before = set(threading.enumerate())
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="forgotten")
    thread.start()
    found = watch._living_threads(before, patience_s=0.01)
    done.set()
    thread.join()
    assert found == ["thread forgotten"]


def test_that_a_child_left_alive_is_found():
    before = watch._child_processes()
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    )
    found = watch._child_processes() - before
    child.communicate("\n")
    assert child.pid in found
    assert child.pid not in watch._child_processes()
