"""What it costs to check rows without a model: rows a second, and memory."""

import json
import subprocess
import sys
import time

import pytest

from studio.domain.data_checks.near_copies import NearCopies
from studio.storage.data_reading import open_data
from tests.bench.data_checks import write_rows

ROWS = 200_000
MIB = 1 << 20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_that_checking_many_rows_stays_within_memory(tmp_path):
    command = [sys.executable, "-m", "tests.bench.data_checks", str(ROWS)]
    done = subprocess.run(
        [*command, str(tmp_path / "rows.jsonl")],
        capture_output=True,
        check=True,
        text=True,
    )
    told = json.loads(done.stdout)
    grown = (told["peak_bytes"] - told["before_bytes"]) / MIB
    read, checked = (told[key] / ROWS * 1e6 for key in ("read_s", "checked_s"))
    print(
        f"reading {read:.0f} µs a row, reading and checking {checked:.0f} µs "
        f"({1e6 / checked:,.0f} rows a second), {grown:.0f} MiB more"
    )
    assert grown < 300 * ROWS / 1_000_000 + 20


@pytest.mark.torch
def test_that_near_copies_are_sought_in_less_time_than_tokens_are_counted(tmp_path):
    from studio.engine.chat_rendering import training_row
    from tests.engine.tiny import make_tokenizer

    write_rows(tmp_path / "rows.jsonl", 4000)
    chats = [chat for _, chat in open_data(tmp_path / "rows.jsonl").examples()]
    tokenizer, finder = make_tokenizer(), NearCopies(lambda _: None)
    began = time.process_time()
    for number, chat in enumerate(chats):
        finder.take(number, f"{chat.question()}\n{chat.answer()}")
    finder.finish()
    sought = time.process_time() - began
    began = time.process_time()
    for chat in chats:
        training_row(tokenizer, chat)
    tokenised = time.process_time() - began
    print(f"near copies {sought:.2f} s, template and tokens {tokenised:.2f} s")
    assert sought < tokenised
