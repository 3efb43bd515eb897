"""Measures recipes on the card, several side by side, and writes a table of them.

    python -m tests.gpu.campaign FOLDER [--workers N] [--only TEXT] [--until SECONDS]

FOLDER takes the table, a row as soon as it is known, `details.jsonl` with every phase,
and `failures.txt`. Recipes that its table has already are left out, so a campaign that
was cut goes on. What one
process holds is told apart by torch's own counters and by the driver's list of
processes, so measurements don't disturb each other while the card has room for all; a
driver that doesn't list processes lets them go one at a time.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from studio.domain.train_options import PAGED_OPTIMIZERS
from studio.engine.measured_rows import by_formula
from studio.protocol.codec import encode
from studio.system.card_memory import CardMemory
from studio.system.machine import read_machine_once
from tests.gpu.cases import CASES
from tests.gpu.conftest import reason_to_skip
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import (
    Case,
    measure,
    read_table,
    row_of,
    write_config,
    write_table,
)

WORKERS = 5
# Beside what the allocator reserves: a context, and what the formula may be off.
_BESIDE = 2 << 30
_GIVE_UP_AFTER = 4


class Room:
    """Bytes of the card that are still free for another measurement."""

    def __init__(self, free: int) -> None:
        self._free = self._all = free
        self._changed = threading.Condition()

    @contextmanager
    def take(self, wanted: int) -> Iterator[None]:
        """Wait until there is room; what needs more than all goes alone."""
        wanted = min(wanted, self._all)
        with self._changed:
            self._changed.wait_for(lambda: wanted <= self._free)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


class Weights:
    """Random weights of the models, made when first asked for and let go behind use."""

    def __init__(self, folder: Path, cases: Sequence[Case]) -> None:
        self._folder = folder
        self._left = dict.fromkeys(SHAPES, 0)
        for each in cases:
            self._left[each.model] += 1
        self._making = {model: threading.Lock() for model in SHAPES}

    @contextmanager
    def of(self, model: str) -> Iterator[Path]:
        """The folder of a model, while one of its cases is measured."""
        target = self._folder / model
        with self._making[model]:
            if not target.exists():
                described = write_config(SHAPES[model], self._folder / f"{model}.json")
                # In a process of its own, so that several are made at once.
                make = "import sys; from pathlib import Path as P; from studio.engine"
                make += ".random_weights import write_random_model as w; "
                make += "w(P(sys.argv[1]), P(sys.argv[2]))"
                subprocess.run(
                    [sys.executable, "-c", make, described, target], check=True
                )
        try:
            yield target
        finally:
            with self._making[model]:
                self._left[model] -= 1
                if not self._left[model]:
                    shutil.rmtree(target)


def in_good_order(cases: Sequence[Case]) -> list[Case]:
    """One case of every model, small to large, and then the rest, large to small."""
    first = {each.model: each for each in reversed(cases)}
    models = list(SHAPES)
    rest = [each for each in cases if first[each.model] is not each]
    rest.sort(key=lambda each: -models.index(each.model))
    return [first[model] for model in models if model in first] + rest


def expected_bytes(case: Case) -> int:
    """What a case will take of the card, roughly.

    What the driver pages is read from the card as a whole, so such a case takes it all.
    """
    if case.recipe().train.optimizer in PAGED_OPTIMIZERS:
        return sys.maxsize
    found = by_formula(SHAPES[case.model], case.recipe(), read_machine_once().device())
    told = found.get("formula")
    return (told.peaks.reserved or 0 if told else 0) + _BESIDE


def tells_processes() -> bool:
    """Whether the driver lists what each process holds."""
    import torch

    torch.zeros(1, device="cuda")
    memory = CardMemory(str(torch.cuda.get_device_properties(0).uuid))
    memory.read()
    return memory.tells_processes


def measure_cases(
    cases: Sequence[Case],
    scratch: Path,
    told: Callable[[Case, object], None],
    *,
    workers: int = WORKERS,
    until: float = float("inf"),
) -> None:
    """Measure cases and tell of each: its row and measurement, or the fault.

    Args:
        cases: To be measured.
        scratch: An empty folder; takes the weights.
        told: Called with a case and (row, said) or an exception, one at a time.
        workers: At most so many at once.
        until: Of the monotonic clock; none is begun behind it. A run in which the
            first few all fail ends there.
    """
    workers = workers if tells_processes() else 1
    room = Room(int(0.9 * read_machine_once().device().free_bytes))
    weights = Weights(scratch / "weights", cases)
    one_at_a_time, outcomes = threading.Lock(), []

    def go(number: int, case: Case) -> None:
        hopeless = outcomes[:_GIVE_UP_AFTER] == [False] * _GIVE_UP_AFTER
        if hopeless or time.monotonic() > until:
            return
        folder = scratch / str(number)
        folder.mkdir(parents=True)
        try:
            with weights.of(case.model) as model, room.take(expected_bytes(case)):
                hello, said = measure(case, model, folder)
            outcome: object = row_of(case, hello, said), said
        except Exception as fault:  # noqa: BLE001 - it is told, and the rest goes on
            outcome = fault
        with one_at_a_time:
            outcomes.append(not isinstance(outcome, Exception))
            told(case, outcome)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(go, range(len(cases)), in_good_order(cases)))


def main() -> None:
    """Measure the cases of the table, or those whose name holds a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--only", default="")
    parser.add_argument("--until", type=float, default=float("inf"))
    given = parser.parse_args()
    if reason := reason_to_skip():
        sys.exit(f"Nothing can be measured: {reason}.")
    given.folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + given.until
    rows = [row for path in given.folder.glob("*.csv") for row in read_table(path)]
    known = {row["case"] for row in rows}
    chosen = [c for c in CASES if given.only in c.name and c.name not in known]

    def told(case: Case, outcome: object) -> None:
        if isinstance(outcome, Exception):
            with (given.folder / "failures.txt").open("a", encoding="utf-8") as file:
                file.write(f"== {case.name}\n{outcome}\n")
            print("FAILED", case.name, str(outcome)[-300:], flush=True)
            return
        row, said = outcome
        with (given.folder / "details.jsonl").open("ab") as file:
            file.write(encode(said))
        rows.append(row)
        write_table(rows, given.folder)
        errors = [
            row[f"error_{level}"] for level in ("allocated", "reserved", "device")
        ]
        words = [f"{100 * each:+.2f}%" if each is not None else "-" for each in errors]
        print(case.name, *words, row["phase"], row["seconds"], flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        measure_cases(chosen, Path(scratch), told, workers=given.workers, until=until)
    print(f"{len(rows)} recipes in the table, {len(chosen)} were asked for")


if __name__ == "__main__":
    main()
