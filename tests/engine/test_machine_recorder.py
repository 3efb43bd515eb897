"""The machine is recorded beside a run, and the recording costs no run."""

import os
import threading
import time

import pytest

from studio.domain.finding import error
from studio.domain.hardware import GIB, GpuProcess, GpuReading, MachineReading
from studio.engine import machine_recorder
from studio.engine.machine_recorder import recorded, sample_of
from studio.storage.run_directory import RunDirectory
from studio.system.nvml import GpuSurvey

PATIENCE_S = 30
CARD = GpuReading(
    index=0,
    uuid="GPU-1",
    name="A card",
    total_bytes=12 * GIB,
    free_bytes=5 * GIB,
    processes=(GpuProcess(77, "python", 6 * GIB), GpuProcess(8, "game", GIB)),
    utilization=0.9,
    temperature_c=71,
    power_w=164.0,
    sm_clock_mhz=1755,
    throttle_reasons=("power limit",),
)


class Driver:
    """Plays NVML: answers, or blocks until the gate opens."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()

    def survey(self):
        self.gate.wait(PATIENCE_S)
        return GpuSurvey((CARD,))


def reading(*gpus, finding=None):
    return MachineReading(
        gpus=gpus,
        gpu_finding=finding,
        ram_total_bytes=16 * GIB,
        ram_available_bytes=9 * GIB,
        disk_free_bytes=GIB,
        read_at=0.0,
    )


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(machine_recorder, "_EVERY_S", 0.01)


def wait_until(condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_that_a_sample_tells_the_run_apart_from_others_on_the_card():
    sample = sample_of(reading(CARD), 77)
    assert (sample.total_bytes, sample.free_bytes) == (12 * GIB, 5 * GIB)
    assert sample.run_bytes == 6 * GIB
    assert (sample.utilization, sample.temperature_c) == (0.9, 71)
    assert (sample.power_w, sample.sm_clock_mhz) == (164.0, 1755)
    assert sample.throttle == ("power limit",)


def test_that_a_sample_names_the_platform_whose_driver_lends_main_memory(monkeypatch):
    monkeypatch.setattr(machine_recorder, "platform_of_driver", lambda: "WSL")
    assert sample_of(reading(CARD), 77).platform == "WSL"


def test_that_without_a_card_main_memory_and_the_reason_are_recorded():
    trouble = error("gpu.lost", "The card stopped answering.")
    sample = sample_of(reading(finding=trouble), os.getpid())
    assert (sample.total_bytes, sample.free_bytes) == (16 * GIB, 9 * GIB)
    assert sample.run_bytes > 0
    assert sample.temperature_c is None
    assert sample.trouble == "The card stopped answering."


def test_that_samples_are_appended_while_the_run_goes_on_and_read_back(tmp_path, quick):
    run = RunDirectory(tmp_path)
    with recorded(run, Driver()):
        wait_until(lambda: len(list(run.machine_samples())) > 2)
    kept = list(run.machine_samples())
    assert {sample.free_bytes for sample in kept} == {5 * GIB}
    assert [sample.at for sample in kept] == sorted(sample.at for sample in kept)
    with recorded(run, Driver()):
        wait_until(lambda: len(list(run.machine_samples())) > len(kept))
    assert list(run.machine_samples())[: len(kept)] == kept


def test_that_a_torn_line_hides_no_other(tmp_path, quick):
    run = RunDirectory(tmp_path)
    with recorded(run, Driver()):
        wait_until(lambda: len(list(run.machine_samples())) > 1)
    whole = len(list(run.machine_samples()))
    with run.machine_path.open("ab") as file:
        file.write(b'{"at":"2026-')
    assert len(list(run.machine_samples())) == whole


def test_that_a_run_without_a_recording_has_no_samples(tmp_path):
    assert list(RunDirectory(tmp_path).machine_samples()) == []


def test_that_a_wedged_driver_holds_up_no_run(tmp_path):
    driver = Driver()
    driver.gate.clear()
    with recorded(RunDirectory(tmp_path), driver):
        pass
    driver.gate.set()


def test_that_a_disk_that_refuses_ends_the_recording_alone(tmp_path):
    with recorded(RunDirectory(tmp_path / "missing"), Driver()):
        pass
    assert not (tmp_path / "missing").exists()
