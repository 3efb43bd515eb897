"""Faults of the program itself: kept in a file, told to whoever listens."""

import faulthandler
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio.services.crash_log import CrashLog, redacted

HARD_CRASH = """
import ctypes, sys
from pathlib import Path
from studio.services.crash_log import CrashLog
CrashLog(Path(sys.argv[1])).install()
ctypes.string_at(0)
"""


@pytest.fixture
def log(tmp_path):
    made = CrashLog(tmp_path / "logs")
    made.install()
    yield made
    made.uninstall()


def test_that_an_exception_reaches_the_listener_and_the_file(log):
    told = []
    log.listener = told.append
    sys.excepthook(ValueError, ValueError("odd"), None)
    assert "ValueError: odd" in told[0]
    assert "ValueError: odd" in log.path.read_text(encoding="utf-8")


def test_that_a_thread_s_exception_is_told_as_well(log):
    told = []
    log.listener = told.append

    def fail() -> None:
        raise LookupError("gone")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "LookupError: gone" in told[0]


def test_that_a_report_doesn_t_name_the_user():
    assert redacted(f"in {Path.home()}/project/x.py") == "in ~/project/x.py"


def test_that_the_hooks_are_put_back(tmp_path):
    before = sys.excepthook, threading.excepthook, faulthandler.is_enabled()
    log = CrashLog(tmp_path)
    log.install()
    log.uninstall()
    assert (sys.excepthook, threading.excepthook, faulthandler.is_enabled()) == before


def test_that_a_folder_that_can_t_be_written_doesn_t_stop_the_window(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    log = CrashLog(blocked / "logs")
    told = []
    log.listener = told.append
    assert log.install() == ""
    sys.excepthook(ValueError, ValueError("odd"), None)
    log.uninstall()
    assert "ValueError: odd" in told[0]


def test_that_a_hard_crash_is_found_at_the_next_start(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", HARD_CRASH, str(tmp_path)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode < 0
    log = CrashLog(tmp_path)
    stack = log.install()
    log.uninstall()
    assert "Segmentation fault" in stack
    again = CrashLog(tmp_path)
    assert again.install() == ""
    again.uninstall()


def test_that_a_long_log_is_begun_anew(log):
    log.path.write_bytes(b"x" * (1 << 21))
    log.write("the newest line")
    assert log.path.stat().st_size < 1000
    assert log.path.with_suffix(".log.1").stat().st_size == 1 << 21
