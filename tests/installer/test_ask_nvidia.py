"""Asking the driver: a pretended nvidia-smi, a compiled pretended library."""

import json
import shutil
import subprocess
from pathlib import Path

import nvidia
import pytest
from facts import DriverProblem, Gpu, facts_from_json, facts_to_json
from nvidia import kernel_driver_version, read_nvidia
from probe import free_disk_bytes, probe

LIMIT_S = 5.0
HANG_LIMIT_S = 0.5
NO_FILE = Path("no-such-file")

# A pretended libnvidia-ml: the scene is set by macros at compile time.
LIBRARY = r"""
#include <string.h>
#include <unistd.h>
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlInit_v2(void) {
#ifdef HANG
    sleep(60);
#endif
    return INIT;
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    strncpy(text, "580.95.05", length); return 0;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(long)(index + 1); return 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
    strncpy(text, handle == (void *)1 ? "NVIDIA A100" : "NVIDIA GB10", length);
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = handle == (void *)1 ? 8 : 12; *minor = handle == (void *)1 ? 0 : 1;
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, memory_t *memory) {
    if (handle == (void *)2) return 3;
    memory->total = (handle == (void *)1 ? 40960ULL : 9856ULL) << 20;
    return 0;
}
#ifdef MIG
int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    *current = *pending = handle == (void *)1; return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    *count = 7; return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *parent, unsigned index, void **handle) {
    if (index > 1) return 6;
    *handle = (void *)(long)(index + 100); return 0;
}
#endif
"""


@pytest.fixture
def pretend_tool(tmp_path, monkeypatch):
    """Return a function that puts an nvidia-smi with this body on the path."""

    def put(body):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


@pytest.fixture
def pretend_library(tmp_path, monkeypatch):
    """Return a function that compiles a libnvidia-ml and lets the loader find it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to make a pretended libnvidia-ml with")

    def make(*macros, init=0):
        source = tmp_path / "library.c"
        source.write_text(LIBRARY)
        target = tmp_path / "libnvidia-ml.so.1"
        flags = [f"-DINIT={init}", *(f"-D{macro}" for macro in macros)]
        command = [compiler, "-shared", "-fPIC", *flags, "-o", target, source]
        subprocess.run(command, check=True)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
        monkeypatch.setenv("PATH", "/nowhere")

    return make


def test_that_one_line_of_nvidia_smi_is_read(pretend_tool):
    pretend_tool('echo "550.163.01, NVIDIA GeForce RTX 4090, 8.9, 24564, [N/A]"')
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert found.driver == "550.163.01"
    assert found.gpus == (Gpu("NVIDIA GeForce RTX 4090", (8, 9), 24564),)
    assert (found.problem, found.source) == (None, "nvidia-smi")


def test_that_two_lines_are_two_cards(pretend_tool):
    pretend_tool(
        'echo "580.95.05, NVIDIA A100-SXM4-40GB, 8.0, 40960, Enabled"\n'
        'echo "580.95.05, NVIDIA GB10, 12.1, [N/A], [N/A]"'
    )
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert [gpu.mig for gpu in found.gpus] == [True, False]
    assert [gpu.memory_mib for gpu in found.gpus] == [40960, None]


def test_that_an_unknown_capability_is_left_open(pretend_tool):
    pretend_tool('echo "470.57.02, NVIDIA TITAN V, [Unknown], 12066, [N/A]"')
    assert read_nvidia(NO_FILE, time_limit_s=LIMIT_S).gpus[0].capability is None


def test_that_a_hanging_nvidia_smi_is_given_up(pretend_tool):
    pretend_tool("exec sleep 60")
    found = read_nvidia(NO_FILE, time_limit_s=HANG_LIMIT_S)
    assert found.problem is DriverProblem.TIMED_OUT


@pytest.mark.parametrize(
    "body",
    [
        "echo CUDA UMD Version: 13.1; echo '+---+'; exit 0",
        "printf 'a,b,c\\n\\377\\376,,,,\\n'",
        "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2",
        "exit 9",
    ],
)
def test_that_garbage_is_named_as_such(pretend_tool, body):
    pretend_tool(body)
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert found.problem is DriverProblem.UNREADABLE
    assert found.gpus == ()


def test_that_nvidia_smi_tells_of_a_mismatch(pretend_tool):
    pretend_tool(
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18"
    )
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert found.problem is DriverProblem.MISMATCH


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  M\nGCC 12.2.0",
            "550.163.01",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Rel\n",
            "580.95.05",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  340.108  Wed\n", "340.108"),
        ("nothing of use", None),
    ],
)
def test_that_the_kernels_driver_version_is_read(tmp_path, text, version):
    file = tmp_path / "version"
    file.write_text(text)
    assert kernel_driver_version(file) == version


def test_that_a_driver_without_its_library_is_told_from_no_driver(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    file = tmp_path / "version"
    file.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Mon")
    loaded = read_nvidia(file, time_limit_s=LIMIT_S)
    assert (loaded.problem, loaded.driver) == (DriverProblem.NO_LIBRARY, "550.163.01")
    assert read_nvidia(NO_FILE, time_limit_s=LIMIT_S).problem is None
    on_bus = read_nvidia(NO_FILE, card_on_bus=True, time_limit_s=LIMIT_S)
    assert on_bus.problem is DriverProblem.NOT_INSTALLED


def test_that_the_library_tells_of_its_cards(pretend_library):
    pretend_library()
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert (found.driver, found.cuda, found.source) == ("580.95.05", "13.0", "nvml")
    assert found.gpus == (
        Gpu("NVIDIA A100", (8, 0), 40960),
        Gpu("NVIDIA GB10", (12, 1), None),
    )


def test_that_a_card_in_mig_mode_is_its_slices(pretend_library):
    pretend_library("MIG")
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert found.gpus == (
        Gpu("NVIDIA A100", (8, 0), 9856, mig=True),
        Gpu("NVIDIA A100", (8, 0), 9856, mig=True),
        Gpu("NVIDIA GB10", (12, 1), None),
    )


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (4, DriverProblem.NO_PERMISSION),
        (9, DriverProblem.NOT_LOADED),
        (18, DriverProblem.MISMATCH),
        (999, DriverProblem.UNREADABLE),
    ],
)
def test_that_the_librarys_refusal_is_understood(pretend_library, code, problem):
    pretend_library(init=code)
    assert read_nvidia(NO_FILE, time_limit_s=LIMIT_S).problem is problem


def test_that_a_hanging_library_is_given_up(pretend_library):
    pretend_library("HANG")
    found = read_nvidia(NO_FILE, time_limit_s=HANG_LIMIT_S)
    assert found.problem is DriverProblem.TIMED_OUT


def test_that_a_child_that_prints_garbage_is_named_as_such(monkeypatch, tmp_path):
    script = tmp_path / "child.py"
    script.write_text("print('segmentation fault')")
    monkeypatch.setattr(nvidia, "__file__", str(script))
    monkeypatch.setenv("PATH", "/nowhere")
    found = read_nvidia(NO_FILE, time_limit_s=LIMIT_S)
    assert found.problem is DriverProblem.UNREADABLE


def test_that_this_very_machine_can_be_described(tmp_path):
    facts = probe(tmp_path / "not" / "there" / "yet")
    assert facts_from_json(json.loads(json.dumps(facts_to_json(facts)))) == facts
    assert facts.system in {"Linux", "Windows", "Darwin"}
    assert facts.free_disk_bytes == pytest.approx(free_disk_bytes(tmp_path), rel=0.2)
