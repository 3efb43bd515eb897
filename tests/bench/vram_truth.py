"""The dry run against published measurements: `python -m tests.bench.vram_truth`.

Takes every row that can be told as a recipe, prices it by a dry run and by FitCheck,
prints the errors and writes them between two marks into BENCHMARKS.md. The file of
measurements lies outside the repository.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import vram_truth_prices as prices
from tests.bench.vram_truth_earlier import earlier
from tests.bench.vram_truth_rows import (
    ALLOCATED,
    DEVICE,
    FUSED,
    RESERVED,
    WITHOUT,
    Case,
    Left,
    Mapped,
    read,
    reasons,
)

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT.parent / "shared" / "data" / "vram" / "measured.csv"
BEGIN, END = "<!-- vram truth: begin -->", "<!-- vram truth: end -->"
MOST = {ALLOCATED: 0.04, RESERVED: 0.08, DEVICE: 0.08}
MEAN_MOST = {ALLOCATED: 0.01, RESERVED: 0.03, DEVICE: 0.03}

_CARD_FULL = (
    "the card fills up: torch gives cached segments back and tries again, and what it "
    "held is gone within the step. The program that measured reads nvidia-smi once a "
    "second (fms-acceleration, scripts/benchmarks/benchmark.py, Experiment.run), so it "
    "may miss the highest"
)
# What is known of rows beyond the bounds, by the beginning of their group.
_CAUSES = {
    "T4": (
        "the order of loading can explain it (tests/bench/load_order.py, 40 orders a "
        "ratio): transformers 5.0.0 reads weights by threads that don’t wait for the "
        "thread that quantises them. If they read 1 to 3 times as fast, which nobody "
        "measured, line 52 reserves 4.68 to 5.62 GiB (measured 4.71), line 2 1.98 to "
        "2.20 (2.02), Qwen2.5-1.5B at 1024 x 1 4.49 to 5.52 (sdpa 5.09, eager 4.94). "
        "Rows that fit spread too: line 9 by 3 %, line 48 by 8 %, line 59 by 15 %. The "
        "version that the engine uses reads in order what it quantises. That an order "
        "comes out by chance shows in what FitCheck read behind loading: 1,070.05 to "
        "1,078.05 MiB for TinyLlama in 15 runs alike, where equal orders give one "
        "figure"
    ),
    "A100, not in the file": _CARD_FULL,
    "A100, later table, bf16 full": _CARD_FULL,
    "A100, later table": (
        "1,163 MiB of this table's device memory lie beside torch's allocator: where "
        "its earlier table has the same allocated peak to the byte, it has 1,163 to "
        "1,165 MiB less (seven runs of StarCoder, tests/bench/vram_truth_earlier.py). "
        "What they are isn't known; a plain context takes 256 to 430 (InvokeAI issue "
        "9413, unsloth-zoo pull request 1053, pytorch issue 107667)"
    ),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """A case with both predictions; `other` is why FitCheck makes none, or its own."""

    case: Case
    ours: prices.Peaks
    other: prices.Peaks | str

    def error(self, level: str) -> float | None:
        """Ours, relative to what was measured."""
        return _error(self.ours, self.case, level)

    def other_error(self, level: str) -> float | None:
        """FitCheck's."""
        return (
            None
            if isinstance(self.other, str)
            else _error(self.other, self.case, level)
        )


def _error(peaks: prices.Peaks, case: Case, level: str) -> float | None:
    measured = case.measured.get(level)
    return None if measured is None else peaks[level] / measured - 1


def main() -> int:
    """Run the comparison; the exit status is 2 without measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", nargs="?", type=Path, default=MEASURED)
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "snugtune-vram-truth",
        help="keeps dry runs and FitCheck's own environment",
    )
    asked = parser.parse_args()
    if not asked.measured.is_file():
        print(f"There are no measurements at {asked.measured}; name the file.")
        return 2
    asked.cache.mkdir(parents=True, exist_ok=True)
    os.environ["SNUGTUNE_HOME"] = str(asked.cache)
    mapped = read(asked.measured)
    mapped.cases += prices.held_back(asked.cache)
    mapped.cases += earlier()
    compared = list(_compared(asked.cache, mapped))
    text = "\n".join(_report(compared, mapped))
    print(text)
    _write(text)
    return 0


def _compared(cache: Path, mapped: Mapped) -> Iterator[Compared]:
    cases = mapped.cases
    others = prices.fitcheck(cache, cases)
    for number, (case, other) in enumerate(zip(cases, others, strict=True), 1):
        print(f"{number}/{len(cases)} {case.group}, {case.model}", file=sys.stderr)
        ours = prices.dry_run(case)
        if ours is None:
            mapped.left.append(Left(case.line, case.quality, FUSED))
        else:
            yield Compared(case, ours, other)


def _report(compared: Sequence[Compared], mapped: Mapped) -> Iterator[str]:
    yield "| rows | n | level | mean | median | 90 % | worst | FitCheck |"
    yield "|---|---|---|---|---|---|---|---|"
    groups: dict[str, list[Compared]] = {}
    in_file = [each for each in compared if each.case.line]
    for each in compared:
        groups.setdefault(each.case.group, []).append(each)
    quality_a = [each for each in in_file if each.case.quality == "A"]
    groups["**All of quality A in the file**"] = quality_a
    for name, members in groups.items():
        for level in (ALLOCATED, RESERVED, DEVICE, WITHOUT):
            yield from _line(name, members, level)
    yield ""
    yield from _missed_means(groups)
    yield from _beyond(compared)
    yield ""
    yield f"{len(in_file)} rows of the file are compared, {len(mapped.left)} are not:"
    yield from left_out(mapped.left)


def left_out(rows: Sequence[Left]) -> Iterator[str]:
    """Every row that isn't compared, by reason."""
    for reason, left in reasons(list(rows)):
        numbers = in_runs(each.line for each in left)
        yield f"- {len(left)}: {reason} (lines {numbers})"


def in_runs(lines: Iterable[int]) -> str:
    """Numbers of lines; those that follow each other as the first and the last."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and line == runs[-1][-1] + 1:
            runs[-1][1:] = [line]
        else:
            runs.append([line])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _line(name: str, members: Sequence[Compared], level: str) -> Iterator[str]:
    errors = sorted(abs(e) for each in members if (e := each.error(level)) is not None)
    if not errors:
        return
    other = [abs(e) for each in members if (e := each.other_error(level)) is not None]
    told = f"{len(other)}, {_mean(other)}, {max(other):.1%}" if other else "none"
    at_90 = errors[min(len(errors) - 1, round(0.9 * (len(errors) - 1)))]
    yield (
        f"| {name} | {len(errors)} | {level} | {_mean(errors)} | "
        f"{statistics.median(errors):.2%} | {at_90:.1%} | {errors[-1]:.1%} | {told} |"
    )


def _missed_means(groups: Mapping[str, Sequence[Compared]]) -> Iterator[str]:
    missed = []
    for name, members in groups.items():
        for level, most in MEAN_MOST.items():
            errors = [
                abs(e) for each in members if (e := each.error(level)) is not None
            ]
            if errors and statistics.fmean(errors) > most:
                missed.append(f"{name.strip('*')} {level} {_mean(errors)}")
    told = "; ".join(missed) or "none"
    yield f"Groups with a mean beyond 1 % allocated, 3 % reserved and device: {told}."
    yield ""


def _beyond(compared: Sequence[Compared]) -> Iterator[str]:
    yield "Beyond the bounds (allocated 4 %, reserved and device 8 %), by cause:"
    by_cause: dict[str, list[str]] = {}
    for each in compared:
        for level, most in MOST.items():
            error = each.error(level)
            if error is not None and abs(error) > most:
                group = each.case.group
                cause = next(v for k, v in _CAUSES.items() if group.startswith(k))
                told = f"{_place(each.case)} {level} {error:+.1%}"
                by_cause.setdefault(cause, []).append(told)
    for cause, told in by_cause.items():
        yield f"- {cause}: {'; '.join(told)}"
    if not by_cause:
        yield "- none"


def _place(case: Case) -> str:
    if case.line:
        return f"line {case.line}"
    options = case.options
    rows = f"{options['train.sequence_length']} x {options['train.micro_batch']}"
    return f"{case.model} {options['model.attention']} {rows}"


def _mean(errors: Sequence[float]) -> str:
    return f"{statistics.fmean(errors):.2%}"


def _write(text: str) -> None:
    file = ROOT / "BENCHMARKS.md"
    before, begin, rest = file.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        file.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
