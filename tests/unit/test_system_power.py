"""Sleep, batteries and restarts, on machines that tests only play."""

import sys
from types import SimpleNamespace

import psutil
import pytest

from studio.system import power
from studio.system.power import Battery, battery, falls_asleep, kept_awake


def played(monkeypatch, told):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: told, raising=False)


def test_that_a_battery_counts_only_while_it_is_emptied(monkeypatch):
    played(monkeypatch, None)
    assert battery() is None
    plugged = SimpleNamespace(percent=50.0, secsleft=-2, power_plugged=True)
    played(monkeypatch, plugged)
    assert battery() is None
    plugged.power_plugged = None  # the system doesn't know
    assert battery() is None
    plugged.power_plugged = False
    assert battery() == Battery(50.0, None)
    plugged.secsleft = 3600
    assert battery() == Battery(50.0, 3600.0)


def test_that_a_system_without_batteries_is_no_fault(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    assert battery() is None


@pytest.mark.skipif(sys.platform == "win32", reason="asks Linux's mark")
def test_that_a_restart_is_told_by_its_mark(monkeypatch, tmp_path):
    mark = tmp_path / "reboot-required"
    monkeypatch.setattr(power, "_REBOOT_MARK", mark)
    assert not power.reboot_is_pending()
    mark.touch()
    assert power.reboot_is_pending()


class Registry:
    """Plays Windows's winreg: knows some keys of one hive."""

    HKEY_LOCAL_MACHINE = object()

    def __init__(self, *keys):
        self._keys, self.asked, self.open = keys, [], 0

    def OpenKey(self, hive, path):  # noqa: N802 - winreg's own name
        assert hive is self.HKEY_LOCAL_MACHINE
        self.asked.append(path)
        if path not in self._keys:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        self.open += 1
        return self

    def Close(self):  # noqa: N802 - as above
        self.open -= 1


WINDOWS = r"SOFTWARE\Microsoft\Windows\CurrentVersion"
UPDATE = WINDOWS + r"\WindowsUpdate\Auto Update\RebootRequired"
SERVICING = WINDOWS + r"\Component Based Servicing\RebootPending"


@pytest.mark.parametrize(
    ("keys", "pending"), [((), False), ((UPDATE,), True), ((SERVICING,), True)]
)
def test_that_windows_tells_a_restart_by_either_of_two_keys(monkeypatch, keys, pending):
    registry = Registry(*keys)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", registry)
    assert power.reboot_is_pending() is pending
    assert set(registry.asked) <= {UPDATE, SERVICING}
    assert registry.open == 0


def test_that_windows_key_that_may_not_be_read_is_no_fault(monkeypatch):
    registry = Registry()
    monkeypatch.setattr(registry, "OpenKey", _denied)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", registry)
    assert not power.reboot_is_pending()


def _denied(*_):
    raise PermissionError(5, "Access is denied")


class Keeper:
    """Plays wakepy's mode."""

    def __init__(self, *, active, asked):
        self.active, self._asked = active, asked

    def __enter__(self):
        self._asked.append("on")
        return self

    def __exit__(self, *_):
        self._asked.append("off")


@pytest.mark.parametrize("active", [True, False])
def test_that_sleep_is_held_off_for_the_work_inside_alone(monkeypatch, active):
    asked = []
    keep = SimpleNamespace(running=lambda **_: Keeper(active=active, asked=asked))
    monkeypatch.setitem(sys.modules, "wakepy", SimpleNamespace(keep=keep))
    with kept_awake() as granted:
        assert granted is active
        assert asked == ["on"]
    assert asked == ["on", "off"]


def test_that_a_run_goes_on_where_sleep_cant_be_held_off(monkeypatch):
    monkeypatch.setitem(sys.modules, "wakepy", None)  # not installed
    with kept_awake() as granted:
        assert not granted


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's desktop")
def test_that_only_a_desktop_falls_asleep_by_itself(monkeypatch):
    monkeypatch.delenv("XDG_CURRENT_DESKTOP", raising=False)
    assert not falls_asleep()
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "GNOME")
    assert falls_asleep()
