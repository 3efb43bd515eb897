"""The Start page's words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.domain.hardware import GIB, GpuReading, MachineReading
from studio.domain.recipe import Recipe
from studio.domain.run import HeldOutPoint, MemoryPoint, RunSnapshot, RunState
from studio.ui.pages.start.view_model import (
    device_answer,
    recent_run,
    unused_name,
    when_words,
)

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def machine(*gpus: GpuReading) -> MachineReading:
    return MachineReading(
        gpus=gpus,
        processor="A processor",
        ram_total_bytes=16 * GIB,
        ram_available_bytes=12 * GIB,
        disk_free_bytes=GIB,
        read_at=0.0,
    )


def test_that_nothing_is_claimed_before_the_first_reading():
    answer = device_answer(None)
    assert answer.bar is None
    assert answer.words == "Not measured yet."


def test_that_a_card_whose_memory_is_unknown_is_not_called_ready():
    silent = GpuReading(index=0, uuid="u", name="Card")
    assert device_answer(machine(silent)).title == "No NVIDIA card found"


def test_that_the_card_with_memory_is_the_answer():
    card = GpuReading(
        index=0, uuid="u", name="Card", total_bytes=12 * GIB, free_bytes=10 * GIB
    )
    assert device_answer(machine(card)).title == "Card with 10.00 GiB free"


def test_that_a_run_is_told_by_its_journal_alone():
    snapshot = RunSnapshot(
        name="notes-3",
        directory=Path("/runs/notes-3"),
        state=RunState.FINISHED,
        held_out=(HeldOutPoint(0, 2.0), HeldOutPoint(40, 1.25)),
        memory=(MemoryPoint(1, 3 * GIB, None, None, None),),
        started_at=NOW.timestamp() - 60,
        seconds=75,
    )
    recipe = Recipe().with_value("model.name", "Qwen/Qwen2.5-7B-Instruct")
    row = recent_run(snapshot, recipe, NOW)
    assert (row.model, row.outcome.words) == ("Qwen2.5-7B", "Finished")
    assert (row.held_out, row.peak) == ("1.250", "3.00")
    assert (row.time, row.when) == ("1 min 15 s", "Today 14:59")


def test_that_what_was_not_measured_is_not_shown_as_zero():
    row = recent_run(RunSnapshot(name="n", directory=Path("/n")), None, NOW)
    assert row.held_out == row.peak == row.when == "not measured"
    assert row.model == "unknown"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 11, 22, 9, 5, tzinfo=UTC), "Today 09:05"),
        (datetime(2026, 11, 21, 23, 0, tzinfo=UTC), "Yesterday"),
        (datetime(2026, 11, 14, 9, 0, tzinfo=UTC), "14 Nov"),
        (datetime(2025, 12, 1, 9, 0, tzinfo=UTC), "1 Dec 2025"),
    ],
)
def test_that_a_moment_is_told_as_people_say_it(moment, words):
    assert when_words(moment.timestamp(), NOW) == words


def test_that_a_suggested_name_is_not_taken():
    assert unused_name("Chats", []) == "Chats"
    assert unused_name("Chats", ["chats", "Chats 2"]) == "Chats 3"
