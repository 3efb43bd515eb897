"""A large file in the window: first rows, rate of the check, memory, stand-stills.

By default 20,000 rows, which the window is made to take for many, because a million
take a quarter of an hour on two busy cores. All of it:

    SNUGTUNE_BENCH_ROWS=1000000 python -m pytest -s tests/bench/test_bench_large_data.py
"""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.bench.large_data import write_rows

MODEL = "SmolLM2-135M-Instruct"
ROWS = int(os.environ.get("SNUGTUNE_BENCH_ROWS", "20000"))
ROUNDS = 3 if ROWS <= 100_000 else 1
MOST_FIRST_S = 1.0
MOST_RATIO = 2.0
MOST_BYTES = 1 << 30
MOST_STALL_S = 0.5
PATIENCE_S = 3600


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("large") / "rows.jsonl", ROWS)


@pytest.fixture(scope="module")
def home(tmp_path_factory, large):
    """A home in which the model's tokenizer is unpacked already."""
    home = tmp_path_factory.mktemp("home")
    few = write_rows(large.with_name("few.jsonl"), 3)
    seconds_of(home, "studio.engine", "inspect-data", few, "--model", MODEL)
    return home


def run(home, *arguments):
    environment = {**os.environ, "SNUGTUNE_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def seconds_of(home, *arguments):
    began = time.perf_counter()
    told = run(home, *arguments)
    return time.perf_counter() - began, told


def test_that_a_check_takes_at_most_twice_the_tokenising(home, large):
    alone, checked = [], []
    for _ in range(ROUNDS):
        seconds, told = seconds_of(
            home, "tests.bench.large_data", "baseline", large, MODEL
        )
        alone.append(seconds)
        seconds, found = seconds_of(
            home, "studio.engine", "inspect-data", large, "--model", MODEL
        )
        checked.append(seconds)
        assert found["all_tokens"] == told["tokens"]
        assert found["usable"] == ROWS
    ratio = min(checked) / min(alone)
    print(
        f"\n{ROWS:,} rows, {told['tokens']:,} tokens: read, rendered and tokenised "
        f"alone in {min(alone):.1f} s, checked in "
        f"{min(checked):.1f} s, {ratio:.2f} times"
    )
    assert ratio <= MOST_RATIO


def test_that_a_large_file_keeps_the_window_quick_and_small(home, large):
    large.touch()  # what was found before is of another file
    told = run(home, "tests.bench.large_data", "window", large, MODEL)
    size = large.stat().st_size / 1e6
    window, engine = told["window_bytes"] / 1e6, told["engine_bytes"] / 1e6
    print(
        f"\n{ROWS:,} rows ({size:.0f} MB): first screen in {told['first']:.2f} s, all "
        f"rows to scroll in {told['whole']:.1f} s, tokens counted in "
        f"{told['counted']:.1f} s; longest stand-still {told['stall']:.3f} s; at most "
        f"{window:.0f} MB in the window and {engine:.0f} MB beside it"
    )
    assert told["rows"] == ROWS
    assert told["first"] < MOST_FIRST_S
    assert told["window_bytes"] < MOST_BYTES
    assert told["engine_bytes"] < MOST_BYTES
    assert told["stall"] < MOST_STALL_S
