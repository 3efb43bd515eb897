"""A run on a processor: what it holds of main memory beside what was predicted.

The model is small but real: its tensors weigh as much as the engine itself, so that a
prediction that forgets either fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from studio.domain.hardware import MIB
from studio.domain.memory.formula import RESERVED_ERROR
from studio.engine import heap_keeping
from studio.protocol.events import MemoryMeasured
from studio.services.launch import engine_command, engine_environment
from studio.storage.run_directory import RunDirectory
from studio.system.resident_memory import resident_file_bytes
from tests.engine.helpers import new_run, of_kind, recipe_for
from tests.engine.test_model_loading import loaded
from tests.engine.tiny import chats, make_model, write_chats

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc"
)
SHAPE = {
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
}
# Every quarter batch is short: blocks of another size, which leave holes in a heap.
WORDS = (90, 90, 90, 40)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("small") / "model", **SHAPE)


def rows_of_two_lengths():
    rows = chats(80)
    for at, row in enumerate(rows):
        answer = "Brie. " * WORDS[at // 4 % len(WORDS)]
        row["messages"][1]["content"] = answer + str(at)
    return rows


def measured(folder, model, **options):
    """What a whole run says of its memory at its end."""
    data = write_chats(folder / "chats.jsonl", rows_of_two_lengths())
    run = new_run(folder, recipe_for(model, data, **options))
    home = {"SNUGTUNE_HOME": str(folder / "home")}
    subprocess.run(
        engine_command("train", str(run.path)),
        env={**os.environ, **engine_environment(keep_running=True), **home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=True,
    )
    (said,) = of_kind(RunDirectory(run.path).events(), MemoryMeasured)
    return said


@linux_only
def test_that_a_whole_run_stays_within_the_range_that_the_formula_tells(
    small_model, tmp_path
):
    said = measured(
        tmp_path,
        small_model,
        lora__adapter_dtype="fp32",
        train__sequence_length=256,
        train__micro_batch=4,
        train__max_steps=6,
    )
    predicted, taken = said.predicted["formula"].device, said.actual.device
    print(json.dumps({"MiB": [predicted // MIB, taken // MIB], "tokens": said.tokens}))
    assert said.predicted["formula"].allocated > predicted / 4
    assert abs(taken / predicted - 1) < RESERVED_ERROR


@linux_only
@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_that_no_page_of_the_weights_stays_mapped_when_they_are_quantised(
    small_model, precision
):
    model = loaded(small_model, model__precision=precision, model__compute_dtype="fp32")
    assert model.get_input_embeddings().weight.dtype is torch.float32
    assert str(small_model) not in Path("/proc/self/maps").read_text("utf-8")


@linux_only
def test_that_unquantised_weights_are_read_where_they_lie(small_model):
    before = resident_file_bytes()
    model = loaded(small_model, model__precision="fp32", model__compute_dtype="fp32")
    total = sum(parameter.nbytes for parameter in model.parameters())
    assert sum(parameter.sum() for parameter in model.parameters())
    assert resident_file_bytes() - before > 0.9 * total


@pytest.mark.parametrize(("allowed", "times"), [(0, 1), (1 << 60, 0)])
def test_that_holes_are_given_back_behind_each_layer_both_ways_above_what_is_allowed(
    small_model, monkeypatch, allowed, times
):
    called = []
    monkeypatch.setattr(heap_keeping, "give_back_free_memory", lambda: called.append(1))
    model = loaded(small_model, model__precision="fp32", model__compute_dtype="fp32")
    heap_keeping.keep_heap_within(model, allowed)
    words = torch.tensor([[1, 2, 3]])
    layers = times * SHAPE["num_hidden_layers"]
    with torch.no_grad():
        model.eval()(input_ids=words)
    assert len(called) == layers
    model.train()(input_ids=words, labels=words).loss.backward()
    assert len(called) == 3 * layers


HOLES = """
from studio.system.heap import give_back_free_memory
from studio.system.resident_memory import resident_bytes
kept = [bytes([1]) * (1 << 20) for _ in range(96)]
del kept[::2]
before = resident_bytes()
print(give_back_free_memory(), before - resident_bytes())
"""


@linux_only
def test_that_the_heap_gives_back_its_holes():
    done = subprocess.run(
        [sys.executable, "-c", HOLES],
        env={**os.environ, **engine_environment(keep_running=True)},
        capture_output=True,
        text=True,
        check=True,
    )
    can, given = done.stdout.split()
    if can == "False":
        pytest.skip("the C library is not glibc")
    assert int(given) > 40 * MIB
