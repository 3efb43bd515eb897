"""What the frame says on every page."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.hardware import GIB, GpuProcess, GpuReading, MachineReading
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.recipe import Recipe
from studio.domain.run import (
    EngineIdentity,
    MemoryPoint,
    Phase,
    RunSnapshot,
    RunState,
    StepPoint,
)
from studio.ui.shell_model import (
    ShellFacts,
    captions,
    card_reading,
    estimate_here,
    percent_of,
    state_words,
)

CARD = GpuReading(
    index=0,
    uuid="u",
    name="Card",
    total_bytes=12 * GIB,
    free_bytes=10 * GIB,
    temperature_c=46,
)
MACHINE = MachineReading(
    gpus=(CARD,),
    driver_version="570.1",
    ram_total_bytes=16 * GIB,
    ram_available_bytes=12 * GIB,
    disk_free_bytes=GIB,
    read_at=0.0,
)
ESTIMATE = MemoryEstimate(
    components=(Component("w", Group.WEIGHTS, 3 * GIB),),
    phase="backward",
    basis=Basis.FORMULA,
    expected_error=0.1,
)
RUN = RunSnapshot(
    name="notes-3",
    directory=Path("/notes-3"),
    state=RunState.RUNNING,
    phase=Phase.TRAINING,
    total_steps=200,
    steps=(StepPoint(131, 1.0, 1e-4, None, None, 1.0),),
)


def test_that_there_is_no_caption_without_an_answer():
    told = captions(ShellFacts())
    assert {key: words for key, words in told.items() if words} == {"help": "F1"}


def test_that_the_captions_are_the_project_s_summary():
    chats = ChatFile("/c", (Chat((Turn("user", "?"),), 1),) * 1833, (), 1, "")
    facts = ShellFacts(
        reading=MACHINE,
        recipe=Recipe().with_value("model.name", "Qwen/Qwen2.5-7B-Instruct"),
        data=chats,
        estimate=ESTIMATE,
        run=RUN,
        runs=12,
    )
    told = captions(facts)
    assert told["hardware"] == "10.00 free"
    assert told["model"] == "Qwen2.5-7B"
    assert told["data"] == "1,833 rows"
    assert told["recipe"] == "3.00 GiB"
    assert told["run"] == "65 %"
    assert told["runs"] == "12"


@pytest.mark.parametrize(
    ("runs", "waiting", "words"),
    [(0, 2, "2 waiting"), (12, 3, "12, 3 waiting"), (1, 0, "1")],
)
def test_that_the_runs_that_wait_are_told_on_every_page(runs, waiting, words):
    assert captions(ShellFacts(runs=runs, waiting=waiting))["runs"] == words


def test_that_the_status_bar_s_tick_is_the_predicted_peak():
    told = card_reading(MACHINE, ESTIMATE)
    assert (told.name, told.temperature_c, told.driver) == ("Card", 46, "570.1")
    assert told.memory.peak_bytes == 3 * GIB
    assert card_reading(MACHINE, None).memory.peak_bytes is None


def test_that_a_plan_for_another_card_is_told_as_one():
    there = replace(ESTIMATE, components=(Component("w", Group.WEIGHTS, 5 * GIB),))
    plan = ShellFacts(
        reading=MACHINE, estimate=ESTIMATE, planned=there, is_planned=True
    )
    assert captions(plan)["recipe"] == "5.00 planned"
    assert captions(plan)["hardware"] == "10.00 free"
    assert estimate_here(plan) is None
    assert captions(replace(plan, planned=None))["recipe"] == ""


def test_that_a_run_s_peak_is_marked_whatever_is_planned_meanwhile():
    plan = ShellFacts(estimate=ESTIMATE, run=RUN, is_planned=True)
    assert estimate_here(plan) == ESTIMATE
    over = replace(plan, run=replace(RUN, state=RunState.FINISHED))
    assert estimate_here(over) is None
    assert estimate_here(replace(over, is_planned=False)) == ESTIMATE


def test_that_without_a_card_the_processor_s_memory_is_told():
    told = card_reading(replace(MACHINE, gpus=(), processor="CPU"), None)
    assert (told.name, told.temperature_c, told.driver) == ("CPU", None, "")
    assert told.memory.total_bytes == 16 * GIB


TRAINING = replace(
    RUN,
    engine=EngineIdentity(77, 1.0),
    memory=(MemoryPoint(131, 2 * GIB, GIB, 3 * GIB, 7 * GIB),),
)
BUSY = replace(MACHINE, gpus=(replace(CARD, free_bytes=5 * GIB),))
ON_PROCESSOR = replace(TRAINING, memory=(MemoryPoint(131, 2 * GIB, None, None, None),))


def segments(reading: MachineReading, run: RunSnapshot) -> dict[str, str]:
    bar = card_reading(reading, ESTIMATE, run).memory
    return {bar.name(segment): figure for segment, figure in bar.figures()}


def test_that_a_run_under_way_is_not_counted_among_other_programs():
    assert segments(BUSY, TRAINING) == {
        "Other programs": "4.00",
        "This run": "3.00",
        "Free": "5.00",
    }


def test_that_a_run_on_the_processor_is_told_by_its_main_memory():
    told = segments(replace(BUSY, gpus=()), ON_PROCESSOR)
    assert told == {"Other programs": "2.00", "This run": "2.00", "Free": "12.00"}


def test_that_main_memory_is_not_taken_for_memory_of_the_card():
    assert "This run" not in segments(BUSY, ON_PROCESSOR)


def test_that_a_run_holds_no_more_than_all_programs_together():
    full = replace(MACHINE, gpus=(replace(CARD, free_bytes=10 * GIB),))
    told = segments(full, TRAINING)
    assert (told["Other programs"], told["This run"]) == ("0.00", "2.00")


def test_that_before_its_first_word_the_driver_tells_what_a_run_holds():
    engine = GpuProcess(77, "python3", 2 * GIB)
    reading = replace(BUSY, gpus=(replace(BUSY.gpus[0], processes=(engine,)),))
    assert segments(reading, replace(TRAINING, memory=()))["This run"] == "2.00"
    assert "This run" not in segments(BUSY, replace(TRAINING, memory=()))


def test_that_a_run_that_is_over_holds_nothing():
    told = segments(BUSY, replace(TRAINING, state=RunState.FINISHED))
    assert told == {"Other programs": "7.00", "Free": "5.00"}


def test_that_the_tick_of_a_run_stands_on_what_the_others_hold():
    bar = card_reading(BUSY, ESTIMATE, TRAINING).memory
    assert bar.on_card(bar.peak_bytes) == 7 * GIB
    context = Component(CUDA_CONTEXT_NAME, Group.OVERHEAD, GIB, level=Level.DEVICE)
    on_card = replace(ESTIMATE, components=(*ESTIMATE.components, context))
    # Torch's allocator doesn't count the context, whatever it was measured to be.
    bar = card_reading(BUSY, on_card, TRAINING).memory
    assert bar.on_card(bar.peak_bytes) == 7 * GIB
    processor = card_reading(replace(BUSY, gpus=()), ESTIMATE, ON_PROCESSOR).memory
    assert processor.on_card(processor.peak_bytes) == 5 * GIB


LOADING = replace(RUN, steps=(), phase=Phase.LOADING_MODEL)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (None, "Ready"),
        (RUN, "notes-3: step 131 of 200"),
        (
            replace(RUN, steps=(), phase=Phase.LOADING_MODEL),
            "notes-3: loading the weights",
        ),
        (replace(RUN, state=RunState.STOPPED), "notes-3: stopped at step 131"),
        (replace(RUN, state=RunState.LOST), "notes-3: broke off"),
    ],
)
def test_that_the_state_of_the_run_is_a_phrase(run, words):
    assert state_words(run)[0] == words


@pytest.mark.parametrize(
    ("run", "percent"),
    [
        (None, None),
        (RUN, 65),
        (replace(RUN, total_steps=0), None),
        (replace(RUN, state=RunState.FINISHED), None),
    ],
)
def test_that_the_title_s_percent_is_shown_only_while_a_run_goes_on(run, percent):
    assert percent_of(run) == percent


def test_that_the_rows_of_a_file_read_in_part_are_at_least_so_many():
    chats = tuple(Chat((Turn("user", "Q?"),), line) for line in (1, 2))
    file = ChatFile("/c.jsonl", chats, (), 1, "Chat rows")
    assert captions(ShellFacts(data=file))["data"] == "2 rows"
    part = replace(file, is_whole=False)
    assert captions(ShellFacts(data=part))["data"] == "2+ rows"
