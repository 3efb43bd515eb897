"""Which device a run would use, and a card's figures in words."""

from types import MappingProxyType

import pytest

from studio.domain import card_words
from studio.domain.hardware import (
    GIB,
    MIB,
    GpuReading,
    GpuSlice,
    MachineReading,
    PcieLink,
    amount,
)
from studio.system.gpu_findings import no_card
from studio.system.graphics import graphics_below, with_graphics
from studio.system.platform_words import platform_of_driver


def machine(*gpus: GpuReading) -> MachineReading:
    return MachineReading(
        gpus=gpus,
        processor="A processor",
        ram_total_bytes=128 * GIB,
        ram_available_bytes=100 * GIB,
        disk_free_bytes=GIB,
        read_at=0.0,
    )


def card(index: int = 0, **changes: object) -> GpuReading:
    figures: dict[str, object] = {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": f"Card {index}",
        "total_bytes": 12 * GIB,
        "free_bytes": 10 * GIB,
    }
    return GpuReading(**{**figures, **changes})


def a_slice(number: int, total: int | None) -> GpuSlice:
    return GpuSlice(
        uuid=f"MIG-{number}",
        name=f"Slice {number}",
        total_bytes=total,
        free_bytes=total,
    )


def test_that_a_run_uses_the_card_that_cuda_counts_first():
    reading = machine(card(0, cuda_index=1), card(1, cuda_index=0))
    assert reading.device().name == "Card 1"


def test_that_a_hidden_card_is_never_used():
    hidden = card(0, is_hidden=True)
    assert machine(hidden, card(1)).device().name == "Card 1"
    assert machine(hidden).device().kind == "cpu"


def test_that_a_card_without_memory_of_its_own_is_priced_by_the_machine_s():
    shared = card(total_bytes=None, free_bytes=None, is_unified=True)
    device = machine(shared).device()
    assert (device.kind, device.name) == ("cuda", "Card 0")
    assert (device.total_bytes, device.free_bytes) == (128 * GIB, 100 * GIB)


def test_that_a_card_whose_memory_is_hidden_is_not_used():
    unknown = card(total_bytes=None, free_bytes=None)
    assert machine(unknown).device().kind == "cpu"


def test_that_a_run_on_a_divided_card_gets_its_first_slice_that_can_be_read():
    divided = card(is_divided=True, slices=(a_slice(0, None), a_slice(1, 5 * GIB)))
    device = machine(divided).device()
    assert (device.name, device.total_bytes) == ("Slice 1", 5 * GIB)


def test_that_a_divided_card_without_slices_can_t_be_used_as_a_whole():
    assert machine(card(is_divided=True)).device().kind == "cpu"


def test_that_a_card_s_figures_are_put_into_words():
    told = card(
        architecture="Ada",
        compute_capability=(8, 9),
        utilization=0.93,
        memory_utilization=0.41,
        power_w=164.2,
        power_limit_w=170.0,
        sm_clock_mhz=1755,
        sm_clock_max_mhz=2520,
        memory_clock_mhz=405,
        throttle_reasons=("power limit", "heat"),
        fan=0.62,
        pcie=PcieLink(1, 8, 4, 16),
        is_display_attached=True,
        ecc=True,
        ecc_errors=2,
    )
    assert card_words.title(told) == "Card 0 · Ada, compute 8.9"
    assert card_words.load(told) == "93 %, memory 41 %"
    assert card_words.power(told) == "164 of 170 W"
    assert card_words.clock(told) == "1,755 of 2,520 MHz"
    assert card_words.memory_clock(told) == "405 MHz"
    assert card_words.throttling(told) == "power limit, heat"
    assert card_words.fan(told) == "62 %"
    assert card_words.link(told) == "PCIe 1 × 8 of 4 × 16"
    assert card_words.display(told) == "attached"
    assert card_words.correction(told) == "on, 2 uncorrected"


@pytest.mark.parametrize(
    "words",
    [
        card_words.load,
        card_words.power,
        card_words.clock,
        card_words.memory_clock,
        card_words.throttling,
        card_words.fan,
        card_words.link,
        card_words.display,
        card_words.correction,
    ],
)
def test_that_a_figure_that_was_not_read_has_no_words(words):
    assert words(card()) == ""


def test_that_figures_missing_for_one_reason_are_told_together():
    missing = {"fan": "Too old.", "used_bytes": "No.", "power_w": "Too old."}
    told = card(missing=MappingProxyType(missing))
    assert list(card_words.not_told(told)) == [
        ("fan, power", "Too old."),
        ("memory", "No."),
    ]


def test_that_every_field_that_may_be_missing_has_a_name():
    optional = {
        name
        for name, value in card_fields().items()
        if value is None and name != "cuda_index"
    }
    assert optional <= set(card_words.FIELD_NAMES)


def card_fields() -> dict[str, object]:
    bare = GpuReading(index=0, uuid="", name="")
    return {name: getattr(bare, name) for name in GpuReading.__slots__}


def test_that_graphics_of_other_makers_are_named_once_each(tmp_path):
    for number, maker in enumerate(("0x1002", "0x10de", "0x8086")):
        device = tmp_path / f"card{number}" / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{maker}\n")
        socket = tmp_path / f"card{number}-HDMI-A-1"
        socket.mkdir()
        (socket / "device").symlink_to(device)
    (tmp_path / "card0" / "device" / "product_name").write_text("Radeon RX 7900\n")
    assert list(graphics_below(tmp_path)) == ["Radeon RX 7900", "Intel graphics"]


def test_that_other_graphics_are_told_with_what_they_can_t_do():
    told = with_graphics(no_card(0), ["Intel graphics"])
    assert told is not None
    assert told.what == "No NVIDIA card found, but Intel graphics."
    assert "can't train here" in told.why
    assert with_graphics(no_card(0), []) == no_card(0)
    assert with_graphics(no_card(1), ["Intel graphics"]) == no_card(1)
    assert with_graphics(None, ["Intel graphics"]) is None


@pytest.mark.parametrize(
    ("environment", "release", "platform"),
    [
        ({"WSL_DISTRO_NAME": "Ubuntu"}, "6.6", "WSL"),
        ({}, "5.15.167.4-microsoft-standard-WSL2", "WSL"),
        ({}, "6.8.0-45-generic", ""),
    ],
)
def test_that_wsl_is_told_by_its_environment_or_its_kernel(
    environment, release, platform
):
    assert platform_of_driver(environment, release) == platform


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 GiB"),
        (1, "under 0.01 MiB"),
        (MIB // 4, "0.25 MiB"),
        (5 * MIB, "5.00 MiB"),
        (6 * MIB, "0.01 GiB"),
        (3 * GIB, "3.00 GiB"),
    ],
)
def test_that_an_amount_is_never_a_zero_of_something(size, words):
    assert amount(size) == words
