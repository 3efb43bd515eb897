"""The streamed merge beside peft's, and beside a copy of the same bytes.

    python -m tests.bench.merging [--model NAME] [--layers N] [--without-peft]
                                  [--folder DIR]

A model of Llama 3.1 8B's shape, or of another that `formula_grid` knows, with N of its
blocks and random weights is written to disk in bf16 as it would be published, with an
adapter of rank 16 on all linear layers, and on experts. Then take turns, each in
a process of its own: a plain copy of its files; the arithmetic alone, on weights that
are in memory; the streamed merge; and peft's load, merge and save in fp32, which holds
all weights, so that a machine with less memory goes without it. All end with what they
wrote synced to disk. Memory is the highest resident, above that of a process that has
loaded the same libraries and done nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from peft import LoraConfig, PeftModelForCausalLM, get_peft_model
from transformers import AutoModelForCausalLM

from studio.domain.hardware import MIB
from studio.engine.merging.arithmetic import AdapterParts
from studio.engine.merging.plan import plan_of
from studio.engine.merging.streaming import merge_shard, write_index
from studio.engine.random_weights import outline_of, write_random_model
from studio.system.resident_memory import highest_resident_bytes
from tests.bench.formula_grid import ARCHITECTURES

DTYPE = torch.bfloat16
WAYS = ("nothing", "copy", "arithmetic", "streamed", "peft")


class _Uncounted:
    def add(self, amount):
        pass


def write_model(folder, model, layers):
    config = dict(ARCHITECTURES[model], num_hidden_layers=layers)
    described = folder / "described"
    described.mkdir()
    (described / "config.json").write_text(json.dumps(config))
    write_random_model(described, folder / "base", as_published=True)
    outline = outline_of(described)
    wanted = LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear")
    adapted = get_peft_model(outline, wanted)
    state = {
        name: torch.randn(tensor.shape).mul_(0.01)
        for name, tensor in adapted.state_dict().items()
        if "lora_" in name
    }
    adapted.save_pretrained(folder / "adapter", state_dict=state)


def nothing(folder, out):
    pass


def copy(folder, out):
    for file in sorted((folder / "base").glob("*.safetensors")):
        with file.open("rb") as source, (out / file.name).open("wb") as target:
            while chunk := source.read(32 << 20):
                target.write(chunk)


def arithmetic(folder, out):
    parts = AdapterParts(folder / "adapter")
    weights = {}
    for shard in plan_of(folder / "base", folder / "adapter"):
        for piece in shard.pieces:
            if piece.target is None:
                continue
            shape = piece.place.shape[-2:]
            held = weights.setdefault(shape, torch.zeros(shape, dtype=DTYPE))
            for rows in piece.rows or (None,):
                done = parts.merged(piece.target, held.float(), rows)
                rounded = done.to(DTYPE)
                assert torch.isfinite(rounded).all()


def streamed(folder, out):
    shards = plan_of(folder / "base", folder / "adapter")
    parts = AdapterParts(folder / "adapter")
    for shard in shards:
        merge_shard(shard, parts, out / shard.path.name, DTYPE, _Uncounted())
    write_index(shards, out, DTYPE)


def peft(folder, out):
    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    adapted = PeftModelForCausalLM.from_pretrained(base, str(folder / "adapter"))
    adapted.merge_and_unload().to(DTYPE).save_pretrained(out)


def in_this_process(way, folder):
    with tempfile.TemporaryDirectory(dir=folder) as out:
        began = time.monotonic()
        globals()[way](folder, Path(out))
        for file in Path(out).iterdir():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())
        seconds = time.monotonic() - began
        size = sum(file.stat().st_size for file in Path(out).iterdir())
    memory = highest_resident_bytes()
    print(json.dumps({"seconds": seconds, "memory": memory, "size": size}))


def measured(way, folder):
    command = [sys.executable, "-m", "tests.bench.merging", "--way", way]
    command += ["--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compared(folder, model, layers, ways=WAYS):
    """Seconds and MiB above an idle process, by way."""
    write_model(folder, model, layers)
    found = {way: measured(way, folder) for way in ways}
    idle = found["nothing"]["memory"]
    return {
        way: {
            "seconds": round(told["seconds"], 2),
            "mib": round((told["memory"] - idle) / MIB),
            "written_mib": round(told["size"] / MIB),
        }
        for way, told in found.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=ARCHITECTURES, default="llama-3.1-8b")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--without-peft", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    if given.way:
        in_this_process(given.way, given.folder)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        ways = WAYS[:-1] if given.without_peft else WAYS
        found = compared(Path(folder), given.model, given.layers, ways)
    for way, told in found.items():
        print(way, told)
    both = found["copy"]["seconds"] + found["arithmetic"]["seconds"]
    ratio = found["streamed"]["seconds"] / both
    print(f"streamed: {ratio:.2f} times the copy and the arithmetic together")


if __name__ == "__main__":
    main()
