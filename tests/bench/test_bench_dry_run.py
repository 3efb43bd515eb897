"""How long a dry run takes, imports and all, and how much of this machine's memory."""

import json
import os
import statistics
import subprocess
import sys
import time

import pytest

from studio.domain.hardware import GIB
from studio.domain.recipe import Recipe
from studio.storage.recipes import save_recipe
from tests.bench.pace import slowness

pytestmark = pytest.mark.torch

# Shapes as in Llama 3's config.json.
SHAPE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "max_position_embeddings": 131072,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
SIZES = {
    "8B": ((4096, 14336, 32, 32), 15),
    "70B": ((8192, 28672, 80, 64), 40),
}
NAMES = "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"


@pytest.mark.parametrize("size", SIZES)
def test_that_a_dry_run_keeps_its_time_and_memory(size, tmp_path):
    numbers, most_s = SIZES[size]
    config = SHAPE | dict(zip(NAMES, numbers, strict=True))
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_recipe(tmp_path / "recipe.toml", Recipe())
    command = ["estimate-memory", str(tmp_path / "recipe.toml"), str(tmp_path)]
    card = ["--card-bytes", str(80 * GIB), "--capability", "9.0"]
    pace = [slowness() for _ in range(10)]
    began = time.monotonic()
    engine = subprocess.Popen(
        [sys.executable, "-m", "studio.engine", *command, *card],
        env={**os.environ, "SNUGTUNE_HOME": str(tmp_path / "home")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with engine.stdin:
        _, status, used = os.wait4(engine.pid, 0)
    engine.returncode = os.waitstatus_to_exitcode(status)
    wall_s, processor_s = time.monotonic() - began, used.ru_utime + used.ru_stime
    held_gib = used.ru_maxrss * 1024 / GIB
    slow = statistics.mean([*pace, *(slowness() for _ in range(10))])
    told = f"{wall_s:.1f} s, {processor_s:.1f} s of processor, {held_gib:.2f} GiB"
    print(f"dry run of {size}: {told}; the machine {slow:.2f} times slower than quiet")
    assert engine.returncode == 0
    assert held_gib < 2e9 / GIB
    # Of processor time: what else the machine does is not the dry run's.
    assert processor_s / slow < most_s
