import threading
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QObject, QThread

from studio.domain.finding import error
from studio.domain.hardware import GpuReading
from studio.services import hardware_monitor
from studio.services.hardware_monitor import HardwareMonitor
from studio.system.nvml import GpuSurvey, Nvml

PATIENCE_MS = 10_000
CARD = GpuReading(index=0, uuid="GPU-1", name="A card", total_bytes=2, free_bytes=1)


class Driver:
    """Plays NVML: answers, blocks or breaks, and remembers who asked."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.askers = set()
        self.fault = None
        self.surveys = 0
        self.looked_again = False

    def survey(self):
        self.askers.add(threading.get_ident())
        self.surveys += 1
        self.gate.wait(30)
        if self.fault:
            raise self.fault
        return GpuSurvey((CARD,), None, "580", "13.0")

    def look_again(self):
        self.looked_again = True

    def close(self):
        self.gate.set()


@pytest.fixture
def driver():
    return Driver()


@pytest.fixture
def monitor(qtbot, driver):
    monitor = HardwareMonitor(driver, driver_limit_s=0.1)
    yield monitor
    driver.gate.set()
    monitor.stop()


def wait_until(qtbot, truth):
    qtbot.waitUntil(truth, timeout=PATIENCE_MS)


def test_that_readings_arrive_here_and_the_driver_is_asked_elsewhere(
    qtbot, monitor, driver
):
    class Receiver(QObject):
        def __init__(self):
            super().__init__()
            self.threads = set()

        def take(self, _reading):
            self.threads.add(QThread.currentThread())

    receiver = Receiver()
    monitor.reading_changed.connect(receiver.take)
    assert monitor.latest is None
    monitor.start(0.01)
    wait_until(qtbot, lambda: driver.surveys > 2 and monitor.latest is not None)
    assert receiver.threads == {receiver.thread()}
    assert threading.get_ident() not in driver.askers
    assert monitor.latest.gpus == (CARD,)
    assert monitor.latest.device().kind == "cuda"
    assert monitor.latest.ram_total_bytes > 0


def test_that_a_driver_that_blocks_is_told_and_its_figures_are_dropped(
    qtbot, monitor, driver
):
    monitor.start(0.01)
    wait_until(qtbot, lambda: monitor.latest is not None)
    driver.gate.clear()
    wait_until(qtbot, lambda: monitor.latest.gpu_finding is not None)
    assert monitor.latest.gpu_finding.code == "gpu.no-answer"
    assert monitor.latest.gpus == ()
    driver.gate.set()
    wait_until(qtbot, lambda: monitor.latest.gpu_finding is None)
    assert monitor.latest.gpus == (CARD,)


def test_that_a_window_can_close_while_the_driver_blocks(qtbot, driver):
    monitor = HardwareMonitor(driver, driver_limit_s=3600)
    driver.gate.clear()
    monitor.start()
    wait_until(qtbot, lambda: driver.surveys == 1)
    monitor.stop()
    assert monitor.latest is None
    driver.gate.set()


def test_that_a_binding_that_breaks_is_told(qtbot, monitor, driver):
    driver.fault = AttributeError("no such call")
    monitor.start(0.01)
    wait_until(qtbot, lambda: monitor.latest is not None)
    assert "no such call" in monitor.latest.gpu_finding.what


def test_that_the_card_is_measured_at_once_when_asked(qtbot, monitor, driver):
    monitor.start(3600)
    wait_until(qtbot, lambda: driver.surveys == 1)
    wait_until(qtbot, lambda: monitor.latest is not None)
    monitor.refresh()
    wait_until(qtbot, lambda: driver.surveys == 2)
    assert driver.looked_again


def test_that_polling_can_be_ended_and_begun_again(qtbot, monitor, driver):
    monitor.start(0.01)
    monitor.start(0.01)
    wait_until(qtbot, lambda: driver.surveys > 0)
    monitor.stop()
    monitor.stop()
    monitor.refresh()
    before = driver.surveys
    monitor.start(0.01)
    wait_until(qtbot, lambda: driver.surveys > before)


def test_that_a_fault_of_the_polling_itself_ends_it_with_words(
    qtbot, monitor, monkeypatch
):
    def fail(_survey, _load):
        raise OSError("no such disk")

    monkeypatch.setattr(hardware_monitor, "read_machine", fail)
    broken = []
    monitor.polling_failed.connect(broken.append)
    monitor.start(0.01)
    wait_until(qtbot, lambda: bool(broken))
    assert "no such disk" in broken[0].what


def test_that_without_a_card_the_reading_says_so(qtbot):
    missing = SimpleNamespace(
        survey=lambda: GpuSurvey(finding=error("gpu.none", "None.")), close=lambda: None
    )
    monitor = HardwareMonitor(missing)
    monitor.start(0.01)
    wait_until(qtbot, lambda: monitor.latest is not None)
    monitor.stop()
    assert monitor.latest.gpu_finding.code == "gpu.none"
    assert monitor.latest.device().kind == "cpu"


def test_that_this_machine_is_measured(qtbot):
    monitor = HardwareMonitor(Nvml())
    monitor.start(0.01)
    wait_until(qtbot, lambda: monitor.latest is not None)
    monitor.stop()
    assert bool(monitor.latest.gpus) != (monitor.latest.gpu_finding is not None)
