"""A home of their own for all tests of services, and nothing left behind by any."""

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from studio.storage.run_directory import RunDirectory

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")


def fake_engine(scene: str, directory: RunDirectory | None = None) -> list[str]:
    """The command line of an engine that plays a scene."""
    where = [] if directory is None else [str(directory.path)]
    return [sys.executable, str(FAKE_ENGINE), scene, *where]


def playing(scene: str) -> Callable[[RunDirectory], Sequence[str]]:
    """What makes a run controller start an engine that plays a scene."""
    return lambda directory: fake_engine(scene, directory)


@pytest.fixture(autouse=True, scope="session")
def _earlier_objects_set_aside() -> None:
    """Keep what other tests imported, such as torch, out of every collection here."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where projects, models and preferences of this test go."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def _nothing_left_behind(qapp: QApplication, home: Path) -> Iterator[None]:
    threads = set(threading.enumerate())
    processes = _children()
    objects = {id(found) for found in _living()}
    yield
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()
    left = [
        *(f"{kind}" for kind in _active(objects)),
        *_living_threads(threads),
        *(f"process {pid}" for pid in _children() - processes),
    ]
    assert left == [], f"left behind by this test: {left}"


def _living() -> list[QObject]:
    # The type alone is asked: isinstance would wake every lazy object there is.
    kinds = (QThread, QTimer)
    return [o for o in gc.get_objects() if issubclass(type(o), kinds) and isValid(o)]


def _active(before: set[int], patience_ms: int = 2_000) -> list[str]:
    found = []
    for obj in _living():
        if id(obj) in before:
            continue
        if obj is QThread.currentThread():
            continue
        if isinstance(obj, QThread) and not obj.wait(patience_ms):
            found.append("a running QThread")
        if isinstance(obj, QTimer) and obj.isActive():
            found.append("an active QTimer")
    return found


def _living_threads(before: set[threading.Thread]) -> list[str]:
    found = []
    for thread in set(threading.enumerate()) - before:
        if isinstance(thread, threading._DummyThread):
            continue  # Python's name for one of Qt's, which are looked at by themselves
        thread.join(timeout=5)
        if thread.is_alive():
            found.append(f"thread {thread.name}")
    return found


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
