"""Tokens a second with and without packing, on the example model and its data.

    python -m tests.bench.packing [--steps N] [--rounds N]

Every way learns from about ten rows a step, with the engine's own trainer. Ways take
turns, so that what the machine does beside them falls on all; on a busy machine the
processor's own time tells more than the clock. Tokens are the rows' own: padding
doesn't count.
"""

import argparse
import os
import statistics
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from studio.domain.packing import rows_as_trained, rows_of_a_step
from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.engine.dry_run.stand_ins import silent_session
from studio.engine.methods import training
from studio.engine.model_places import place_of
from studio.engine.model_preparation import prepared_folder
from studio.engine.packing import rows_for
from studio.engine.progress import StepReporter
from studio.services.assets import example_file
from studio.storage.run_directory import RunDirectory
from tests.bench.step_watch import Rates, StepWatch, sleep_between_products

_COMMON = {
    "model.name": "SmolLM2-135M-Instruct",
    "model.compute_dtype": "fp32",
    "lora.adapter_dtype": "fp32",
    "data.held_out": 0.1,
    "train.checkpointing": False,
}
# Longest rows, rows at a time, times per step, packed.
WAYS = {
    "one row at a time": (256, 1, 10, False),
    "five rows at a time": (256, 5, 2, False),
    "packs of 256, two at a time": (256, 2, 2, True),
    "packs of 1,024, one at a time": (1024, 1, 1, True),
}


@dataclass
class Pace(Rates):
    """What was measured of one way.

    Attributes:
        rows: Of the data that a step learns from, on average.
        passes: Times through the model that one pass over the data takes.
        padding: Share of the tokens computed that are padding.
    """

    rows: float = 0.0
    passes: int = 0
    padding: float = 0.0


def recipe_of(way, steps):
    """The recipe of one way."""
    length, rows, times, packs = WAYS[way]
    values = _COMMON | {
        "data.path": str(example_file("cheesemonger.jsonl")),
        "train.sequence_length": length,
        "train.micro_batch": rows,
        "train.accumulation": times,
        "train.packing": packs,
        "train.max_steps": steps,
    }
    return Recipe().with_values(values)


def train(way, steps, folder, pace):
    """Train one way for some steps and add to its pace."""
    recipe = recipe_of(way, steps)
    session = silent_session()
    place = place_of(recipe.model.name)
    prepared_folder(session, place)
    with session.lifeline.open():
        run = training.load_run(session, RunDirectory(folder), recipe, place)
        trainer = training.build_trainer(run)
        trainer.remove_callback(StepReporter)
        _describe(pace, run, trainer)
        trainer.add_callback(StepWatch(pace))
        trainer.train()
    session.wire.close()


def _describe(pace, run, trainer):
    rows = run.data.training
    lengths = TokenLengths.of(len(row.input_ids) for row in rows)
    pace.rows = rows_of_a_step(run.recipe, lengths)
    packs = len(rows_for(run.recipe, rows))
    assert abs(packs - rows_as_trained(len(rows), run.recipe.train, lengths)) <= 1
    pace.passes = -(-packs // run.recipe.train.micro_batch)
    computed = sum(b["input_ids"].numel() for b in trainer.get_train_dataloader())
    pace.padding = 1 - sum(lengths.tokens) / computed


def table(paces):
    """Every way against the first, in Markdown."""
    titles = (
        "way",
        "rows a step",
        "times through the model a pass",
        "padding",
        "tokens a second, median",
        "tokens a processor second, median",
        "against the first",
    )
    lines = [_line(titles), _line("---" for _ in titles)]
    first = statistics.median(next(iter(paces.values())).by_processor)
    for name, it in paces.items():
        clock, work = (
            statistics.median(each) for each in (it.by_clock, it.by_processor)
        )
        figures = f"{it.rows:.0f}", f"{it.passes:,}", f"{it.padding:.0%}"
        rates = f"{clock:.0f}", f"{work:.0f}", f"{work / first:.2f}"
        lines.append(_line((name, *figures, *rates)))
    return "\n".join(lines)


def _line(cells):
    return f"| {' | '.join(cells)} |"


def main():
    """Let the ways take turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--asleep", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    paces = {way: Pace() for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("SNUGTUNE_HOME", folder)
        for _ in range(given.rounds):
            for way, pace in paces.items():
                train(way, given.steps, Path(folder), pace)
                print(way, [round(rate) for rate in pace.by_processor], flush=True)
    print(table(paces))


if __name__ == "__main__":
    sleep_between_products("tests.bench.packing")
    main()
