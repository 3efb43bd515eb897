import mmap
import os
from contextlib import contextmanager
from types import SimpleNamespace

import pynvml
import pytest

from studio.domain.hardware import GIB, MIB
from studio.system.card_memory import CardMemory, bare, used_by_card
from studio.system.resident_memory import (
    highest_resident_bytes,
    highest_since_last,
    resident_bytes,
    set_back,
)
from tests.unit.test_system_nvml import FakeNvml, fault


def driver(processes, used=6 * GIB, **answers):
    return FakeNvml(
        nvmlDeviceGetHandleByUUID="handle",
        nvmlDeviceGetComputeRunningProcesses_v3=processes,
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(used=used),
        **answers,
    )


def told(pid, used):
    return SimpleNamespace(pid=pid, usedGpuMemory=used)


def test_that_the_process_itself_is_told_among_others():
    library = driver([told(1, 5 * GIB), told(os.getpid(), GIB)])
    memory = CardMemory("1", {"1": 0}, library)
    assert memory.read() == GIB
    assert memory.tells_processes


@pytest.mark.parametrize("processes", [[], [told(os.getpid(), None)], [told(1, GIB)]])
def test_that_the_cards_growth_stands_for_a_process_which_is_hidden(processes):
    memory = CardMemory("GPU-1", {"1": 2 * GIB}, driver(processes))
    assert memory.read() == 4 * GIB
    assert not memory.tells_processes


def test_that_a_driver_before_510_tells_the_process_by_the_older_call():
    library = driver(
        fault("FUNCTION_NOT_FOUND"),
        nvmlDeviceGetComputeRunningProcesses_v2=[told(os.getpid(), GIB)],
    )
    assert CardMemory("1", {}, library).read() == GIB


def test_that_nothing_is_told_where_the_card_was_not_read_before():
    assert CardMemory("1", {}, driver([])).read() is None


def test_that_memory_which_moves_is_read_from_the_card_alone():
    library = driver([told(os.getpid(), GIB)])
    memory = CardMemory("1", {"1": 2 * GIB}, library, counts_card=True)
    assert memory.read() == 4 * GIB
    assert CardMemory("1", {}, library, counts_card=True).read() is None


def test_that_figures_of_two_kinds_are_not_mixed():
    processes = [told(os.getpid(), GIB)]
    memory = CardMemory("1", {"1": 0}, driver(processes))
    assert memory.read() == GIB
    processes.clear()
    assert memory.read() is None


def test_that_a_driver_which_refuses_tells_nothing():
    library = driver([], nvmlInit=fault("DRIVER_NOT_LOADED"))
    library.answers["nvmlDeviceGetHandleByUUID"] = fault("UNINITIALIZED")
    assert CardMemory("1", {"1": 0}, library).read() is None
    assert used_by_card(library) == {}


def test_that_all_cards_are_read_by_their_bare_uuid():
    library = driver([], nvmlDeviceGetUUID=b"GPU-ab-cd")
    assert used_by_card(library) == {"ab-cd": 6 * GIB}
    assert bare("GPU-ab") == bare("ab") == "ab"


def test_that_pynvml_has_every_function_that_is_asked():
    for name in (
        "nvmlInit",
        "nvmlDeviceGetHandleByUUID",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetMemoryInfo",
    ):
        assert callable(getattr(pynvml, name))


@contextmanager
def held(size):
    """Pages of their own, which the system has back for certain at the end."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, size, mmap.PAGESIZE):
        block[at] = 1
    yield
    block.close()


@pytest.fixture
def mark_set_back():
    if not set_back():
        pytest.skip("the system keeps no mark that can be set back")


@pytest.mark.usefixtures("mark_set_back")
def test_that_the_high_water_mark_keeps_what_was_given_back():
    # Linux counts pages by processor and is off by some hundred KiB.
    with held(64 * MIB):
        at_most = highest_resident_bytes()
    assert highest_resident_bytes() >= at_most - MIB
    assert set_back()
    assert highest_resident_bytes() < at_most - 32 * MIB
    assert resident_bytes() <= highest_resident_bytes() + MIB


@pytest.mark.usefixtures("mark_set_back")
def test_that_what_was_held_between_two_readings_is_told_once():
    highest_since_last()
    with held(96 * MIB):
        pass
    first, second = highest_since_last(), highest_since_last()
    assert first > second + 64 * MIB
    assert highest_resident_bytes() >= first
