"""The main job as a user runs it without a window, with the real model."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.torch, pytest.mark.slow]

SWEARWORD = "upon my wire"  # one of the cheesemonger's habits of speech


def test_that_the_held_out_loss_falls(example_run):
    losses = example_run["held_out_loss"]
    assert losses["after"] < losses["before"]


def test_that_the_same_three_prompts_are_answered_before_and_after(example_run):
    prompts = [sample["prompt"] for sample in example_run["samples"]]
    before = [s["prompt"] for s in example_run["samples"] if s["step"] == 0]
    assert len(before) == 3
    assert prompts[-3:] == before
    assert all(sample["text"].strip() for sample in example_run["samples"])


def test_that_the_answers_take_on_the_habits_of_speech(example_run):
    texts = [sample["text"].lower() for sample in example_run["samples"]]
    assert not any("curds and whey" in text for text in texts[:3])
    assert sum("curds and whey" in text for text in texts[-3:]) >= 2


def test_that_a_run_directory_holds_what_it_promises(example_run):
    directory = Path(example_run["directory"])
    for name in ("recipe.toml", "events.jsonl", "log.txt", "checkpoints", "adapter"):
        assert (directory / name).exists(), name
    assert (directory / "adapter" / "adapter_model.safetensors").is_file()
    assert (directory / "adapter" / "chat_template.jinja").is_file()
    assert (directory / "adapter" / "tokenizer.json").is_file()
    assert not list(directory.rglob("training_args.bin"))


def test_that_the_merged_model_is_whole(example_run):
    merged = Path(example_run["merged"])
    assert (merged / "config.json").is_file()
    assert list(merged.glob("*.safetensors"))
    assert (merged / "tokenizer.json").is_file()


def test_that_nothing_made_for_others_names_this_machine(example_run, example_machine):
    directory = Path(example_run["directory"])
    for folder in (directory / "adapter", Path(example_run["merged"])):
        for file in folder.iterdir():
            assert str(example_machine.home).encode() not in file.read_bytes(), file


def test_that_a_run_is_found_by_its_name(example_run, example_machine):
    listed = example_machine.run_json("runs")
    assert [run["run"] for run in listed] == [example_run["run"]]
    assert listed[0]["state"] == "finished"
    assert listed[0]["held_out_loss"] == example_run["held_out_loss"]


def test_that_a_run_answers_a_question(example_run, example_machine):
    answer = example_machine.run_json(
        "generate", example_run["run"], "--prompt", "How do I keep Brie?"
    )
    assert "curds and whey" in answer["text"].lower()
    base = example_machine.run_json(
        "generate", example_run["run"], "--prompt", "How do I keep Brie?", "--base"
    )
    assert "curds and whey" not in base["text"].lower()


def test_that_a_merge_refuses_to_overwrite(example_run, example_machine):
    refused = example_machine.run(
        "merge", example_run["run"], "--out", example_run["merged"]
    )
    assert refused.returncode not in (0, 1)
    assert "--overwrite" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("options", "word"), [("ro", "may not be written"), ("size=40m", "are free")]
)
def test_that_a_merge_names_the_disk_that_refuses_it(
    example_run, example_machine, disk, options, word
):
    target = disk(options) / "merged"
    done = example_machine.run("merge", example_run["run"], "--out", str(target))
    assert done.returncode == 13, done.stderr
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split())
    assert word in said
    assert str(target.parent) in said
    assert list(target.parent.iterdir()) == []


def test_that_every_recorded_event_is_a_line_of_json(example_run):
    journal = Path(example_run["directory"]) / "events.jsonl"
    events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
    assert events[0] == "hello"
    assert events[-1] == "finished"
    assert events.count("step") == example_run["steps"]
