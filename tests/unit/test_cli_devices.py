"""What is worth knowing of the device that a command is asked about."""

import json
from dataclasses import replace

import pytest

from studio import cli
from studio.cli import devices
from studio.domain.errors import ExitCode
from studio.domain.finding import error
from studio.domain.hardware import GIB, MachineReading
from studio.services.cards import device_named
from studio.system.gpu_findings import no_card
from tests.unit.test_cli_pricing import CONFIG

FAILING = error("gpu.driver", "The driver fails.", fix="Restart the machine.")
MACHINE = MachineReading(
    processor="A processor",
    ram_total_bytes=64 * GIB,
    ram_available_bytes=60 * GIB,
    disk_free_bytes=GIB,
    read_at=0.0,
)
INSTEAD = (
    "The driver fails. So the processor and main memory are meant here, not the card. "
    "Restart the machine."
)


@pytest.fixture
def machine(monkeypatch):
    def becomes(finding):
        read = replace(MACHINE, gpu_finding=finding)
        monkeypatch.setattr(devices, "read_machine_once", lambda: read)

    return becomes


@pytest.fixture
def answered(tmp_path, monkeypatch, capsys):
    """A command for a model: what it prints, and what it says aside."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    own = {"estimate": ["--model", str(tmp_path), "--basis", "formula"]}
    own |= {"recommend": ["--model", str(tmp_path)], "models": []}

    def answer(verb, *arguments):
        assert cli.main([verb, *own[verb], *arguments]) == ExitCode.OK
        told = capsys.readouterr()
        return told.out, " ".join(told.err.split())

    return answer


def test_that_a_failing_driver_is_told_beside_the_price_of_the_processor(
    machine, answered
):
    machine(FAILING)
    said, _ = answered("estimate")
    assert INSTEAD in " ".join(said.split())
    document = json.loads(answered("estimate", "--json")[0])
    assert document["notes"][-1] == INSTEAD
    assert document["device"]["name"] == "A processor"


@pytest.mark.parametrize("verb", ["recommend", "models"])
def test_that_other_commands_say_it_aside(machine, answered, verb):
    machine(FAILING)
    said, aside = answered(verb, "--json")
    assert aside == f"Warning: {INSTEAD}"
    assert json.loads(said)["device"]["name"] == "A processor"


def test_that_a_named_card_is_priced_whatever_the_driver_does(machine, answered):
    machine(FAILING)
    said, aside = answered("estimate", "--gpu", "RTX 4090")
    assert "The driver fails" not in said + aside


def test_that_a_machine_without_a_card_needs_no_remark(machine, answered):
    machine(no_card(0))
    assert json.loads(answered("estimate", "--json")[0])["notes"] == []


def test_that_a_bare_number_says_that_it_is_taken_as_free(machine, answered):
    machine(no_card(0))
    (note,) = json.loads(answered("estimate", "--gpu", "24", "--json")[0])["notes"]
    assert note.startswith("All of the 24.00 GiB is taken as free memory")
    named = note.rpartition("--gpu “")[2].partition("”")[0]
    sold = device_named(named, MACHINE)
    assert sold.free_bytes < 24 * GIB
    assert f"about {sold.free_bytes / GIB:.2f} GiB" in note


def test_that_a_number_that_no_card_is_sold_with_is_only_said_to_be_free(
    machine, answered
):
    machine(no_card(0))
    _, aside = answered("recommend", "--vram", "23.5")
    told = "All of the 23.50 GiB is taken as free memory, for no card is named."
    assert aside == f"Note: {told}"
