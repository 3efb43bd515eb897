"""All checks over many rows, in a process of its own: ``python -m … ROWS FILE``.

Prints one line of JSON: processor seconds for reading alone and for reading and
checking, and the peak memory before and after.
"""

import json
import random
import sys
import time
from pathlib import Path

from studio.domain.data_checks.all_checks import CheckSettings
from studio.storage.data_inspection import checks_of, inspect_rows
from studio.storage.data_reading import open_data

LETTERS = "etaoinshrdlu"


def write_rows(file, rows):
    """Chats of 26 invented words each; every thirtieth word is a number."""
    chosen = random.Random(1)
    words = [
        "".join(chosen.choices(LETTERS, k=chosen.randint(2, 9))) for _ in range(20_000)
    ]
    words += [str(number) for number in range(690)]
    with file.open("w", encoding="utf-8") as out:
        for number in range(rows):
            asked = " ".join(chosen.choices(words, k=12))
            answered = " ".join(chosen.choices(words, k=14))
            turns = [("user", f"{asked} {number}?"), ("assistant", f"{answered}.")]
            messages = [{"role": role, "content": said} for role, said in turns]
            out.write(json.dumps({"messages": messages}) + "\n")


def held_bytes():
    """Memory held now; what was held before doesn't count as a peak any more."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def peak_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError


def measure(file):
    reading = open_data(file)
    began = time.process_time()
    rows = sum(1 for _ in reading.examples())
    read = time.process_time() - began
    before = held_bytes()
    settings = CheckSettings(sequence_length=512, held_out=0.1, seed=1)
    began = time.process_time()
    report = inspect_rows(reading, checks_of(reading, settings))
    checked = time.process_time() - began
    assert report.rows == rows
    return {
        "rows": rows,
        "read_s": read,
        "checked_s": checked,
        "before_bytes": before,
        "peak_bytes": peak_bytes(),
    }


if __name__ == "__main__":
    file = Path(sys.argv[2])
    if not file.exists():
        write_rows(file, int(sys.argv[1]))
    print(json.dumps(measure(file)))
