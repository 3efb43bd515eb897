"""Measures recipes in processes of their own, beside what the dry run says of them.

Nothing here needs a card: `tests/engine/test_memory_truth.py` goes through it with
models of no size on a processor.
"""

import csv
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from studio.domain.recipe import Recipe
from studio.protocol.codec import decode_event
from studio.protocol.events import Hello, MemoryMeasured
from studio.services.launch import engine_environment
from studio.storage.recipes import save_recipe
from studio.system.machine import read_machine_once

LEVELS = ("allocated", "reserved", "device")
# Mean and worst relative error that the dry run is held to.
TARGETS = {"allocated": (0.01, 0.04), "reserved": (0.03, 0.08), "device": (0.03, 0.08)}
LIMIT_S = 1800


@dataclass(frozen=True)
class Case:
    """A recipe of a model, by the options that differ from the usual ones."""

    model: str
    options: tuple[tuple[str, object], ...]

    @property
    def name(self):
        return " ".join([self.model, *(f"{k}={v}" for k, v in self.options)])

    def recipe(self):
        recipe = Recipe().with_value("train.accumulation", 2)
        for key, value in self.options:
            recipe = recipe.with_value(key, value)
        return recipe


def case(model, **options):
    pairs = ((key.replace("__", "."), value) for key, value in options.items())
    return Case(model, tuple(pairs))


def measure(case, model, scratch):
    """Measure a case in a short-lived process.

    Returns:
        The engine's first word and its measurement.
    """
    recipe = scratch / "recipe.toml"
    save_recipe(recipe, case.recipe())
    command = [sys.executable, "-m", "studio.engine", "measure-memory", recipe, model]
    done = subprocess.run(
        list(map(str, command)),
        env=engine_environment(keep_running=False)
        | {"SNUGTUNE_HOME": str(scratch / "home"), "OMP_NUM_THREADS": "4"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    events = [decode_event(line) for line in done.stdout.splitlines(keepends=True)]
    said = events[-1] if events else None
    assert isinstance(said, MemoryMeasured), (said, done.stderr.decode()[-3000:])
    hello = events[0]
    assert isinstance(hello, Hello)
    return hello, said


def row_of(case, hello, said):
    """One line of the table: predicted against actual, and under which versions."""
    predicted = said.predicted["dry-run"]
    row = {"case": case.name, "model": case.model, "tokens": said.tokens}
    for level in LEVELS:
        told, held = getattr(predicted, level), getattr(said.actual, level)
        row[f"predicted_{level}"] = told
        row[f"actual_{level}"] = held
        # A driver that doesn't tell a process's memory leaves a gap, not a zero.
        row[f"error_{level}"] = None if held is None else told / held - 1
    formula = said.predicted.get("formula")
    for level in LEVELS:
        row[f"formula_{level}"] = formula and getattr(formula, level)
    row |= {
        "phase": said.phase,
        "context_bytes": said.context_bytes,
        "ran_out": said.ran_out.phase if said.ran_out else "",
        "seconds": round(said.seconds, 1),
        "card": hello.device,
        "driver": read_machine_once().driver_version,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return row | hello.versions


def write_table(rows, folder):
    """Write a card's table into a folder; an older one of the same card is replaced."""
    card = re.sub(r"[^a-z0-9]+", "-", rows[0]["card"].casefold()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_table(path):
    """The rows of a table, as texts."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def errors(rows, level):
    """(mean, worst) of the absolute relative errors; what ran out has none."""
    found = [
        abs(row[f"error_{level}"])
        for row in rows
        if row[f"error_{level}"] is not None and not row["ran_out"]
    ]
    assert found, f"no row tells its {level} memory"
    return sum(found) / len(found), max(found)


def misses(rows):
    """Which targets are missed, as sentences."""
    told = []
    for level, (mean_at_most, worst_at_most) in TARGETS.items():
        mean, worst = errors(rows, level)
        if mean > mean_at_most or worst > worst_at_most:
            told.append(f"{level}: mean {mean:.1%}, worst {worst:.1%}")
    return told


def write_config(shape, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(shape))
    return folder
