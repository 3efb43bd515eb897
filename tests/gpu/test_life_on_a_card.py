"""What a run must survive, on a card: a cut, memory that runs out, a pause."""

import json
import time

import pytest
import torch

from studio.domain.hardware import GIB
from studio.storage.run_directory import RunDirectory
from studio.system.nvml_library import load_library
from tests.gpu.runs import adapted, begun, engine, events, python, weights

pytestmark = [pytest.mark.gpu, pytest.mark.torch, pytest.mark.slow]

WAYS = {
    "nf4, adamw 8 bit": {"train__optimizer": "adamw_8bit"},
    "nf4, paged 8 bit": {"train__optimizer": "paged_adamw_8bit"},
    "bf16": {"model__precision": "bf16"},
    "fp16 with a scaler": {
        "model__precision": "fp16",
        "model__compute_dtype": "fp16",
        "lora__adapter_dtype": "fp32",
    },
    "packed": {"train__packing": True},
}
PATIENCE_S = 120


@pytest.mark.parametrize("way", WAYS)
def test_that_going_on_equals_never_having_stopped(way, run_of):
    straight, broken = run_of(**WAYS[way]), run_of(**WAYS[way])
    done = engine(straight)
    assert done.returncode == 0, done.stderr
    assert engine(broken, SNUGTUNE_FAULTS="step.begun:kill@7").returncode != 0
    done = engine(broken, "--resume")
    assert done.returncode == 0, done.stderr
    assert weights(broken) == weights(straight)


def test_that_memory_which_really_runs_out_ends_no_run(run_of):
    options = {"train__micro_batch": 256, "train__max_steps": 3}
    run = run_of(**options, train__checkpointing=False)
    # torch itself refuses what lies above this share of the card.
    cap = f"per_process_memory_fraction:{GIB / card_bytes():.5f}"
    done = python(
        *("studio", "train", run.recipe_path, "--run-dir", run.path.parent / "short"),
        PYTORCH_CUDA_ALLOC_CONF=cap,
    )
    assert done.returncode == 0, done.stderr
    short = RunDirectory(run.path.parent / "short")
    (first, *_) = adapted(short)
    assert first["before"]["train.micro_batch"] == 256
    assert first["after"]["train.micro_batch"] == 128
    assert first["after"]["train.accumulation"] == 2
    assert (short.adapter_path / "adapter_model.safetensors").exists()


def test_that_a_pause_frees_the_card_and_cancelling_leaves_no_process(run_of):
    made = run_of(train__max_steps=2000, train__save_steps=0)
    run = RunDirectory(made.path.parent / "paused")
    train = ("train", made.recipe_path, "--run-dir", run.path)
    pid = ended_by("pause", run, train, when=lambda: len(events(run, "step")) > 2)
    paused = shown(run)
    assert (paused["state"], pid in pids_on_card()) == ("paused", False)
    resume = ("resume", run.path)
    pid = ended_by(
        "cancel", run, resume, when=lambda: shown(run)["step"] > paused["step"]
    )
    assert pid not in pids_on_card()


def ended_by(order, run, command, *, when):
    """Let a command train until something holds, then end it by an order.

    Returns:
        The engine's pid, which was on the card before the order.
    """
    training = begun("studio", *command)
    try:
        until(when)
        pid = shown(run)["engine_pid"]
        assert pid in pids_on_card()
        done = python("studio", order, run.path)
        assert done.returncode == 0, done.stderr
        training.wait(PATIENCE_S)
    finally:
        training.kill()
    return pid


def shown(run):
    done = python("studio", "show", run.path, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(holds):
    """Wait for something to become true; not for ever."""
    patience = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < patience, "it didn't come to be"
        time.sleep(0.3)


def card_bytes():
    return torch.cuda.get_device_properties(0).total_memory


def pids_on_card():
    """Processes that hold memory of the card, as the driver lists them."""
    library = load_library()
    library.nvmlInit()
    handle = library.nvmlDeviceGetHandleByIndex(0)
    listed = library.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    return {each.pid for each in listed}
