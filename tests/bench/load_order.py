"""How much of a run's reserved memory hangs on the order in which weights were loaded.

    python -m tests.bench.load_order [MEASURED.csv] [--seeds N]

The measurements of the T4 that miss their bound were taken with transformers 5.0.0. It
reads a checkpoint into the card by four threads, which wait for nobody, while the main
thread quantises one weight after the other (core_model_loading.py, `spawn_materialize`
and `convert_and_load_state_dict_in_model`). Of weights that it quantises, a later
version (5.17 did the other measurements) reads one after the other in the main thread.

So each row's dry run is replayed with its loading in other orders, drawn by chance. How
far the threads get ahead hangs on how fast they are beside the main thread, which
nobody measured: several ratios stand beside each other. Rows that fit are drawn too,
for a cause that explains everything explains nothing.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.allocator import (
    Allocation,
    CachingAllocator,
    EmptyCache,
    OutOfCardMemoryError,
    Release,
    TraceEvent,
)
from studio.domain.memory.part_names import LOADING, PLAIN, WARM_UP
from tests.bench import vram_truth_prices as prices
from tests.bench.vram_truth import MEASURED
from tests.bench.vram_truth_rows import RESERVED, Case, read

# Transformers' GLOBAL_WORKERS on a machine with as many cores.
WORKERS = 4
# How fast all threads read, as a multiple of how fast the main thread quantises.
RATIOS = (0.5, 1.0, 1.5, 3.0)
# By line of the file, or by model and attention of what the file lacks.
Name = int | tuple[str, str]
ROWS: Mapping[str, tuple[Name, ...]] = {
    "read by threads, misses": (
        2,
        52,
        ("Qwen2.5-1.5B", "sdpa"),
        ("Qwen2.5-1.5B", "eager"),
    ),
    "read by threads, fits": (9, 48, 59),
    "read in order": (44, 36),
}


@dataclass(frozen=True, slots=True)
class Weight:
    """What the loading of one weight does.

    Attributes:
        reading: The read tensor's allocation.
        quantising: What the main thread does with it, its release at the end; nothing
            where a weight is kept as it is.
    """

    reading: TraceEvent
    quantising: Sequence[TraceEvent] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dry run's trace, cut around its loading.

    Attributes:
        before: Until the first weight is read.
        weights: In the order of their names, in which they are asked for.
        after: Until what is free is given back, once weights have been cast.
        training: The rest.
    """

    before: Sequence[TraceEvent]
    weights: Sequence[Weight]
    after: Sequence[TraceEvent]
    training: Sequence[TraceEvent]

    def in_order(self) -> Iterator[TraceEvent]:
        """Loading as it was rehearsed."""
        for weight in self.weights:
            yield weight.reading
            yield from weight.quantising

    def reserved(self, loading: Iterator[TraceEvent], room_bytes: int) -> int:
        """The peak of training, in bytes; that of loading was not measured.

        Raises:
            OutOfCardMemoryError: The card is full.
        """
        allocator = CachingAllocator(room_bytes)
        for stretch in (self.before, loading, self.after):
            allocator.replay(stretch)
        # FitCheck's scripts/measure.py resets the peak after a first step.
        allocator.peak_reserved_bytes = allocator.reserved_bytes
        allocator.replay(self.training)
        return allocator.peak_reserved_bytes


def cut(trace: Sequence[TraceEvent], purposes: Mapping[int, str]) -> Loaded:
    """Find a trace's loading.

    Args:
        trace: Of a run that quantises as it loads and casts what it keeps.
        purposes: What each tensor is for, by its number.
    """
    at = next(
        n
        for n, event in enumerate(trace)
        if isinstance(event, Allocation) and purposes[event.tensor] != WARM_UP
    )
    before, weights = trace[:at], []
    while isinstance(read := trace[at], Allocation):
        end = at + 1
        if purposes[read.tensor] == LOADING:
            end = trace.index(Release(read.tensor), at) + 1
        elif purposes[read.tensor] != PLAIN:
            break
        weights.append(Weight(read, trace[at + 1 : end]))
        at = end
    settled = trace.index(EmptyCache(), at) + 1
    return Loaded(before, weights, trace[at:settled], trace[settled:])


def by_threads(
    weights: Sequence[Weight], chance: random.Random, ratio: float
) -> Iterator[TraceEvent]:
    """Loading as four threads and the main thread would do it together.

    A thread takes the next weight as soon as it has read its last one; the main thread
    takes them in order and waits for one that isn't read yet.

    Args:
        weights: In the order in which they are asked for.
        chance: Decides who comes next.
        ratio: How many weights are read while one is quantised.
    """
    waiting = iter(range(len(weights)))
    reading = list(islice(waiting, WORKERS))
    done: set[int] = set()
    share = ratio / (1 + ratio)
    for number, weight in enumerate(weights):
        while number not in done or (reading and chance.random() < share):
            read = reading.pop(chance.randrange(len(reading)))
            reading += islice(waiting, 1)
            done.add(read)
            yield weights[read].reading
        yield from weight.quantising


def rehearsed(case: Case) -> tuple[Loaded, int]:
    """A case's dry run, and the bytes that its card has room for."""
    from studio.engine.uncompiled import load_uncompiled

    load_uncompiled()
    from studio.engine.dry_run.card import Card
    from studio.engine.dry_run.rehearsal import rehearse
    from studio.engine.dry_run.subject import Subject
    from studio.engine.model_config import read_config

    card = Card.of(
        TrainingDevice(
            kind="cuda",
            name="",
            total_bytes=case.total_bytes,
            free_bytes=case.total_bytes,
            has_bf16=case.capability >= (8, 0),
            compute_capability=case.capability,
        )
    )
    assert card is not None
    with tempfile.TemporaryDirectory() as folder:
        described = json.dumps(prices.CONFIGS[case.model])
        (Path(folder) / "config.json").write_text(described, "utf-8")
        config = read_config(Path(folder))
    recording = rehearse(Subject(config, prices.recipe_of(case.options), card))
    purposes = {number: entry.what for number, entry in recording.entries.items()}
    return cut(recording.trace, purposes), card.room_bytes


def main() -> int:
    """Print the table; the exit status is 2 without measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", nargs="?", type=Path, default=MEASURED)
    parser.add_argument("--seeds", type=int, default=12, help="orders a cell")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "snugtune-vram-truth",
        help="keeps FitCheck's archive",
    )
    asked = parser.parse_args()
    if not asked.measured.is_file():
        print(f"There are no measurements at {asked.measured}; name the file.")
        return 2
    asked.cache.mkdir(parents=True, exist_ok=True)
    cases = read(asked.measured).cases + list(prices.held_back(asked.cache))
    print(
        "Reserved at the peak of training, GiB; by threads: lowest / median / highest"
    )
    ratios = " | ".join(f"by threads, {ratio:g} x" for ratio in RATIOS)
    print(f"| rows | row | measured | in order | {ratios} |")
    print("|---|---|---|---|" + "---|" * len(RATIOS))
    for group, names in ROWS.items():
        for name in names:
            case = next(each for each in cases if _is_called(each, name))
            print(f"| {group} | {_told(name)} | {_line(case, asked.seeds)} |")
            sys.stdout.flush()
    return 0


def _line(case: Case, seeds: int) -> str:
    loaded, room = rehearsed(case)
    measured = case.measured[RESERVED]
    in_order = loaded.reserved(loaded.in_order(), room)
    cells = [f"{measured / GIB:.3f}", f"{in_order / GIB:.3f}"]
    cells += [_cell(loaded, room, ratio, seeds) for ratio in RATIOS]
    return " | ".join(cells)


def _cell(loaded: Loaded, room: int, ratio: float, seeds: int) -> str:
    """A run that fills the card measures nothing, so such an order is left out."""
    found: list[int] = []
    for seed in range(seeds):
        loading = by_threads(loaded.weights, random.Random(seed), ratio)
        try:
            found.append(loaded.reserved(loading, room))
        except OutOfCardMemoryError:
            continue
    if not found:
        return "card full"
    figures = (min(found), statistics.median(found), max(found))
    return " / ".join(f"{figure / GIB:.3f}" for figure in figures)


def _is_called(case: Case, name: Name) -> bool:
    if isinstance(name, int):
        return case.line == name
    return not case.line and (case.model, case.options["model.attention"]) == name


def _told(name: Name) -> str:
    return f"line {name}" if isinstance(name, int) else " ".join(name)


if __name__ == "__main__":
    sys.exit(main())
