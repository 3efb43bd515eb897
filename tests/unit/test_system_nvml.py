import threading
from ctypes import c_uint
from types import SimpleNamespace

import pynvml
import pytest

from studio.domain.finding import Severity
from studio.domain.hardware import GIB, PcieLink
from studio.system import gpu_findings
from studio.system.bounded import Bounded
from studio.system.gpu_findings import driver_finding, has_nvidia_card
from studio.system.nvml import Nvml


def fault(name):
    return pynvml.NVMLError(getattr(pynvml, f"NVML_ERROR_{name}"))


class FakeNvml:
    """A driver that plays a scene: each call answers, or raises NVML's own error."""

    NVMLError = pynvml.NVMLError
    nvmlMemory_v2 = pynvml.nvmlMemory_v2  # noqa: N815 - NVML's own name
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    NVML_TEMPERATURE_THRESHOLD_SLOWDOWN = pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN

    def __init__(self, **answers):
        self.calls = []
        self.answers = {
            "nvmlInit": None,
            "nvmlShutdown": None,
            "nvmlDeviceGetCount": 1,
            "nvmlSystemGetDriverVersion": "580.65.06",
            "nvmlSystemGetCudaDriverVersion_v2": 13000,
            "nvmlDeviceGetHandleByIndex": "handle",
            "nvmlDeviceGetUUID": "GPU-1",
            "nvmlDeviceGetName": b"NVIDIA GeForce RTX 5070",
            "nvmlDeviceGetCudaComputeCapability": (12, 0),
            "nvmlDeviceGetMemoryInfo": self.memory,
            "nvmlDeviceGetComputeRunningProcesses_v3": [
                SimpleNamespace(pid=2**22 + 1, usedGpuMemory=GIB),
                SimpleNamespace(pid=2**22 + 2, usedGpuMemory=None),
            ],
            "nvmlDeviceGetGraphicsRunningProcesses_v3": [
                SimpleNamespace(pid=2**22 + 1, usedGpuMemory=GIB),
                SimpleNamespace(pid=2**22 + 3, usedGpuMemory=2 * GIB),
            ],
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=5),
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetTemperatureThreshold": 90,
            "nvmlDeviceGetPowerUsage": 123_456,
            "nvmlDeviceGetEnforcedPowerLimit": 250_000,
            "nvmlDeviceGetArchitecture": 10,
            "nvmlDeviceGetClockInfo": lambda _handle, kind: 1000 * kind,
            "nvmlDeviceGetMaxClockInfo": lambda _handle, kind: 2000 * kind,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
            "nvmlDeviceGetFanSpeed": 30,
            "nvmlDeviceGetCurrPcieLinkGeneration": 4,
            "nvmlDeviceGetCurrPcieLinkWidth": 8,
            "nvmlDeviceGetMaxPcieLinkGeneration": 5,
            "nvmlDeviceGetMaxPcieLinkWidth": 16,
            "nvmlDeviceGetDisplayMode": 1,
            "nvmlDeviceGetMigMode": [0, 0],
            "nvmlDeviceGetEccMode": [1, 1],
            "nvmlDeviceGetTotalEccErrors": 0,
            "nvmlDeviceGetVirtualizationMode": 0,
        } | answers

    @staticmethod
    def memory(_handle, version=None):
        figures = {"total": 12 * GIB, "used": 2 * GIB, "free": 9 * GIB}
        return SimpleNamespace(**figures, **({"reserved": GIB} if version else {}))

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


def card_of(**answers):
    (gpu,) = Nvml(FakeNvml(**answers)).survey().gpus
    return gpu


def test_that_a_card_is_read_whole():
    survey = Nvml(FakeNvml()).survey()
    (gpu,) = survey.gpus
    assert survey.finding is None
    assert (survey.driver_version, survey.cuda_version) == ("580.65.06", "13.0")
    assert gpu.name == "NVIDIA GeForce RTX 5070"
    assert gpu.compute_capability == (12, 0)
    assert (gpu.total_bytes, gpu.used_bytes, gpu.free_bytes) == (
        12 * GIB,
        2 * GIB,
        9 * GIB,
    )
    assert gpu.reserved_bytes == GIB
    assert (gpu.utilization, gpu.temperature_c, gpu.slowdown_c) == (0.37, 61, 90)
    assert (gpu.power_w, gpu.power_limit_w) == (123.456, 250.0)
    assert (gpu.architecture, gpu.memory_utilization, gpu.fan) == (
        "Blackwell",
        0.05,
        0.3,
    )
    assert (gpu.sm_clock_mhz, gpu.sm_clock_max_mhz) == (1000, 2000)
    assert (gpu.memory_clock_mhz, gpu.memory_clock_max_mhz) == (2000, 4000)
    assert gpu.pcie == PcieLink(4, 8, 5, 16)
    assert (gpu.throttle_reasons, gpu.is_display_attached) == ((), True)
    assert (gpu.ecc, gpu.ecc_errors, gpu.is_divided) == (True, 0, False)
    assert gpu.missing == {}


def test_that_a_program_that_draws_and_computes_is_counted_once_largest_first():
    held = [(p.pid - 2**22, p.used_bytes) for p in card_of().processes]
    assert held == [(3, 2 * GIB), (1, GIB), (2, None)]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("nvmlDeviceGetUUID", "uuid"),
        ("nvmlDeviceGetCudaComputeCapability", "compute_capability"),
        ("nvmlDeviceGetTemperature", "temperature_c"),
        ("nvmlDeviceGetTemperatureThreshold", "slowdown_c"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetEnforcedPowerLimit", "power_limit_w"),
        ("nvmlDeviceGetArchitecture", "architecture"),
        ("nvmlDeviceGetCurrentClocksThrottleReasons", "throttle_reasons"),
        ("nvmlDeviceGetFanSpeed", "fan"),
        ("nvmlDeviceGetMaxPcieLinkWidth", "pcie"),
        ("nvmlDeviceGetDisplayMode", "is_display_attached"),
        ("nvmlDeviceGetEccMode", "ecc"),
        ("nvmlDeviceGetTotalEccErrors", "ecc_errors"),
    ],
)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NOT_SUPPORTED", "doesn't report"),
        ("NO_PERMISSION", "may not read"),
        ("FUNCTION_NOT_FOUND", "too old"),
        ("UNKNOWN", "Unknown Error"),
    ],
)
def test_that_one_missing_figure_leaves_its_reason_and_the_others(
    call, field, error, words
):
    gpu = card_of(**{call: fault(error)})
    assert getattr(gpu, field) in {None, ""}
    assert words in gpu.missing[field]
    assert set(gpu.missing) == {field}
    assert gpu.total_bytes == 12 * GIB


def test_that_an_old_driver_tells_memory_without_the_reserved_part():
    def memory(_handle, version=None):
        if version:
            raise fault("FUNCTION_NOT_FOUND")
        return FakeNvml.memory(None)

    gpu = card_of(nvmlDeviceGetMemoryInfo=memory)
    assert (gpu.total_bytes, gpu.reserved_bytes) == (12 * GIB, None)
    assert set(gpu.missing) == {"reserved_bytes"}


@pytest.mark.parametrize(
    "memory", [fault("NOT_SUPPORTED"), SimpleNamespace(total=0, used=0, free=0)]
)
def test_that_unified_memory_is_missing_not_zero(memory):
    gpu = card_of(nvmlDeviceGetMemoryInfo=memory)
    figures = {"total_bytes", "used_bytes", "free_bytes", "reserved_bytes"}
    assert all(getattr(gpu, figure) is None for figure in figures)
    assert figures <= set(gpu.missing)


def test_that_a_driver_before_510_lists_processes_by_the_older_call():
    old = SimpleNamespace(pid=2**22 + 4, usedGpuMemory=GIB)
    answers = {}
    for kind in ("Compute", "Graphics"):
        call = f"nvmlDeviceGet{kind}RunningProcesses"
        answers[f"{call}_v3"] = fault("FUNCTION_NOT_FOUND")
        answers[f"{call}_v2"] = [old]
    gpu = card_of(**answers)
    assert [held.pid for held in gpu.processes] == [old.pid]
    assert gpu.missing == {}
    answers["nvmlDeviceGetComputeRunningProcesses_v2"] = fault("FUNCTION_NOT_FOUND")
    assert "too old" in card_of(**answers).missing["processes"]


def test_that_hidden_processes_leave_a_reason():
    gpu = card_of(
        nvmlDeviceGetComputeRunningProcesses_v3=fault("NO_PERMISSION"),
        nvmlDeviceGetGraphicsRunningProcesses_v3=fault("NO_PERMISSION"),
    )
    assert gpu.processes == ()
    assert "processes" in gpu.missing


def test_that_a_card_that_is_lost_does_not_hide_the_other():
    def handle(index):
        if index == 0:
            raise fault("GPU_IS_LOST")
        return "handle"

    fake = FakeNvml(nvmlDeviceGetCount=2, nvmlDeviceGetHandleByIndex=handle)
    survey = Nvml(fake).survey()
    assert [gpu.index for gpu in survey.gpus] == [1]
    assert survey.finding is None


@pytest.mark.parametrize("error", ["GPU_IS_LOST", "RESET_REQUIRED"])
def test_that_a_card_that_is_lost_between_two_figures_is_named(error):
    fake = FakeNvml()
    nvml = Nvml(fake)
    nvml.survey()
    fake.answers["nvmlDeviceGetPowerUsage"] = fault(error)
    survey = nvml.survey()
    assert survey.gpus == ()
    assert survey.finding.code == "gpu.lost"
    assert "GeForce RTX 5070 stopped answering" in survey.finding.what


def test_that_a_card_that_is_lost_beside_another_is_remarked_on():
    fake = FakeNvml(
        nvmlDeviceGetCount=2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda index: f"GPU-{index}",
    )
    nvml = Nvml(fake)
    nvml.survey()

    def temperature(index, _sensor):
        if index == 1:
            raise fault("GPU_IS_LOST")
        return 50

    fake.answers["nvmlDeviceGetTemperature"] = temperature
    survey = nvml.survey()
    assert [gpu.index for gpu in survey.gpus] == [0]
    assert survey.finding is None
    assert [remark.code for remark in survey.remarks] == ["gpu.lost"]


def test_that_a_card_which_refuses_the_question_is_not_divided():
    gpu = card_of(nvmlDeviceGetMigMode=fault("NOT_SUPPORTED"))
    assert gpu.is_divided is False
    assert gpu.missing == {}
    unknown = card_of(nvmlDeviceGetMigMode=fault("UNKNOWN"))
    assert unknown.is_divided is None
    assert "Unknown Error" in unknown.missing["is_divided"]


def test_that_a_load_that_is_not_told_leaves_its_reason_for_both_parts():
    gpu = card_of(nvmlDeviceGetUtilizationRates=fault("NOT_SUPPORTED"))
    assert (gpu.utilization, gpu.memory_utilization) == (None, None)
    assert set(gpu.missing) == {"utilization", "memory_utilization"}


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x1, ()),
        (0x4, ("power limit",)),
        (0x8, ("hardware slowdown",)),
        (0x48, ("heat, by the card's own protection",)),
        (0x24, ("power limit", "heat")),
    ],
)
def test_that_throttling_is_put_into_words_and_idling_is_none(bits, words):
    gpu = card_of(nvmlDeviceGetCurrentClocksThrottleReasons=bits)
    assert gpu.throttle_reasons == words


def test_that_nvml_is_started_anew_when_the_bus_shows_another_number_of_cards():
    fake, on_bus = FakeNvml(), [1]
    nvml = Nvml(fake, lambda: on_bus[0])
    nvml.survey()
    nvml.survey()
    assert fake.calls.count("nvmlInit") == 1
    on_bus[0] = 2
    nvml.survey()
    assert fake.calls.count("nvmlInit") == 2
    nvml.look_again()
    nvml.survey()
    assert fake.calls.count("nvmlInit") == 3
    nvml.close()


def test_that_cards_which_don_t_answer_are_told():
    survey = Nvml(FakeNvml(nvmlDeviceGetHandleByIndex=fault("GPU_IS_LOST"))).survey()
    assert survey.finding is not None
    assert survey.finding.code == "gpu.silent"


def test_that_a_driver_without_cards_says_that_there_is_none():
    survey = Nvml(FakeNvml(nvmlDeviceGetCount=0)).survey()
    assert survey.finding is not None
    assert survey.finding.code == "gpu.none"
    assert survey.driver_version == "580.65.06"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("DRIVER_NOT_LOADED", "gpu.driver-not-loaded"),
        ("LIB_RM_VERSION_MISMATCH", "gpu.driver-updated"),
        ("NO_PERMISSION", "gpu.permission"),
        ("GPU_IS_LOST", "gpu.lost"),
        ("RESET_REQUIRED", "gpu.lost"),
        ("UNKNOWN", "gpu.driver"),
    ],
)
def test_that_a_driver_in_trouble_is_told_with_a_remedy(error, code):
    survey = Nvml(FakeNvml(nvmlInit=fault(error))).survey()
    assert survey.gpus == ()
    assert survey.finding is not None
    assert survey.finding.code == code
    assert survey.finding.how_to_fix


def test_that_an_unknown_fault_is_quoted():
    finding = driver_finding(fault("UNKNOWN"))
    assert "Unknown Error" in finding.what


def test_that_no_library_means_no_card_unless_the_bus_shows_one(monkeypatch):
    missing = fault("LIBRARY_NOT_FOUND")
    monkeypatch.setattr(gpu_findings, "has_nvidia_card", lambda: False)
    assert driver_finding(missing).code == "gpu.none"
    assert driver_finding(missing).severity is Severity.INFO
    monkeypatch.setattr(gpu_findings, "has_nvidia_card", lambda: True)
    assert driver_finding(missing).code == "gpu.no-driver"


def test_that_the_bus_is_asked_for_nvidia_display_devices(tmp_path):
    for name, maker, kind in [
        ("0", "0x8086", "0x030000"),
        ("1", "0x10de", "0x040300"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{maker}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    (tmp_path / "2").mkdir()
    assert not has_nvidia_card(tmp_path)
    (tmp_path / "2" / "vendor").write_text("0x10de\n")
    (tmp_path / "2" / "class").write_text("0x030200\n")
    assert has_nvidia_card(tmp_path)


def test_that_nvml_is_started_once_and_anew_after_a_fault():
    fake = FakeNvml()
    nvml = Nvml(fake)
    nvml.survey()
    nvml.survey()
    assert fake.calls.count("nvmlInit") == 1
    fake.answers["nvmlDeviceGetCount"] = fault("GPU_IS_LOST")
    assert nvml.survey().gpus == ()
    fake.answers["nvmlDeviceGetCount"] = 1
    assert len(nvml.survey().gpus) == 1
    assert fake.calls.count("nvmlInit") == 2
    nvml.close()
    assert fake.calls.count("nvmlShutdown") == 2


def test_that_this_machines_own_driver_is_asked_without_a_fault():
    nvml = Nvml()
    survey = nvml.survey()
    nvml.close()
    assert bool(survey.gpus) != (survey.finding is not None)


def test_that_pynvml_has_every_name_that_is_asked_for():
    fake = FakeNvml()
    Nvml(fake).survey()
    assert all(hasattr(pynvml, name) for name in fake.calls)
    assert pynvml.c_nvmlMemory_v2_t._fields_[2] == ("reserved", pynvml.c_ulonglong)
    assert c_uint(pynvml.nvmlMemory_v2).value == pynvml.nvmlMemory_v2


def test_that_a_call_that_never_returns_is_given_up_and_waited_for_later():
    gate = threading.Event()
    answers = iter(["late", "prompt"])

    def ask():
        gate.wait()
        return next(answers)

    bounded = Bounded(ask)
    never = threading.Event()
    assert bounded.ask(0.06, never) is None
    assert bounded.ask(0.06, never) is None
    gate.set()
    assert bounded.ask(5, never) == "late"
    assert bounded.ask(5, never) == "prompt"
    bounded.close()


def test_that_waiting_for_an_answer_ends_when_told():
    gate = threading.Event()
    bounded = Bounded(gate.wait)
    give_up = threading.Event()
    give_up.set()
    assert bounded.ask(3600, give_up) is None
    bounded.close()
    gate.set()
