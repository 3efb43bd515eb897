import json
import shutil

import pytest
import torch

from studio.domain.errors import ExitCode
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.engine import measure_memory as module
from studio.protocol.codec import heard_comparison
from studio.protocol.events import (
    MemoryMeasured,
    PhaseChanged,
    RunFailed,
    RunFinished,
    Warned,
)
from studio.services.process_outcome import is_final, is_last_word
from studio.storage.measurements import MeasurementTable
from studio.storage.recipes import save_recipe
from studio.system.paths import measurements_path
from tests.engine.helpers import carry_out, engine, new_run, of_kind, recipe_for, train

# A remark of transformers for models that come without a generation config.
pytestmark = pytest.mark.filterwarnings("ignore:.*generation:UserWarning")

COURSE = [
    Phase.LOADING_MODEL,
    Phase.EVALUATING,
    Phase.SAMPLING,
    Phase.TRAINING,
    Phase.SAVING,
    Phase.EVALUATING,
    Phase.SAMPLING,
]
# Of allocated memory. A real loop keeps some scalars that a dry run doesn't: the loss
# so far, the gradient's norm; each takes a block of 512 bytes, which tells here only
# because the model is tiny.
SCALARS = 20 * 512


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))


def recipe_with(**options):
    recipe = Recipe().with_value("train.sequence_length", 96)
    values = {"train.accumulation": 2, "data.prompts": ("word",)}
    values |= {key.replace("__", "."): value for key, value in options.items()}
    for key, value in values.items():
        recipe = recipe.with_value(key, value)
    return recipe


def measured(folder, model, recipe, *, random_weights=False):
    """The verb's exit code and its events, for a recipe."""
    save_recipe(folder / "recipe.toml", recipe)
    return carry_out(
        "measure-memory",
        recipe=folder / "recipe.toml",
        model=model,
        random_weights=random_weights,
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train__micro_batch": 3},
        {"train__packing": True},
        {"train__packing": True, "train__micro_batch": 2, "model__attention": "eager"},
        {"model__precision": "int8", "train__optimizer": "adamw_8bit"},
        {"model__precision": "bf16", "train__checkpointing": False},
        {"model__precision": "bf16", "compat__full_training": True},
        {"model__attention": "eager", "train__optimizer": "adamw_foreach"},
    ],
    ids=str,
)
def test_that_a_real_run_takes_what_the_dry_run_says(tiny_qwen, tmp_path, options):
    code, events = measured(tmp_path, tiny_qwen, recipe_with(**options))
    assert code is ExitCode.OK, events[-1]
    said = events[-1]
    assert isinstance(said, MemoryMeasured)
    predicted = said.predicted["dry-run"].allocated
    assert 0 <= said.actual.allocated - predicted <= SCALARS
    assert set(said.predicted) == {"formula", "dry-run"}


def test_that_the_course_of_a_run_is_told_and_each_phase_measured(tiny_model, tmp_path):
    _, events = measured(tmp_path, tiny_model, recipe_with())
    assert [event.phase for event in of_kind(events, PhaseChanged)] == COURSE
    said = events[-1]
    assert set(said.phases) == set(MemoryPhase)
    assert said.phase == MemoryPhase.BACKWARD
    assert said.actual.allocated == said.phases["backward"].allocated
    assert said.actual.device == max(peaks.device for peaks in said.phases.values())
    for peaks in said.phases.values():
        assert peaks.reserved == peaks.allocated < peaks.device
    # Weights, constants of their quantisation, adapter and position tables stay.
    loaded = said.phases["load"].allocated
    assert all(peaks.allocated >= loaded for peaks in said.phases.values())
    assert said.context_bytes is None
    assert said.seconds > 0


def test_that_it_is_the_last_word_of_a_probe_but_of_no_run(tiny_model, tmp_path):
    _, events = measured(tmp_path, tiny_model, recipe_with())
    assert is_last_word(events[-1])
    assert is_final(events[-1])


def test_that_real_data_are_measured_by_their_longest_batch(
    tiny_model, chat_file, tmp_path
):
    rows = [json.loads(line) for line in chat_file.read_text().splitlines()]
    for row in rows[::3]:
        row["messages"][1]["content"] = "Brie. " * 12
    chat_file.write_text("\n".join(map(json.dumps, rows)))
    recipe = recipe_for(tiny_model, chat_file, train__micro_batch=2)
    _, events = measured(tmp_path, tiny_model, recipe)
    said = events[-1]
    assert 40 < said.tokens < recipe.train.sequence_length
    assert Phase.PREPARING_DATA in {e.phase for e in of_kind(events, PhaseChanged)}
    # The prediction is for the same batch; of it, here, not every token is learnt.
    assert said.actual.allocated == pytest.approx(
        said.predicted["dry-run"].allocated, rel=0.05
    )
    (row,), _ = MeasurementTable(measurements_path()).read()
    assert len(row.subject.data) == 64


def test_that_packed_data_are_measured_by_their_fullest_rows(
    tiny_model, tmp_path, chat_file
):
    options = {"train__micro_batch": 2, "train__accumulation": 3}
    alone = recipe_for(tiny_model, chat_file, **options)
    packed = alone.with_value("train.packing", True)
    _, events = measured(tmp_path, tiny_model, packed)
    (tmp_path / "alone").mkdir()
    _, others = measured(tmp_path / "alone", tiny_model, alone)
    length = packed.train.sequence_length
    assert others[-1].tokens < length / 2 < 0.8 * length < events[-1].tokens <= length
    assert events[-1].actual.allocated == pytest.approx(
        events[-1].predicted["dry-run"].allocated, rel=0.05
    )


def test_that_random_weights_take_what_real_ones_do(tiny_qwen, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(tiny_qwen / "config.json", bare)
    recipe = recipe_with()
    _, real = measured(tmp_path, tiny_qwen, recipe)
    _, made = measured(tmp_path, bare, recipe, random_weights=True)
    assert made[-1].phases["backward"].allocated == (
        real[-1].phases["backward"].allocated
    )
    assert [each.name for each in bare.iterdir()] == ["config.json"]


def test_that_memory_which_does_not_suffice_is_a_result(tiny_model, tmp_path):
    # 4 heads x 300,000^2 scores: more than any machine that runs these tests has.
    recipe = recipe_with(
        model__attention="eager",
        train__sequence_length=300_000,
        train__checkpointing=False,
        data__held_out=0.0,
        data__prompts=("word",),
    )
    code, events = measured(tmp_path, tiny_model, recipe)
    said = events[-1]
    assert code is ExitCode.OK
    assert isinstance(said, MemoryMeasured)
    assert said.ran_out.phase == MemoryPhase.FORWARD
    assert said.ran_out.asked_bytes >= 300_000**2
    (row,), _ = MeasurementTable(measurements_path()).read()
    assert row.ran_out is not None


def test_that_a_fault_which_is_not_memory_stays_a_fault(
    tiny_model, tmp_path, monkeypatch
):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "build_trainer", broken)
    code, events = measured(tmp_path, tiny_model, recipe_with())
    assert code is ExitCode.FAILED
    assert events[-1].kind == "internal"


@pytest.mark.parametrize(
    "key", ["full_logits", "autocast", "shifted_logits_copy", "upcast_unquantized"]
)
def test_that_other_programs_cannot_be_measured(tiny_model, tmp_path, key):
    recipe = recipe_with(**{f"compat__{key}": True})
    code, events = measured(tmp_path, tiny_model, recipe)
    assert code is ExitCode.BAD_INPUT
    assert isinstance(events[-1], RunFailed)
    assert "another program" in events[-1].message


def test_that_a_table_which_refuses_costs_no_measurement(
    tiny_model, tmp_path, monkeypatch
):
    table = measurements_path()
    table.parent.mkdir(parents=True)
    table.mkdir()
    code, events = measured(tmp_path, tiny_model, recipe_with())
    assert code is ExitCode.OK
    assert isinstance(events[-1], MemoryMeasured)
    assert of_kind(events, Warned)


def test_that_a_process_of_its_own_measures_and_leaves(tiny_model, tmp_path):
    save_recipe(tmp_path / "recipe.toml", recipe_with())
    with engine("measure-memory", tmp_path / "recipe.toml", tiny_model) as process:
        said = process.listen_until(MemoryMeasured)
        code, log = process.end()
    assert code == ExitCode.OK, log
    # What Python and its libraries take is most of it, and is told by the formula.
    assert said.actual.device == pytest.approx(
        said.predicted["dry-run"].device, rel=0.15
    )


def test_that_a_finished_run_tells_its_memory_beside_the_prediction(
    tiny_model, chat_file, tmp_path
):
    run = new_run(tmp_path, recipe_for(tiny_model, chat_file))
    _, events = train(run)
    *_, said, last = events
    assert isinstance(last, RunFinished)
    assert isinstance(said, MemoryMeasured)
    assert said.source == "run"
    assert not is_last_word(said)
    assert said.actual.device > 0
    assert said.actual.allocated is None  # a processor has no counter of its own
    assert "predicted" in heard_comparison(said).sentence()
    (row,), _ = MeasurementTable(measurements_path()).read()
    assert row.tokens == said.tokens


def test_that_a_dry_run_which_was_made_before_is_compared(
    tiny_model, chat_file, tmp_path
):
    recipe = recipe_for(tiny_model, chat_file)
    measured(tmp_path, tiny_model, recipe)
    _, events = train(new_run(tmp_path, recipe))
    (said,) = of_kind(events, MemoryMeasured)
    assert set(said.predicted) == {"formula", "dry-run"}


def test_that_one_step_tells_nothing(tiny_model, chat_file, tmp_path):
    recipe = recipe_for(tiny_model, chat_file, train__max_steps=1)
    _, events = train(new_run(tmp_path, recipe))
    assert of_kind(events, MemoryMeasured) == []


def test_that_a_card_is_metered_by_torch_and_its_own_uuid(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda _: type("Properties", (), {"uuid": "ab-cd"}),
    )
    recipe = recipe_with(train__optimizer="paged_adamw_8bit")
    meter = module.meter_for(module.Probe(recipe, None, {"ab-cd": 3}))
    assert meter.counters is torch.cuda
    assert (meter.driver.uuid, meter.is_paged) == ("ab-cd", True)
    assert meter.driver.counts_card
