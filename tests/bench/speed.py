"""The engine's steps beside those of a bare trl script, on the example and its data.

    python -m tests.bench.speed [--steps N] [--rounds N] [--same] [--model MODEL]

Four ways take turns, each trained anew by its own code in a process of its own, so that
what the machine does beside them falls on all:

- "bare, same settings": trl's SFTTrainer as its documentation shows it, with the
  engine's batch, formats, order of rows and optimizer;
- "engine, same settings": the path of `studio train`, journal and recorder included;
- "bare, trl's defaults": the same script, told nothing but the model and the adapter;
- "engine, recommended": the recipe that `snugtune recommend` writes here.

Tokens are the rows' own, padding left out. The first step of each turn warms up and
doesn't count. On a processor its own time is judged, since machines are shared; on a
card, where all ways compute in BF16, the clock's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from studio.domain.recipe import Recipe
from studio.engine.devices import DTYPES
from studio.engine.dry_run.stand_ins import silent_session
from studio.engine.machine_recorder import recorded
from studio.engine.methods import sft, training
from studio.engine.model_places import place_of
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Session
from studio.services.assets import example_file
from studio.services.launch import engine_environment
from studio.storage.recipes import load_recipe
from studio.storage.run_directory import RunDirectory
from tests.bench.step_watch import Rates, StepWatch

MODEL = "SmolLM2-135M-Instruct"
DATA = str(example_file("cheesemonger.jsonl"))
HAS_CARD = torch.cuda.is_available()
# trl trains an adapter on a quantised base in BF16, whatever else it computes in.
COMPUTE = "bf16" if HAS_CARD else "fp32"
SAME = {
    "model.compute_dtype": COMPUTE,
    "lora.adapter_dtype": COMPUTE,
    "data.path": DATA,
    "data.held_out": 0.0,
    "train.sequence_length": 256,
    "train.micro_batch": 4,
    "train.accumulation": 2,
    "train.checkpointing": False,
}
BARE, ENGINE = "bare, same settings", "engine, same settings"
DEFAULTS, RECOMMENDED = "bare, trl's defaults", "engine, recommended"
SETTINGS_ALIKE, AS_THEY_COME = (BARE, ENGINE), (DEFAULTS, RECOMMENDED)


def bare(folder, model_folder, rates, **settings):
    """Train as trl's documentation shows it."""
    model = AutoModelForCausalLM.from_pretrained(
        model_folder,
        dtype=DTYPES[COMPUTE],
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=DTYPES[COMPUTE],
        ),
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder),
            use_cpu=not HAS_CARD,
            save_strategy="no",
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
            **settings,
        ),
        train_dataset=load_dataset("json", data_files=DATA, split="train"),
        processing_class=AutoTokenizer.from_pretrained(model_folder),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"
        ),
        callbacks=[StepWatch(rates)],
    )
    trainer.train()


def same_as(recipe: Recipe) -> dict[str, object]:
    """The recipe's settings in the words of trl's script."""
    return {
        "per_device_train_batch_size": recipe.train.micro_batch,
        "gradient_accumulation_steps": recipe.train.accumulation,
        "learning_rate": recipe.train.learning_rate,
        "max_length": recipe.train.sequence_length,
        "gradient_checkpointing": recipe.train.checkpointing,
        "train_sampling_strategy": "group_by_length",
        "optim": "adamw_torch_fused",
        "bf16": HAS_CARD,
        "seed": recipe.train.seed,
    }


def by_engine(session: Session, folder: Path, recipe: Recipe, rates: Rates) -> None:
    """Train as `studio train` does, watched."""
    directory = RunDirectory.create(folder, "run", recipe)
    session.wire.keep_journal(directory.journal_path)
    build = sft.build_trainer

    def watched(run):
        trainer = build(run)
        trainer.add_callback(StepWatch(rates))
        return trainer

    sft.build_trainer = watched
    try:
        with recorded(directory):
            training.train(session, directory, recipe, place_of(recipe.model.name))
    finally:
        sft.build_trainer = build
        session.wire.close()


def recommended(folder: Path, model: str) -> Recipe:
    """What `snugtune recommend` writes on this machine, measuring left out."""
    path = folder / "recommended.toml"
    words = ("recommend", "--model", model, "--data", DATA, "-o", str(path))
    subprocess.run(
        [sys.executable, "-m", "studio", *words], check=True, capture_output=True
    )
    return load_recipe(path).with_values({"data.held_out": 0.0})


def ways(
    folder: Path, name: str, steps: int, rates: Rates
) -> dict[str, Callable[[], None]]:
    """How each way is gone, for some steps of a model."""
    model = prepared_folder(silent_session(), place_of(name))

    def engine(recipe: Recipe) -> None:
        by_engine(
            silent_session(), folder, recipe.with_value("train.max_steps", steps), rates
        )

    same = Recipe().with_values({**SAME, "model.name": name})
    return {
        BARE: lambda: bare(folder, model, rates, max_steps=steps, **same_as(same)),
        ENGINE: lambda: engine(same),
        DEFAULTS: lambda: bare(folder, model, rates, max_steps=steps),
        RECOMMENDED: lambda: engine(recommended(folder, name)),
    }


def take_turns(
    asked: Sequence[str], model: str, steps: int, rounds: int
) -> dict[str, Rates]:
    """Train every way for some steps, in turns and then in turns backwards.

    Each turn is a process of its own, the engine's with the environment that Snugtune
    starts it with: how memory is handed out is decided there.
    """
    rates = {way: Rates() for way in asked}
    for turn in range(rounds):
        for way in asked[:: -1 if turn % 2 else 1]:
            told = one_turn(way, model, steps)
            rates[way].by_clock += told["by_clock"]
            rates[way].by_processor += told["by_processor"]
            rates[way].work += told["work"]
            work, pace = median(told["work"]), median(told["by_clock"])
            words = f"{work:.2f} processor seconds a step, {pace:.0f} tokens a second"
            print(f"{way}, turn {turn + 1} of {rounds}: {words}", file=sys.stderr)
    return rates


def one_turn(way: str, model: str, steps: int) -> dict[str, list[float]]:
    is_engines = way in {ENGINE, RECOMMENDED}
    own = engine_environment(keep_running=True) if is_engines else os.environ
    command = (sys.executable, "-m", "tests.bench.speed", "--way", way)
    done = subprocess.run(
        [*command, "--model", model, "--steps", str(steps)],
        env={**os.environ, **own, "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def table(rates: dict[str, Rates]) -> str:
    """Every way, and the two promised ratios, in Markdown."""
    titles = "processor seconds a step", "tokens a second", "tokens a processor second"
    lines = [f"| way | {' | '.join(titles)} |", "|---|---|---|---|"]
    for way, it in rates.items():
        work, clock, by_processor = map(median, (it.work, it.by_clock, it.by_processor))
        lines.append(f"| {way} | {work:.2f} | {clock:.0f} | {by_processor:.0f} |")
    added = ratio(rates[ENGINE].work, rates[BARE].work) - 1
    lines.append(f"\nThe engine adds {added:+.1%} to a step's processor time")
    slower = ratio(rates[BARE].by_clock, rates[ENGINE].by_clock) - 1
    lines.append(f"and {slower:+.1%} to its time by the clock.")
    if DEFAULTS not in rates:
        return "\n".join(lines)
    best, plain = rates[RECOMMENDED], rates[DEFAULTS]
    gain = ratio(best.by_processor, plain.by_processor)
    by_clock = ratio(best.by_clock, plain.by_clock)
    said = f"What it recommends does {gain:.2f} times the tokens of trl's defaults"
    return "\n".join([*lines, f"{said} ({by_clock:.2f} by the clock)."])


def ratio(one: list[float], other: list[float]) -> float:
    """Of two medians."""
    return median(one) / median(other)


def main() -> None:
    """Let the ways take turns, or go one of them once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--model", default=MODEL, help="a name or a folder")
    parser.add_argument("--same", action="store_true", help="without the other two")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.way:
        asked = SETTINGS_ALIKE if given.same else (*SETTINGS_ALIKE, *AS_THEY_COME)
        print(table(take_turns(asked, given.model, given.steps, given.rounds)))
        return
    warnings.simplefilter("ignore")
    rates = Rates()
    with tempfile.TemporaryDirectory() as folder:
        ways(Path(folder), given.model, given.steps, rates)[given.way]()
    print(json.dumps(asdict(rates)))


if __name__ == "__main__":
    main()
