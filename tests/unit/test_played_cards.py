"""The real program and the real binding with a played driver, scene by scene."""

import json
import shutil
import subprocess
import sys

import pytest

from studio.domain.hardware import MIB
from tests.nvml_stub.build import environment, played_driver

__all__ = ["played_driver"]

PATIENCE_S = 120
SURVEYS = """
import json, sys
from studio.system.nvml import Nvml
nvml = Nvml()
told = []
for _ in range(int(sys.argv[1])):
    survey = nvml.survey()
    told.append({
        "cards": [gpu.name for gpu in survey.gpus],
        "finding": survey.finding and survey.finding.sentence(),
        "remarks": [remark.sentence() for remark in survey.remarks],
    })
print(json.dumps(told))
"""

WAITS = """
from studio.domain.free_wait import FreeWait
from studio.domain.hardware import GIB
from studio.system.machine import MachineReader
wait = FreeWait(need_bytes=8 * GIB, hold_s=100.0, kind="cuda")
with MachineReader() as reader:
    for look in range(11):
        wait = wait.seen(reader.read().device(), float(look))
        print(wait.sentence())
"""


@pytest.fixture
def seen(played_driver, tmp_path):
    """What the program tells of a scene."""

    def see(scene: str, **more: str):
        answer = subprocess.run(
            [sys.executable, "-m", "studio", "hardware", "--json"],
            env=environment(played_driver, scene, tmp_path, **more),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return see


@pytest.fixture
def surveys(played_driver, tmp_path):
    """What so many polls in a row tell of a scene."""

    def survey(scene: str, polls: int):
        answer = subprocess.run(
            [sys.executable, "-c", SURVEYS, str(polls)],
            env=environment(played_driver, scene, tmp_path),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return json.loads(answer.stdout)

    return survey


def only_card(told):
    assert told["gpu_finding"] is None
    (card,) = told["gpus"]
    return card


def mib(card, figure):
    return card[f"{figure}_bytes"] / MIB


def codes(told):
    return [remark["code"] for remark in told["gpu_remarks"]]


def test_that_an_idle_4090_is_read_whole(seen):
    told = seen("rtx-4090-idle")
    card = only_card(told)
    assert card["name"] == "NVIDIA GeForce RTX 4090"
    assert (card["architecture"], card["compute_capability"]) == ("Ada", [8, 9])
    memory = {name: mib(card, name) for name in ("total", "reserved", "used", "free")}
    assert memory == {"total": 24564, "reserved": 346, "used": 17, "free": 24201}
    assert (card["utilization"], card["memory_utilization"]) == (0, 0)
    assert (card["temperature_c"], card["slowdown_c"]) == (34, 90)
    assert (card["power_w"], card["power_limit_w"]) == (21, 450)
    assert (card["sm_clock_mhz"], card["sm_clock_max_mhz"]) == (210, 2520)
    assert (card["memory_clock_mhz"], card["memory_clock_max_mhz"]) == (405, 10501)
    assert card["throttle_reasons"] == []
    assert card["pcie"] == {
        "generation": 1,
        "width": 16,
        "max_generation": 4,
        "max_width": 16,
    }
    assert (card["fan"], card["is_display_attached"]) == (0, False)
    assert (card["is_divided"], card["processes"]) == (False, [])
    assert set(card["missing"]) == {"ecc", "ecc_errors"}
    assert (told["driver_version"], told["cuda_version"]) == ("550.120", "12.4")
    assert codes(told) == []


def test_that_a_game_on_a_3060_is_named_with_its_five_gigabytes(seen, tmp_path):
    sleep = shutil.which("sleep")
    if sleep is None:
        pytest.skip("no program here that could play a game")
    game = tmp_path / "racing-game"
    game.symlink_to(sleep)
    playing = subprocess.Popen([str(game), "300"])
    try:
        card = only_card(seen("rtx-3060-game", GAME=str(playing.pid)))
    finally:
        playing.kill()
        playing.wait()
    assert card["processes"][0] == {
        "pid": playing.pid,
        "name": "racing-game",
        "used_bytes": 5120 * MIB,
    }
    assert [held["used_bytes"] / MIB for held in card["processes"]] == [5120, 402]
    assert mib(card, "free") == 12288 - 254 - 5544
    assert card["throttle_reasons"] == ["power limit"]
    assert card["is_display_attached"] is True


def test_that_a_t4_has_no_fan_and_corrects_its_errors(seen):
    card = only_card(seen("t4"))
    assert (card["compute_capability"], card["ecc"], card["ecc_errors"]) == (
        [7, 5],
        True,
        0,
    )
    assert card["fan"] is None
    assert card["missing"]["fan"] == "This card or driver doesn't report it."
    assert card["virtualization"] == "passthrough"


@pytest.mark.parametrize(
    ("visible", "places"),
    [
        (None, [0, 1]),
        ("1,0", [1, 0]),
        ("1", [None, 0]),
        ("GPU-4f5e1a90", [None, 0]),
        ("GPU-4f5e1a90,GPU-3060c0de", [1, 0]),
        ("0,7,1", [0, None]),
    ],
)
def test_that_cards_are_mapped_to_cuda_s_order_by_identity(seen, visible, places):
    more = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    told = seen("two-unlike-cards", **more)
    assert [card["cuda_index"] for card in told["gpus"]] == places
    assert [card["is_hidden"] for card in told["gpus"]] == [
        place is None for place in places
    ]


def test_that_cards_which_are_all_hidden_are_told_with_the_variable(seen):
    told = seen("two-unlike-cards", CUDA_VISIBLE_DEVICES="")
    assert told["gpu_finding"]["what"] == (
        "All 2 NVIDIA cards are hidden by CUDA_VISIBLE_DEVICES."
    )


def test_that_the_slices_of_a_divided_a100_are_read_where_the_card_may_not_be(seen):
    told = seen("a100-mig")
    card = only_card(told)
    assert card["total_bytes"] is None
    assert card["missing"]["total_bytes"] == "This account may not read it."
    assert card["missing"]["utilization"] == "Not reported by this divided card (MIG)."
    assert [mib(part, "total") for part in card["slices"]] == [20096, 20096]
    assert [mib(part, "free") for part in card["slices"]] == [20085, 10880]
    assert not card["is_unified"]
    assert codes(told) == ["gpu.divided"]
    assert (
        "a run uses NVIDIA A100-SXM4-40GB MIG 3g.20gb"
        in (told["gpu_remarks"][0]["what"])
    )


def test_that_a_slice_can_be_chosen_by_its_identity(seen):
    second = "MIG-a1000000-0000-0020-8000-000000000042"
    card = only_card(seen("a100-mig", CUDA_VISIBLE_DEVICES=second))
    assert card["slices"][0]["uuid"] == second


def test_that_wsl_is_named_as_the_reason_of_what_is_missing(seen):
    told = seen("wsl", WSL_DISTRO_NAME="Ubuntu")
    card = only_card(told)
    assert mib(card, "total") == 12282
    assert card["processes"] == []
    for figure in ("processes", "throttle_reasons", "slowdown_c", "fan"):
        assert card["missing"][figure] == "Not reported by this platform: WSL."
    assert codes(told) == ["gpu.wsl"]


def test_that_a_gb10_uses_the_machine_s_memory(seen):
    told = seen("gb10")
    card = only_card(told)
    assert card["is_unified"]
    assert card["total_bytes"] is None
    assert card["missing"]["total_bytes"] == (
        "The card shares the machine's main memory."
    )
    assert codes(told) == ["gpu.unified-memory"]


def test_that_a_virtual_card_leaves_power_and_clocks_to_its_host(seen):
    told = seen("vgpu")
    card = only_card(told)
    assert mib(card, "total") == 8192
    for figure in ("power_w", "sm_clock_mhz", "fan", "temperature_c"):
        assert card["missing"][figure] == ("Not reported by this virtual card (vGPU).")
    assert codes(told) == ["gpu.virtual"]


def test_that_an_old_driver_is_asked_by_its_older_calls(seen):
    told = seen("old-driver")
    card = only_card(told)
    assert (mib(card, "total"), card["reserved_bytes"]) == (8192, None)
    assert card["missing"]["reserved_bytes"] == "The driver is too old to report it."
    assert [held["used_bytes"] / MIB for held in card["processes"]] == [180]
    assert codes(told) == ["gpu.old-driver"]


@pytest.mark.parametrize(
    ("scene", "what", "fix"),
    [
        ("version-mismatch", "was updated while the old one", "Restart the machine."),
        ("no-permission", "This account may not use", "Ask for access"),
        ("driver-not-loaded", "installed but not loaded", "Restart the machine"),
    ],
)
def test_that_a_driver_in_trouble_is_told_with_its_remedy(seen, scene, what, fix):
    told = seen(scene)
    assert told["gpus"] == []
    assert what in told["gpu_finding"]["what"]
    assert fix in told["gpu_finding"]["how_to_fix"]


def test_that_without_the_driver_s_library_there_is_no_card(seen, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    told = seen("rtx-4090-idle", LD_LIBRARY_PATH=str(empty))
    if told["gpus"]:
        pytest.skip("this machine has a driver of its own")
    assert told["gpu_finding"]["code"] in {"gpu.none", "gpu.no-driver"}


def test_that_a_card_lost_at_the_tenth_poll_is_told_from_then_on(surveys):
    told = surveys("lost-at-tenth-poll", 11)
    assert [len(poll["cards"]) for poll in told] == [1] * 9 + [0] * 2
    assert told[8]["finding"] is None
    for poll in told[9:]:
        assert poll["finding"] == (
            "NVIDIA GeForce RTX 4090 stopped answering. What runs had saved is safe. "
            "Restart the machine."
        )


def test_that_a_card_comes_and_goes_with_its_box(surveys):
    told = surveys("hot-plug", 6)
    assert [len(poll["cards"]) for poll in told] == [0, 0, 1, 1, 1, 0]
    assert "No NVIDIA card found" in told[0]["finding"]
    assert told[2]["finding"] is None
    assert "NVIDIA GeForce RTX 3060 is no longer there." in told[5]["remarks"][0]


def test_that_a_card_that_falls_off_ends_no_wait_for_it(played_driver, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", WAITS],
        env=environment(played_driver, "lost-at-tenth-poll", tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    told = answer.stdout.splitlines()
    free = "8.00 GiB are free on NVIDIA GeForce RTX 4090. Goes on in 1 min "
    assert told[5].startswith(free)
    assert told[-1] == "Waits for the card, which does not answer."
