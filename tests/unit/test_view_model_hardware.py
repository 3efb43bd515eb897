"""The Hardware page's words."""

from pathlib import Path
from types import MappingProxyType

import pytest

from studio.domain.finding import error
from studio.domain.hardware import (
    GIB,
    MIB,
    GpuProcess,
    GpuReading,
    GpuSlice,
    MachineReading,
)
from studio.domain.run import EngineIdentity, MemoryPoint, RunSnapshot, RunState
from studio.ui.pages.hardware.view_model import (
    choices,
    hardware_view,
    point_of,
    report,
)


def card(**changes: object) -> GpuReading:
    figures: dict[str, object] = {
        "index": 0,
        "uuid": "u",
        "name": "Card",
        "total_bytes": 12 * GIB,
        "free_bytes": 10 * GIB,
    }
    return GpuReading(**{**figures, **changes})


def machine(*gpus: GpuReading, **changes: object) -> MachineReading:
    figures: dict[str, object] = {
        "processor": "A processor",
        "processor_cores": 8,
        "ram_total_bytes": 16 * GIB,
        "ram_available_bytes": 12 * GIB,
        "disk_free_bytes": 100 * GIB,
        "read_at": 5.0,
    }
    return MachineReading(gpus=gpus, **{**figures, **changes})


def health(reading: MachineReading) -> dict[str, tuple[str, str]]:
    rows = hardware_view(reading).health
    return {row.name: (row.value, row.mark.words if row.mark else "") for row in rows}


def test_that_the_card_is_named_with_all_that_is_known_of_it():
    reading = machine(
        card(compute_capability=(8, 9)), driver_version="570.1", cuda_version="12.8"
    )
    assert hardware_view(reading).facts == (
        "Card · compute 8.9 · driver 570.1 · CUDA 12.8"
    )


def test_that_of_several_cards_the_one_that_runs_use_is_told():
    reading = machine(card(architecture="Ada"), card(index=1, uuid="v", name="Other"))
    view = hardware_view(reading)
    assert view.facts == "Ada · 2 cards, runs use this"
    assert report(view).startswith("Card 0, Card · Ada · 2 cards, runs use this\n")


def test_that_a_card_among_those_that_cannot_be_chosen_keeps_its_name():
    silent = card(index=1, uuid="v", total_bytes=None, free_bytes=None)
    facts = hardware_view(machine(card(), silent)).facts
    assert facts == "Card 0, Card · 2 cards, runs use this"


def test_that_another_card_can_be_looked_at_and_the_one_that_runs_use_is_told():
    other = card(index=1, uuid="v", name="NVIDIA Other", free_bytes=3 * GIB)
    reading = machine(card(), other)
    view = hardware_view(reading, looked_at="v")
    assert (view.answer, view.mark.words) == ("3.00 GiB free", "Runs use card 0")
    assert view.facts == "2 cards"
    assert view.whole_facts == "Card 1, NVIDIA Other · 2 cards"
    assert choices(reading) == (("u", "Card 0: Card"), ("v", "Card 1: Other"))
    assert hardware_view(reading, looked_at="gone") == hardware_view(reading)


def test_that_a_card_that_is_hidden_from_runs_can_be_looked_at():
    hidden = card(index=1, uuid="v", is_hidden=True)
    assert hardware_view(machine(card(), hidden), looked_at="v").mark.words == (
        "Runs use card 0"
    )
    alone = hardware_view(machine(hidden), looked_at="v")
    assert alone.mark.words == "Hidden from runs"


def test_that_a_run_holds_nothing_of_another_card():
    run = a_run(MemoryPoint(1, GIB, GIB, 3 * GIB, 4 * GIB))
    reading = machine(card(free_bytes=8 * GIB), card(index=1, uuid="v"))
    assert "This run" in hardware_view(reading, run=run).beside
    assert "This run" not in hardware_view(reading, run=run, looked_at="v").beside


def test_that_one_card_leaves_nothing_to_choose():
    assert choices(machine(card())) == ()
    assert choices(machine()) == ()


@pytest.mark.parametrize(
    ("temperature", "mark"), [(46, "Slows at 83 °C"), (83, "Slowing down")]
)
def test_that_heat_is_judged_by_the_card_s_own_limit(temperature, mark):
    told = health(machine(card(temperature_c=temperature, slowdown_c=83)))
    assert told["Temperature"] == (f"{temperature} °C", mark)


def test_that_a_card_without_a_limit_is_not_judged():
    assert health(machine(card(temperature_c=90)))["Temperature"] == ("90 °C", "")


def test_that_a_missing_figure_keeps_its_reason():
    reading = machine(card(missing=MappingProxyType({"power_w": "Not on laptops."})))
    row = next(r for r in hardware_view(reading).health if r.name == "Power")
    assert (row.value, row.reason) == ("not reported", "Not on laptops.")
    assert row.mark is None


def test_that_without_a_card_temperature_and_power_say_why_they_are_missing():
    rows = {row.name: row for row in hardware_view(machine()).health}
    assert rows["Temperature"].reason == rows["Power"].reason == "no card to ask"


@pytest.mark.parametrize(("free", "mark"), [(1, "Little left"), (12, "Enough")])
def test_that_little_main_memory_is_a_warning(free, mark):
    assert health(machine(ram_available_bytes=free * GIB))["Main memory"][1] == mark


def test_that_programs_share_the_largest_one_s_scale():
    programs = (GpuProcess(1, "a", 400 * MIB), GpuProcess(2, "b", 100 * MIB))
    view = hardware_view(machine(card(processes=programs)))
    assert [row.share for row in view.programs] == [1.0, 0.25]
    assert view.programs_note == "500 MiB, in all"


def test_that_programs_are_named_with_what_they_are_and_what_closing_them_gives():
    programs = (
        GpuProcess(1, "Xorg", 412 * MIB),
        GpuProcess(2, "firefox", 391 * MIB),
        GpuProcess(3, "msedge.exe", None),
        GpuProcess(4, "secret", 300 * MIB),
        GpuProcess(5, "", 200 * MIB),
    )
    rows = hardware_view(machine(card(processes=programs))).programs
    assert [(row.what, row.advice, row.frees) for row in rows] == [
        ("Display server", "Draws your screen", False),
        ("Web browser", "Close it to get 0.38 GiB back", True),
        ("Web browser", "Close it to get its share back", True),
        ("Unknown program", "", False),
        ("Unknown program", "", False),
    ]


def test_that_a_card_nobody_uses_says_so():
    view = hardware_view(machine(card()))
    assert view.programs_missing == "No program holds memory of this card."
    assert view.beside == "of 12.00. Other programs and the driver hold 2.00 GiB."


def a_run(*memory: MemoryPoint) -> RunSnapshot:
    return RunSnapshot(
        name="notes-3",
        directory=Path("/notes-3"),
        state=RunState.RUNNING,
        engine=EngineIdentity(77, 1.0),
        memory=memory,
    )


def test_that_our_own_run_is_told_apart_from_other_programs():
    programs = (GpuProcess(77, "python3", 3 * GIB), GpuProcess(2, "b", 100 * MIB))
    reading = machine(card(free_bytes=8 * GIB, processes=programs))
    view = hardware_view(reading, run=a_run(MemoryPoint(1, GIB, GIB, 3 * GIB, 4 * GIB)))
    assert view.beside == (
        "of 12.00. This run holds 3.00, 1 other program and the driver 1.00 GiB."
    )
    assert [(row.name, row.what, row.is_run) for row in view.programs] == [
        ("python3", "This training run", True),
        ("b", "Unknown program", False),
    ]
    assert [row.advice for row in view.programs] == ["", ""]
    assert view.bar.description() == (
        "Memory. Other programs 1.00, this run 3.00, free 8.00 of 12.00 GiB"
    )


def test_that_a_run_on_the_processor_is_told_apart_too():
    view = hardware_view(machine(), run=a_run(MemoryPoint(1, GIB, None, None, None)))
    assert view.beside == (
        "of 16.00 main memory. "
        "This run holds 1.00, other programs and the system 3.00 GiB."
    )


def test_that_the_report_holds_no_figure_that_was_not_read():
    text = report(hardware_view(machine()))
    assert "Temperature: not reported (no card to ask)" in text
    assert "0 W" not in text


def test_that_a_history_leaves_a_hole_where_nothing_is_reported():
    point = point_of(machine(card(temperature_c=50)))
    assert (point.temperature_c, point.power_w, point.load) == (50, None, None)


def test_that_a_history_tells_the_run_from_others_and_from_what_is_free():
    point = point_of(machine(card(free_bytes=4 * GIB)), run_bytes=5 * GIB)
    assert (point.other_gib, point.run_gib, point.free_gib) == (3.0, 5.0, 4.0)
    assert point.memory_words() == "this run 5.0, others 3.0 GiB"
    alone = point_of(machine(card(utilization=0.25)))
    assert (alone.memory_words(), alone.load) == ("others 2.0 GiB", 25.0)


def test_that_without_a_card_the_load_is_the_processor_s():
    assert point_of(machine(processor_load=0.5)).load == 50.0
    assert health(machine(processor_load=0.5))["Load"] == ("50 % of all cores", "")
    assert health(machine())["Load"] == ("not measured yet", "")


@pytest.mark.parametrize(
    ("reasons", "value", "mark"),
    [
        ((), "None", "Full speed"),
        (("power limit",), "Power limit", "Held back"),
        (None, "not reported", ""),
    ],
)
def test_that_throttling_is_told_with_its_cause(reasons, value, mark):
    told = health(machine(card(throttle_reasons=reasons)))
    assert told["Throttling"] == (value, mark)


def test_that_slices_and_other_graphics_are_listed():
    part = GpuSlice(uuid="M", name="3g.20gb", total_bytes=20 * GIB, free_bytes=5 * GIB)
    told = health(machine(card(is_divided=True, slices=(part,))))
    assert told["Slice 1"] == ("5.00 of 20.00 GiB free", "")
    rows = hardware_view(machine(other_graphics=("Intel graphics",))).health
    graphics = next(row for row in rows if row.name == "Graphics")
    assert (graphics.value, graphics.reason) == ("Intel graphics", "can't train here")


def test_that_a_card_in_trouble_is_not_called_missing():
    lost = hardware_view(machine(gpu_finding=error("gpu.lost", "Lost."))).facts
    assert lost.endswith("no NVIDIA card that can be used")
    none = hardware_view(machine(gpu_finding=error("gpu.none", "None."))).facts
    assert none.endswith("no NVIDIA card")


def test_that_the_driver_s_trouble_stands_before_remarks():
    trouble, remark = error("gpu.lost", "Lost."), error("gpu.wsl", "WSL.")
    reading = machine(gpu_finding=trouble, gpu_remarks=(remark,))
    assert hardware_view(reading).findings == (trouble, remark)
    assert report(hardware_view(reading)).endswith("Lost.\nWSL.\n")
