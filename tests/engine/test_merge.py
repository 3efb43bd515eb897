"""The merged model says what base and adapter say together, or isn't there at all."""

import errno
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.errors import ExitCode
from studio.engine.adapter_files import put_adapter
from studio.engine.merging.pieces import tell_what_is_added
from studio.engine.model_loading import load_plain
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.answer_events import Generated
from studio.protocol.events import RunFailed
from studio.protocol.export_events import Merged
from studio.storage.safetensors_writing import SafetensorsWriter
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train

PROMPTS = [f"Which cheese is number {number}?" for number in range(10)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_chats(folder / "chats.jsonl")
    run = new_run(folder, recipe_for(tiny_qwen, data, train__max_steps=10))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run


def merge(run, out, dtype="bf16", *, overwrite=False):
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype=dtype, overwrite=overwrite
    )
    return code, events[-1]


def logits(model, tokenizer, prompt):
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        return model(input_ids=ids).logits


def test_that_merged_logits_equal_those_of_base_and_adapter(
    trained, tiny_qwen, tmp_path
):
    code, _ = merge(trained, tmp_path / "merged", "fp32")
    assert code is ExitCode.OK
    tokenizer = load_tokenizer(tmp_path / "merged")
    one = load_plain(tmp_path / "merged", torch.float32)
    two = put_adapter(load_plain(tiny_qwen, torch.float32), trained.adapter_path)
    base = load_plain(tiny_qwen, torch.float32)
    for prompt in PROMPTS:
        expected = logits(two, tokenizer, prompt)
        off = (logits(one, tokenizer, prompt) - expected).abs().max()
        assert off < 1e-4
        assert (logits(base, tokenizer, prompt) - expected).abs().max() > 1e-2


def test_that_merged_logits_equal_those_of_a_rank_stabilised_adapter(
    tmp_path, tiny_qwen
):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    options = {"train__max_steps": 5, "lora__variant": "rslora"}
    run = new_run(tmp_path, recipe_for(tiny_qwen, data, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    saved = json.loads((run.adapter_path / "adapter_config.json").read_text())
    code, merged = merge(run, tmp_path / "merged", "fp32")
    assert code is ExitCode.OK, merged
    tokenizer = load_tokenizer(tmp_path / "merged")
    one = load_plain(tmp_path / "merged", torch.float32)
    two = put_adapter(load_plain(tiny_qwen, torch.float32), run.adapter_path)
    scale = two.get_base_model().model.layers[0].self_attn.q_proj.scaling["default"]
    assert scale == pytest.approx(saved["lora_alpha"] / saved["r"] ** 0.5)
    expected = logits(two, tokenizer, PROMPTS[0])
    base = logits(load_plain(tiny_qwen, torch.float32), tokenizer, PROMPTS[0])
    assert (logits(one, tokenizer, PROMPTS[0]) - expected).abs().max() < 1e-4
    assert (base - expected).abs().max() > 1e-2


@pytest.mark.parametrize(("dtype", "width"), [("bf16", 2), ("fp16", 2), ("fp32", 4)])
def test_that_a_merged_model_is_whole_and_of_its_format(
    trained, tmp_path, dtype, width
):
    code, merged = merge(trained, tmp_path / "merged", dtype)
    assert code is ExitCode.OK
    assert isinstance(merged, Merged)
    assert merged.path == str(tmp_path / "merged")
    files = {file.name: file for file in (tmp_path / "merged").iterdir()}
    assert set(files) == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "snugtune.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    weights = load_file(files["model.safetensors"])
    assert {tensor.element_size() for tensor in weights.values()} == {width}
    assert merged.size_bytes == sum(file.stat().st_size for file in files.values())
    card = files["README.md"].read_text()
    assert "library_name: transformers" in card
    assert f"Merged in fp32 and saved in {dtype}." in card


def test_that_a_base_s_words_in_pieces_travel_with_it(trained, tiny_qwen, tmp_path):
    pieces = tiny_qwen / "tokenizer.model"
    pieces.write_bytes(b"as sentencepiece has them")
    try:
        assert merge(trained, tmp_path / "merged")[0] is ExitCode.OK
    finally:
        pieces.unlink()
    travelled = tmp_path / "merged" / "tokenizer.model"
    assert travelled.read_bytes() == b"as sentencepiece has them"
    settings = json.loads((tmp_path / "merged" / "tokenizer_config.json").read_text())
    added = {each["content"] for each in settings["added_tokens_decoder"].values()}
    ours = load_tokenizer(tiny_qwen)
    assert added == set(ours.get_added_vocab())
    text = "<|im_start|>user\nTwo  words<|im_end|>"
    assert load_tokenizer(tmp_path / "merged")(text) == ours(text)


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_that_a_tokenizer_s_own_beginning_and_end_are_written_down(
    tiny_model, tmp_path, begins, ends
):
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.bos_token = "<|im_start|>"
    tokenizer.add_bos_token, tokenizer.add_eos_token = begins, ends
    tokenizer.save_pretrained(tmp_path)
    tell_what_is_added(tokenizer, tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["add_bos_token"] is begins
    assert settings["add_eos_token"] is ends
    assert load_tokenizer(tmp_path)("Two words") == tokenizer("Two words")


def test_that_a_merged_model_names_no_place_of_this_machine(trained, tmp_path):
    merge(trained, tmp_path / "merged")
    for file in (tmp_path / "merged").iterdir():
        content = file.read_bytes()
        for path in (str(trained.path), str(tmp_path), "/tmp", "/home", "/root"):
            assert path.encode() not in content, file.name


def test_that_a_taken_place_is_refused_unless_it_may_be_overwritten(trained, tmp_path):
    out = tmp_path / "merged"
    assert merge(trained, out)[0] is ExitCode.OK
    (out / "mine.txt").write_text("old")
    code, failed = merge(trained, out)
    assert code is ExitCode.BAD_INPUT
    assert failed.kind == "merge.target-exists"
    assert (out / "mine.txt").exists()
    assert merge(trained, out, overwrite=True)[0] is ExitCode.OK
    assert not (out / "mine.txt").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["merged"]


def test_that_what_is_no_model_is_never_overwritten(trained, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    code, failed = merge(trained, tmp_path, overwrite=True)
    assert code is ExitCode.BAD_INPUT
    assert "no model" in failed.message
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_that_a_base_is_never_replaced_by_its_own_merge(trained, tiny_qwen):
    before = sorted(file.name for file in tiny_qwen.iterdir())
    code, failed = merge(trained, tiny_qwen, overwrite=True)
    assert code is ExitCode.BAD_INPUT
    assert failed.kind == "merge.target-is-base"
    assert sorted(file.name for file in tiny_qwen.iterdir()) == before


def test_that_a_full_disk_is_noticed_before_anything_is_written(
    trained, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, failed = merge(trained, tmp_path / "merged")
    assert code is ExitCode.DISK
    assert "are free" in failed.message
    assert list(tmp_path.iterdir()) == []


def test_that_a_disk_that_fills_up_leaves_nothing(trained, tmp_path, monkeypatch):
    def fill_up(self, name, chunks):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SafetensorsWriter, "write", fill_up)
    code, failed = merge(trained, tmp_path / "merged")
    assert code is ExitCode.DISK
    assert isinstance(failed, RunFailed)
    assert "no space left" in failed.message
    assert list(tmp_path.iterdir()) == []


def test_that_weights_too_large_for_fp16_are_refused(trained, tiny_qwen, tmp_path):
    folder = tmp_path / "loud"
    shutil.copytree(tiny_qwen, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] += 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    run = new_run(tmp_path / "runs", recipe_for(folder, "any"))
    shutil.copytree(trained.adapter_path, run.adapter_path)
    code, failed = merge(run, tmp_path / "merged", "fp16")
    assert code is ExitCode.BAD_INPUT
    assert "too large for fp16" in failed.message
    assert not (tmp_path / "merged").exists()


def test_that_a_run_without_an_adapter_cant_be_merged(tiny_qwen, tmp_path):
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, "any"))
    code, failed = merge(run, tmp_path / "merged")
    assert code is ExitCode.BAD_INPUT
    assert failed.kind == "run.no-adapter"
    assert not (tmp_path / "merged").exists()


def test_that_a_pickled_adapter_is_not_read(trained, tiny_qwen, tmp_path):
    run = new_run(tmp_path / "runs", recipe_for(tiny_qwen, "any"))
    shutil.copytree(trained.adapter_path, run.adapter_path)
    weights = run.adapter_path / "adapter_model.safetensors"
    torch.save(load_file(weights), run.adapter_path / "adapter_model.bin")
    weights.unlink()
    assert merge(run, tmp_path / "merged")[1].kind == "run.no-adapter"


def generate(source, *prompts, base=False, most=12):
    code, events = carry_out(
        "generate", source=source, prompt=list(prompts), max_new_tokens=most, base=base
    )
    assert code is ExitCode.OK, events[-1]
    return [event.text for event in of_kind(events, Generated)]


def test_that_answers_are_the_same_each_time_and_alone_or_together(trained):
    together = generate(trained.path, *PROMPTS[:3])
    assert generate(trained.path, *PROMPTS[:3]) == together
    assert [generate(trained.path, prompt)[0] for prompt in PROMPTS[:3]] == together


def test_that_the_base_answers_without_the_adapter(trained, tiny_qwen):
    base = generate(trained.path, PROMPTS[0], base=True)
    assert base != generate(trained.path, PROMPTS[0])


def test_that_a_merged_model_can_be_asked(trained, tmp_path):
    merge(trained, tmp_path / "merged", "fp32")
    assert len(generate(tmp_path / "merged", PROMPTS[0], PROMPTS[1])) == 2


def test_that_an_answer_is_cut_where_it_was_asked_to_be(trained):
    tokenizer = load_tokenizer(trained.adapter_path)
    (short,) = generate(trained.path, PROMPTS[0], most=2)
    assert len(tokenizer(short, add_special_tokens=False).input_ids) <= 2


def test_that_generating_by_a_folder_that_is_neither_run_nor_model_is_refused(
    tmp_path,
):
    code, events = carry_out(
        "generate", source=tmp_path, prompt=["?"], max_new_tokens=1, base=False
    )
    assert code is ExitCode.BAD_INPUT
    assert "no run" in events[-1].message


def test_that_the_adapter_config_is_still_one_that_peft_reads(trained):
    config = json.loads((trained.adapter_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (8, 32)
    assert config["task_type"] == "CAUSAL_LM"
