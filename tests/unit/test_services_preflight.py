from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.dataset import Chat, ChatFile, Turn
from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import Finding, Severity, error, warning
from studio.domain.hardware import GIB, MIB, TrainingDevice
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.recommend.proposal import Proposal
from studio.services.disk_need import merge_bytes, run_bytes
from studio.services.launch import engine_command, engine_environment
from studio.services.preflight import (
    model_of,
    preflight,
    raise_first_error,
    refuse_errors,
)
from studio.services.pricing import lengths_of, price, propose_for
from studio.storage.estimates import KeptEstimates
from studio.storage.models import ModelPlace, ModelState
from studio.system.paths import estimates_dir
from studio.system.versions import versions

CONFIG = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
PLACE = ModelPlace(name="m", title="M", state=ModelState.READY, config=CONFIG)
CARD = TrainingDevice(
    kind="cuda",
    name="A card",
    total_bytes=12 * GIB,
    free_bytes=11 * GIB,
    has_bf16=True,
    compute_capability=(8, 6),
)
OLD_CARD = replace(CARD, has_bf16=False, compute_capability=(7, 5))
PROCESSOR = replace(CARD, kind="cpu", name="A processor", compute_capability=None)
CHAT = Chat((Turn("user", "Why?"), Turn("assistant", "Therefore.")), 1)
ROOM = 100 * GIB


@pytest.fixture
def recipe(tmp_path):
    data = tmp_path / "chats.jsonl"
    data.write_text("{}")
    return Recipe().with_value("model.name", "m").with_value("data.path", str(data))


def codes(found):
    return [(finding.severity, finding.code) for finding in found]


def test_that_nothing_speaks_against_a_sound_start(recipe):
    assert preflight(recipe, PLACE, CARD, ROOM) == []


@pytest.mark.parametrize(
    ("changes", "device", "code", "severity"),
    [
        ({}, OLD_CARD, "device.no-bf16", Severity.ERROR),
        ({}, replace(PROCESSOR, has_bf16=False), "device.slow-bf16", Severity.WARNING),
        (
            {"model.compute_dtype": "fp16", "lora.adapter_dtype": "fp32"},
            PROCESSOR,
            "device.slow-fp16",
            Severity.WARNING,
        ),
        ({"model.attention": "flash"}, PROCESSOR, "device.no-flash", Severity.ERROR),
        (
            {
                "model.attention": "flash",
                "model.compute_dtype": "fp16",
                "lora.adapter_dtype": "fp32",
            },
            OLD_CARD,
            "device.no-flash",
            Severity.ERROR,
        ),
        (
            {"train.optimizer": "paged_adamw_8bit"},
            PROCESSOR,
            "device.paged-on-processor",
            Severity.WARNING,
        ),
        (
            {"model.compute_dtype": "fp16"},
            CARD,
            "recipe.contradiction",
            Severity.ERROR,
        ),
        ({"data.path": ""}, CARD, "data.none", Severity.ERROR),
        ({"data.path": "/no/such/file"}, CARD, "data.missing", Severity.ERROR),
        ({}, replace(CARD, free_bytes=MIB), "memory.short", Severity.ERROR),
        ({}, replace(PROCESSOR, free_bytes=MIB), "memory.short", Severity.WARNING),
    ],
)
def test_that_each_obstacle_is_found_with_a_remedy(
    recipe, changes, device, code, severity
):
    for key, value in changes.items():
        recipe = recipe.with_value(key, value)
    (finding,) = preflight(recipe, PLACE, device, ROOM)
    assert (finding.severity, finding.code) == (severity, code)
    assert finding.how_to_fix


def test_that_flash_attention_is_fine_on_a_recent_card(recipe):
    assert (
        preflight(recipe.with_value("model.attention", "flash"), PLACE, CARD, 1 << 50)
        == []
    )


def test_that_what_is_short_is_told_with_its_amount(recipe):
    estimate = price(recipe, PLACE, CARD)
    assert isinstance(estimate, MemoryEstimate)
    tight = replace(CARD, free_bytes=estimate.peak_bytes + MIB)
    (finding,) = preflight(recipe, PLACE, tight, ROOM)
    assert codes([finding]) == [(Severity.WARNING, "memory.tight")]
    short = replace(CARD, free_bytes=estimate.peak_bytes - GIB // 4)
    (finding,) = preflight(recipe, PLACE, short, ROOM)
    assert "Short by 0.25 GiB" in finding.what


def test_that_no_less_than_nothing_stays_free(recipe):
    estimate = price(recipe, PLACE, CARD)
    assert estimate.peak_bytes - 10 * MIB > estimate.least_bytes
    barely = replace(CARD, free_bytes=estimate.peak_bytes - 10 * MIB)
    (finding,) = preflight(recipe, PLACE, barely, ROOM)
    assert codes([finding]) == [(Severity.WARNING, "memory.tight")]
    assert "Tight: 0.01 GiB of cached blocks must be given back" in finding.what


def test_that_an_unpriced_model_is_remarked_on_not_refused(recipe):
    strange = replace(PLACE, config={"model_type": "mamba"})
    (finding,) = preflight(recipe, strange, CARD, ROOM)
    assert finding.severity is Severity.INFO
    unknown = replace(PLACE, config=None)
    (finding,) = preflight(recipe, unknown, CARD, ROOM)
    assert finding.code == "model.no-config"


def test_that_a_model_that_is_not_here_is_refused(recipe):
    missing = replace(PLACE, state=ModelState.MISSING)
    assert (Severity.ERROR, "model.missing") in codes(
        preflight(recipe, missing, CARD, ROOM)
    )
    unknown = error("model.unknown", "No.")
    assert preflight(recipe, unknown, CARD, ROOM) == [unknown]


def test_that_a_short_disk_is_refused_and_a_merge_is_thought_of(recipe):
    need = run_bytes(recipe, PLACE, 0)
    assert need is not None
    (finding,) = preflight(recipe, PLACE, CARD, need - 1)
    assert codes([finding]) == [(Severity.ERROR, "disk.short")]
    (finding,) = preflight(recipe, PLACE, CARD, need)
    assert codes([finding]) == [(Severity.WARNING, "disk.short-for-merge")]
    assert preflight(recipe, PLACE, CARD, need + merge_bytes(PLACE)) == []


def test_that_saving_often_and_converting_need_more_disk(recipe):
    recipe = recipe.with_value("train.save_minutes", 0)
    often = recipe.with_value("train.max_steps", 100).with_value("train.save_steps", 10)
    convertible = replace(PLACE, state=ModelState.CONVERTIBLE)
    sizes = [
        run_bytes(recipe, PLACE, 100),
        run_bytes(often, PLACE, 100),
        run_bytes(often, convertible, 100),
    ]
    assert sizes == sorted(set(sizes))
    passes = recipe.with_value("train.save_steps", 2)
    assert run_bytes(passes, PLACE, 1000) > run_bytes(passes, PLACE, 10)


def test_that_leaving_the_best_needs_room_for_it_as_often_as_is_measured(recipe):
    recipe = recipe.with_values({"train.save_minutes": 0, "train.max_steps": 100})
    measured = recipe.with_value("train.eval_steps", 100)
    best = measured.with_value("train.keep_best", True)
    often = best.with_value("train.eval_steps", 10)
    sizes = [run_bytes(each, PLACE, 100) for each in (measured, best, often)]
    assert sizes == sorted(set(sizes))
    assert run_bytes(recipe, PLACE, 100) == sizes[0]


def test_that_no_more_disk_is_needed_than_for_the_checkpoints_that_are_kept(recipe):
    often = recipe.with_value("train.save_steps", 1)
    assert run_bytes(often, PLACE, 1000) == run_bytes(often, PLACE, 100_000)
    more = often.with_value("train.keep_checkpoints", 10)
    assert run_bytes(more, PLACE, 1000) > run_bytes(often, PLACE, 1000)


def test_that_what_the_reader_found_is_told(recipe):
    remark = warning("data.row", "Line 2 has no messages.")
    data = ChatFile("chats.jsonl", (CHAT,) * 40, (remark,), 1, "Chats", 1)
    assert preflight(recipe, PLACE, CARD, ROOM, data) == [remark]
    refused = error("data.empty", "Nothing.")
    assert preflight(recipe, PLACE, CARD, ROOM, refused) == [refused]
    one = replace(data, chats=(CHAT,), findings=())
    codes = {finding.code for finding in preflight(recipe, PLACE, CARD, ROOM, one)}
    assert codes == {"data.nothing-held-out", "data.less-than-a-batch"}


@pytest.mark.parametrize(
    ("options", "fix", "why"),
    [
        ({}, "set data.held_out to 0.", "by heart."),
        (
            {"train.eval_steps": 5, "train.patience": 2},
            "set data.held_out, train.eval_steps and train.patience to 0.",
            "and its patience never ends it.",
        ),
    ],
)
def test_that_a_way_out_of_holding_nothing_back_is_not_refused_next(
    recipe, options, fix, why
):
    recipe = recipe.with_values(options)
    data = ChatFile("chats.jsonl", (CHAT,), (), 1, "Chats", 1)
    found = {each.code: each for each in preflight(recipe, PLACE, CARD, ROOM, data)}
    assert fix in found["data.nothing-held-out"].how_to_fix
    assert found["data.nothing-held-out"].why.endswith(why)
    mended = recipe.with_values({"data.held_out": 0.0, **dict.fromkeys(options, 0)})
    assert not mended.contradictions()


def test_that_errors_stand_before_warnings(recipe):
    recipe = recipe.with_value("train.optimizer", "paged_adamw_8bit")
    found = preflight(recipe.with_value("data.path", ""), PLACE, PROCESSOR, ROOM)
    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]


def test_that_nothing_is_said_about_what_is_not_measured_yet(recipe):
    assert preflight(recipe, PLACE, None, None) == []


def test_that_programs_without_a_window_are_refused_by_the_first_error(recipe):
    with pytest.raises(StudioError, match="no model “m”"):
        refuse_errors(recipe)
    named = recipe.with_value("model.name", "SmolLM2-135M-Instruct")
    with pytest.raises(StudioError, match="can be trained on"):
        refuse_errors(named)
    Path(recipe.data.path).write_text('{"question": "a", "answer": "b"}\n' * 40)
    found = refuse_errors(named)
    assert all(finding.severity is not Severity.ERROR for finding in found)


def test_that_a_recipes_model_is_a_place_or_a_finding(recipe):
    assert isinstance(model_of(recipe), Finding)
    named = recipe.with_value("model.name", "SmolLM2-135M-Instruct")
    assert isinstance(model_of(named), ModelPlace)


def test_that_a_proposal_is_for_the_model_and_the_longest_row(recipe):
    long = Chat((Turn("user", "x" * 3000), Turn("assistant", "y" * 3000)), 1)
    data = ChatFile("chats.jsonl", (CHAT, long), (), 1, "Chats")
    assert lengths_of(data).longest == 2000
    assert lengths_of(None).longest == 0
    proposal = propose_for(recipe, PLACE, CARD, data)
    assert isinstance(proposal, Proposal)
    assert proposal.recipe.model.name == "m"
    assert proposal.recipe.data == recipe.data
    assert proposal.recipe.train.sequence_length >= 2000
    assert isinstance(propose_for(recipe, replace(PLACE, config=None), CARD), Finding)


@pytest.mark.parametrize(
    ("key", "value"), [("lora.variant", "dora"), ("model.attention", "shifted")]
)
def test_that_no_search_keeps_what_no_formula_prices(recipe, key, value):
    asked = recipe.with_value(key, value)
    refused = propose_for(asked, PLACE, CARD, kept=frozenset({key}))
    assert isinstance(refused, Finding)
    assert refused.where == key
    proposal = propose_for(asked, PLACE, CARD)
    assert isinstance(proposal, Proposal)
    assert proposal.recipe.value(key) != value


def test_that_an_engine_is_started_by_this_python_and_tied_to_its_starter(monkeypatch):
    import os
    import sys

    monkeypatch.setenv("SNUGTUNE_KEEP_RUNNING", "1")
    assert engine_command("merge", "a", "--out", "b") == [
        sys.executable,
        "-m",
        "studio.engine",
        "merge",
        "a",
        "--out",
        "b",
    ]
    tied = engine_environment(keep_running=False)
    assert tied["SNUGTUNE_PARENT_PID"] == str(os.getpid())
    assert "SNUGTUNE_KEEP_RUNNING" not in tied
    assert tied["HF_HUB_OFFLINE"] == "1"
    free = engine_environment(keep_running=True)
    assert free["SNUGTUNE_KEEP_RUNNING"] == "1"
    assert "SNUGTUNE_PARENT_PID" not in free


def test_that_a_start_says_which_options_training_ignores(recipe):
    compared = recipe.with_value("compat.autocast", True)
    found = preflight(compared, PLACE, CARD, ROOM)
    assert codes(found) == [(Severity.INFO, "recipe.compared")]


def test_that_a_dry_run_that_was_made_decides_over_the_formula(
    recipe, tmp_path, monkeypatch
):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    assert preflight(recipe, PLACE, CARD, ROOM) == []
    part = Component("All", Group.ACTIVATIONS, 20 * GIB)
    exact = MemoryEstimate(
        components=(part,), phase="backward", basis=Basis.DRY_RUN, expected_error=0.02
    )
    kept = KeptEstimates(estimates_dir(), versions())
    kept.keep(CONFIG, recipe, CARD, exact)
    (short,) = preflight(recipe, PLACE, CARD, ROOM)
    assert short.code == "memory.short"
    assert "20.00 GiB" in short.why


@pytest.mark.parametrize(("kept", "says"), [(2, False), (10, True)])
def test_that_a_short_disk_is_refused_as_one(recipe, kept, says):
    recipe = recipe.with_value("train.keep_checkpoints", kept)
    found = preflight(recipe, PLACE, CARD, 1)
    with pytest.raises(StudioError) as refused:
        raise_first_error(found)
    assert refused.value.exit_code is ExitCode.DISK
    # Fewer than two are never kept.
    assert ("train.keep_checkpoints" in refused.value.finding.how_to_fix) is says


def test_that_a_files_lengths_are_worked_out_once():
    data = ChatFile("chats.jsonl", (CHAT,), (), 1, "Chats")
    again = ChatFile("chats.jsonl", (CHAT, CHAT), (), 1, "Chats")
    assert lengths_of(data) is lengths_of(data)
    assert lengths_of(again).rows == 2


def test_that_what_lies_in_main_memory_is_told_on_cards_and_refused_on_a_processor(
    recipe,
):
    recipe = recipe.with_value("train.offload", True)
    (told,) = [
        finding
        for finding in preflight(recipe, PLACE, CARD, ROOM)
        if finding.code == "recipe.offload"
    ]
    assert told.severity is Severity.INFO
    found = preflight(recipe, PLACE, PROCESSOR, ROOM)
    assert (Severity.ERROR, "device.no-offload") in codes(found)
