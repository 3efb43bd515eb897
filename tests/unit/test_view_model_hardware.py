"""The Hardware page's words."""

from pathlib import Path
from types import MappingProxyType

import pytest

from studio.domain.hardware import GIB, MIB, GpuProcess, GpuReading, MachineReading
from studio.domain.run import EngineIdentity, MemoryPoint, RunSnapshot, RunState
from studio.ui.pages.hardware.view_model import hardware_view, point_of, report


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
    reading = machine(card(), card(index=1, name="Other"))
    assert hardware_view(reading).facts == "Card 0, Card: runs use it · 2 cards"


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
    assert [(row.name, row.is_run) for row in view.programs] == [
        ("python3, this run", True),
        ("b", False),
    ]
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
    assert (point.memory_gib, point.temperature_c, point.power_w) == (2.0, 50, None)
