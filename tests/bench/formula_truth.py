"""Compare the formula with the dry run on the whole grid, and write the table.

    python -m tests.bench.formula_truth [--layers N] [--only NAME,...] [--processor]

Each cell is rehearsed for real; nothing is kept from earlier runs. Two layers are the
default: all cells at full depth, which --layers 0 takes, need many hours. What passes
by weighs the most against what stands then, so most errors are larger. With
--processor it is a processor's, and with --only some are compared: neither is written.
"""

import argparse
import gc
import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import Level
from studio.domain.memory.formula import estimate_memory
from studio.engine.dry_run.breakdown import Traits, estimate_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.rehearsal import rehearse
from studio.engine.dry_run.subject import Subject
from tests.bench.formula_grid import ARCHITECTURES, RECIPES, config_of, recipe_of

BEGIN, END = "<!-- formula truth: begin -->", "<!-- formula truth: end -->"
_TABLE = Path(__file__).parents[2] / "BENCHMARKS.md"
_CARD_BYTES = 80 << 30
LEVELS = (Level.ALLOCATED, Level.RESERVED)


@dataclass(frozen=True)
class Cell:
    """One comparison.

    Attributes:
        allocated: Relative error of the allocated peak; None where it was refused.
        reserved: Of the reserved peak.
        refusal: Why it was refused, by either.
    """

    allocated: float | None = None
    reserved: float | None = None
    refusal: str = ""


def device_of(capability):
    """A large card; a processor where it is None."""
    return TrainingDevice(
        kind="cuda" if capability else "cpu",
        name="",
        total_bytes=_CARD_BYTES,
        free_bytes=_CARD_BYTES,
        has_bf16=capability is None or capability >= (8, 0),
        compute_capability=capability,
    )


def compare(name, recipe_name, layers=2, *, on_processor=False):
    """Rehearse one cell, and price it by formula."""
    config, recipe = config_of(name, layers), recipe_of(name, recipe_name)
    capability = None if on_processor else RECIPES[recipe_name][0]
    try:
        allocated, reserved = errors_of(config, recipe, capability)
    except StudioError as refused:
        return Cell(refusal=str(refused))
    except Exception as fault:  # noqa: BLE001 - a library's own refusal, told as it is
        return Cell(refusal=f"{type(fault).__name__}: {fault}"[:200])
    return Cell(allocated, reserved)


def errors_of(config, recipe, capability):
    """The formula's relative errors: of the allocated peak, and of the reserved one."""
    model = ModelArchitecture.from_config(config)
    true = rehearsed(config, recipe, capability)
    found = estimate_memory(model, recipe, device_of(capability))
    return [found.bytes_up_to(each) / true.bytes_up_to(each) - 1 for each in LEVELS]


def recorded(config, recipe, capability):
    """What a rehearsal of a recipe recorded, and for which card."""
    built = AutoConfig.for_model(**config)
    card = Card(capability, _CARD_BYTES, has_triton=True) if capability else None
    return rehearse(Subject(built, recipe, card)), card


def rehearsed(config, recipe, capability):
    """What a dry run says of a recipe."""
    built = AutoConfig.for_model(**config)
    recording, card = recorded(config, recipe, capability)
    vocabulary = built.get_text_config().vocab_size
    traits = Traits(vocabulary, recipe.train.checkpointing)
    return estimate_of(recording, traits, card, 0.0)


def table(cells):
    """Errors by architecture, and over everything, in Markdown."""
    lines = [
        "| architecture | recipes | allocated: mean, worst | reserved: mean, worst |",
        "|---|---|---|---|",
    ]
    for name in dict.fromkeys(name for name, _ in cells):
        of_it = [cell for (each, _), cell in cells.items() if each == name]
        lines.append(_row(name, of_it))
    lines.append(_row("all", list(cells.values())))
    refused = [(key, cell.refusal) for key, cell in cells.items() if cell.refusal]
    lines += ["", *(f"- {a}, {r}: {why}" for (a, r), why in refused)]
    return "\n".join(lines).rstrip()


def _row(name, cells):
    priced = [cell for cell in cells if cell.allocated is not None]
    if not priced:
        return f"| {name} | 0 of {len(cells)} | - | - |"
    allocated = [abs(cell.allocated) for cell in priced]
    reserved = [abs(cell.reserved) for cell in priced]
    figures = " | ".join(
        f"{statistics.mean(each):.1%}, {max(each):.1%}"
        for each in (allocated, reserved)
    )
    return f"| {name} | {len(priced)} of {len(cells)} | {figures} |"


def percentile(cells, share):
    """The error below which that share of the cells lies."""
    errors = sorted(abs(c.allocated) for c in cells.values() if c.allocated is not None)
    return errors[round(share * (len(errors) - 1))]


def main():
    """Run the grid."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--processor", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(ARCHITECTURES)
    warnings.simplefilter("ignore")
    cells, began = {}, time.monotonic()
    for name in names:
        for recipe in RECIPES:
            cell = cells[name, recipe] = compare(
                name, recipe, given.layers or None, on_processor=given.processor
            )
            gc.collect()
            print(name, recipe, cell, flush=True)
    said = (
        f"{given.layers or 'All'} layers of each, {time.monotonic() - began:.0f} s; "
        f"95 % of the allocated errors lie below {percentile(cells, 0.95):.1%}.\n\n"
        f"{table(cells)}"
    )
    print(said)
    if not given.only and not given.processor:
        text = _TABLE.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        tail = rest.partition(END)[2]
        _TABLE.write_text(f"{head}{BEGIN}\n{said}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
