import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from studio.system import machine
from studio.system.machine import disk_free, processor_has_bf16, processor_name
from studio.system.nvml import GpuSurvey
from studio.system.paths import (
    cache_dir,
    config_dir,
    data_dir,
    models_dir,
    projects_dir,
)


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPUINFO", file)
    cached = (processor_has_bf16, processor_name)
    for function in cached:
        function.cache_clear()
    yield file
    for function in cached:
        function.cache_clear()


def test_that_all_folders_follow_the_home_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    assert data_dir() == tmp_path / "data"
    assert cache_dir() == tmp_path / "cache"
    assert config_dir() == tmp_path / "config"
    assert projects_dir() == tmp_path / "data" / "projects"
    assert models_dir() == tmp_path / "cache" / "models"


def test_that_without_the_variable_the_systems_folders_are_taken(monkeypatch):
    monkeypatch.delenv("SNUGTUNE_HOME", raising=False)
    assert all("snugtune" in str(f()) for f in (data_dir, cache_dir, config_dir))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: Some CPU\nflags\t\t: fpu sse avx512_bf16\n", True),
        ("model name\t: Some CPU\nflags\t\t: fpu amx_bf16 amx_tile\n", True),
        ("model name\t: Some CPU\nflags\t\t: fpu sse avx2\n", False),
        ("Features\t: fp asimd bf16\n", True),
        ("", False),
    ],
)
def test_that_bf16_is_told_from_the_processors_flags(cpuinfo, text, expected):
    cpuinfo.write_text(text)
    assert processor_has_bf16() is expected


def test_that_bf16_is_not_claimed_where_flags_can_t_be_read(cpuinfo):
    assert processor_has_bf16() is False


def test_that_the_processors_name_is_its_makers(cpuinfo):
    cpuinfo.write_text("processor : 0\nmodel name\t: Some CPU @ 3 GHz\n")
    assert processor_name() == "Some CPU @ 3 GHz"


def test_that_disk_is_measured_where_a_folder_would_be_made(tmp_path):
    assert disk_free(tmp_path / "not" / "yet" / "here") == disk_free(tmp_path)
    assert disk_free(Path("/")) > 0


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float


def test_that_the_processor_s_load_is_what_it_did_since_it_was_asked(monkeypatch):
    told = iter(
        [Times(10, 5, 80, 5, 4), Times(13, 6, 85, 6, 6), Times(13, 6, 85, 6, 6)]
    )
    monkeypatch.setattr(machine.psutil, "cpu_times", lambda: next(told))
    load = machine.ProcessorLoad()
    assert load.read() is None
    assert load.read() == pytest.approx(0.4)
    assert load.read() is None


def test_that_a_wedged_driver_does_not_hold_up_a_program_that_looks_once(monkeypatch):
    gate = threading.Event()

    def hang():
        gate.wait()
        return GpuSurvey()

    monkeypatch.setattr(machine, "_survey_once", hang)
    reading = machine.read_machine_once(0.1)
    gate.set()
    assert reading.gpu_finding.code == "gpu.no-answer"
    assert reading.ram_total_bytes > 0


def test_that_a_driver_that_wedges_later_is_told_at_each_look(monkeypatch):
    gate = threading.Event()
    surveys = iter([GpuSurvey(driver_version="550"), None])

    def survey(_self):
        told = next(surveys, None)
        if told is None:
            gate.wait()
            return GpuSurvey(driver_version="551")
        return told

    monkeypatch.setattr(machine.Nvml, "survey", survey)
    with machine.MachineReader(0.1) as reader:
        assert reader.read().driver_version == "550"
        assert reader.read().gpu_finding.code == "gpu.no-answer"
        assert reader.read().gpu_finding.code == "gpu.no-answer"
        gate.set()
        assert reader.read().driver_version == "551"


def test_that_a_binding_that_breaks_leaves_the_rest_of_the_machine(monkeypatch):
    def break_(_self):
        raise AttributeError("no such call")

    monkeypatch.setattr(machine.Nvml, "survey", break_)
    reading = machine.read_machine_once()
    assert reading.gpu_finding.code == "gpu.binding"
    assert "no such call" in reading.gpu_finding.what


def test_that_a_reading_without_cards_trains_on_the_processor():
    reading = machine.read_machine(GpuSurvey())
    device = reading.device()
    assert device.kind == "cpu"
    assert 0 < device.free_bytes <= device.total_bytes
    assert reading.processor_cores >= 1
    assert reading.disk_free_bytes > 0
