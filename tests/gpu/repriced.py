"""What cards took, beside what the program says of the same recipes now.

    python -m tests.gpu.repriced [--only TEXT]

Needs no card: the tables in tests/gpu/measured tell what was held, under the versions
that they name. Without ``--only`` the errors are written into BENCHMARKS.md.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from studio.domain.cards import find_card
from studio.domain.memory.measurement import Peaks, Prediction
from studio.engine.measured_rows import by_formula, like
from studio.engine.memory_estimate import Target, estimate_memory
from studio.services.cards import known_cards
from tests.gpu.cases import CASES
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import LEVELS, errors, read_table, write_config

MEASURED = Path(__file__).parent / "measured"
BEGIN, END = "<!-- card truth: begin -->", "<!-- card truth: end -->"
_PAPER = Path(__file__).parents[2] / "BENCHMARKS.md"


@dataclass(frozen=True)
class Repriced:
    """A row of a table, and what is said of its recipe now.

    Attributes:
        row: As it was measured.
        said: By basis: dry run and formula.
    """

    row: dict[str, str]
    said: dict[str, Peaks]

    def errors(self, basis):
        """A row as `truth.errors` takes it: relative errors of one basis now."""
        told = {"ran_out": self.row["ran_out"]}
        for level in LEVELS:
            held, said = self.row[f"actual_{level}"], getattr(self.said[basis], level)
            told[f"error_{level}"] = said / float(held) - 1 if held else None
        return told


def measured_rows():
    """All rows of all cards' tables, by the case that they measured."""
    rows = [row for path in sorted(MEASURED.glob("*.csv")) for row in read_table(path)]
    cases = {case.name: case for case in CASES}
    return [(cases[row["case"]], row) for row in rows]


def reprice(case, row):
    """Ask dry run and formula for the batch that was measured, on the same card."""
    device = find_card(known_cards(), row["card"]).device()
    recipe = like(case.recipe(), int(row["tokens"]), case.recipe().train.micro_batch)
    with tempfile.TemporaryDirectory() as folder:
        described = write_config(SHAPES[case.model], Path(folder))
        found = Prediction.of(estimate_memory(recipe, described, Target(device)))
    formula = by_formula(SHAPES[case.model], recipe, device)["formula"]
    return Repriced(row, {"dry run": found.peaks, "formula": formula.peaks})


def table(repriced):
    """Mean and worst error of each level and basis, in Markdown."""
    lines = [
        "| against the card | dry run, mean | worst | formula, mean | worst |",
        "|---|---|---|---|---|",
    ]
    for level in LEVELS:
        figures = []
        for basis in ("dry run", "formula"):
            rows = [each.errors(basis) for each in repriced]
            figures += [f"{error:.2%}" for error in errors(rows, level)]
        known = sum(bool(each.row[f"actual_{level}"]) for each in repriced)
        lines.append(f"| {level} ({known}) | {' | '.join(figures)} |")
    return "\n".join(lines)


def main():
    """Reprice the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds a text")
    given = parser.parse_args()
    repriced = []
    for case, row in measured_rows():
        if given.only not in case.name:
            continue
        repriced.append(reprice(case, row))
        told = repriced[-1].errors("dry run")
        figures = [told[f"error_{level}"] for level in LEVELS]
        said = " ".join("     -" if e is None else f"{e:+.2%}" for e in figures)
        print(said, case.name, flush=True)
    text = table(repriced)
    print(text)
    if not given.only:
        paper = _PAPER.read_text(encoding="utf-8")
        head, rest = paper.split(BEGIN, 1)
        tail = rest.split(END, 1)[1]
        paper = f"{head}{BEGIN}\n{text}\n{END}{tail}"
        _PAPER.write_text(paper, encoding="utf-8")


if __name__ == "__main__":
    main()
