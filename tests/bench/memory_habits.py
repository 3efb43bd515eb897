"""What each of the engine's memory habits saves, and that it costs no learning.

    python -m tests.bench.memory_habits [--steps N] [--only TEXT]

Each habit is given up in turn, by exchanging it in the engine's own functions. The dry
run of a QLoRA of Llama 3.1 8B on a 24 GB card says what that takes; a short training of
the example model, from the same seed, says whether anything was learnt by it. Lines of
chance change nothing but the adapter's first weights.
"""

import argparse
import gc
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from peft import prepare_model_for_kbit_training
from transformers import AutoConfig, set_seed
from trl.trainer.sft_trainer import SFTTrainer

from studio.domain.hardware import GIB
from studio.domain.memory.estimate import Level
from studio.domain.recipe import Recipe
from studio.engine import trained_weights
from studio.engine.adapters import attach
from studio.engine.dry_run import rehearsal
from studio.engine.dry_run.breakdown import Traits, estimate_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.stand_ins import silent_session
from studio.engine.dry_run.subject import Subject
from studio.engine.methods import sft, training
from studio.engine.model_places import place_of
from studio.engine.model_preparation import prepared_folder
from studio.engine.progress import StepReporter
from studio.services.assets import example_file
from studio.storage.run_directory import RunDirectory
from tests.bench.formula_grid import config_of

BEGIN, END = "<!-- memory habits: begin -->", "<!-- memory habits: end -->"
_TABLE = Path(__file__).parents[2] / "BENCHMARKS.md"
_CARD = Card((8, 9), 24 * GIB, has_triton=True)
_PRICED = {"train.sequence_length": 2048, "train.micro_batch": 2}
_TRAINED = {
    "model.name": "SmolLM2-135M-Instruct",
    "data.held_out": 0.1,
    "train.sequence_length": 256,
    "train.micro_batch": 2,
    "train.accumulation": 1,
    "train.learning_rate": 2e-3,
}
Swap = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Habit:
    """One habit, given up.

    Attributes:
        instead: What is done instead.
        options: Of the recipe, that give it up.
        swap: Exchanges it in the engine while it is entered.
        is_chance: Whether only the adapter's first weights differ.
    """

    instead: str
    options: tuple[tuple[str, object], ...] = ()
    swap: Swap = nullcontext
    is_chance: bool = False


@dataclass(frozen=True)
class Found:
    """What was found; peaks in bytes, the loss in nats a token, None if unknown."""

    allocated: int
    reserved: int
    loss: float | None


def _with_loss(compute):
    """Let the trainer compute its loss in another way."""
    return patch.object(SFTTrainer, "compute_loss", compute)


def _all_logits(self, model, inputs, return_outputs=False, num_items_in_batch=None):
    """As transformers' Trainer: the loss that the model brings."""
    outputs = model(**inputs, use_cache=False, num_items_in_batch=num_items_in_batch)
    return (outputs["loss"], outputs) if return_outputs else outputs["loss"]


def _kept(compute):
    """As a loop does whose variable goes on holding the outputs."""

    def keeping(self, model, inputs, *given, **named):
        def called(**asked):
            vars(self)["kept"] = model(**asked)
            return self.kept

        return compute(self, called, inputs, *given, **named)

    return keeping


def _attached_in_fp32(model, options):
    prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return attach(model, options)


def _upcast():
    """As peft's tutorials: everything that isn't quantised in fp32."""
    stack = ExitStack()
    for place in (trained_weights, rehearsal):
        stack.enter_context(patch.object(place, "attach", _attached_in_fp32))
    return stack


def _reentrant():
    """Torch's older checkpointing, which peft's tutorials still ask for."""
    arguments = sft.training_arguments

    def changed(*given):
        made = arguments(*given)
        made.activation_checkpointing_kwargs = {"use_reentrant": True}
        return made

    return patch.object(sft, "training_arguments", changed)


def _all_at_once():
    """torch's foreach step, which a processor takes only when asked."""
    create = SFTTrainer.create_optimizer

    def asking(self, *given):
        made = create(self, *given)
        for group in made.param_groups:
            group["foreach"] = True
        return made

    return patch.object(SFTTrainer, "create_optimizer", asking)


def _other_first_weights(draw):
    return patch.object(training, "set_seed", lambda seed: set_seed(seed + draw))


_FUSED_LOSS = SFTTrainer.compute_loss
HABITS = {
    "the engine’s habits": Habit("-"),
    "loss in tiles": Habit("all logits at once", swap=partial(_with_loss, _all_logits)),
    "no upcast": Habit("unquantised weights in fp32", swap=_upcast),
    "bf16 adapter": Habit("fp32 adapter", (("lora.adapter_dtype", "fp32"),)),
    "fused optimizer step": Habit(
        "foreach step", (("train.optimizer", "adamw_foreach"),), _all_at_once
    ),
    "checkpointing without re-entering": Habit("use_reentrant", swap=_reentrant),
    **{
        f"chance, draw {draw}": Habit(
            "other first weights of the adapter",
            swap=partial(_other_first_weights, draw),
            is_chance=True,
        )
        for draw in range(1, 6)
    },
    "outputs let go": Habit(
        "outputs kept through the backward pass",
        swap=partial(_with_loss, _kept(_FUSED_LOSS)),
    ),
    "outputs let go, loss in tiles": Habit(
        "all logits at once, and kept", swap=partial(_with_loss, _kept(_all_logits))
    ),
}


def recipe_of(options, habit):
    """A recipe that gives a habit up."""
    recipe = Recipe()
    for key, value in (*options.items(), *habit.options):
        recipe = recipe.with_value(key, value)
    return recipe


def price(habit):
    """The peaks of the 8B by a dry run: allocated and reserved, in bytes."""
    recipe = recipe_of(_PRICED, habit)
    config = AutoConfig.for_model(**config_of("llama-3.1-8b"))
    with habit.swap():
        recording = rehearsal.rehearse(Subject(config, recipe, _CARD))
    traits = Traits(config.vocab_size, recipe.train.checkpointing)
    found = estimate_of(recording, traits, _CARD, 0.0)
    return found.bytes_up_to(Level.ALLOCATED), found.bytes_up_to(Level.RESERVED)


def learn(habit, steps, folder):
    """The held-out loss of the small model after so many steps."""
    options = {
        "data.path": str(example_file("cheesemonger.jsonl")),
        "train.max_steps": steps,
    }
    recipe = recipe_of(_TRAINED | options, habit)
    session = silent_session()
    place = place_of(recipe.model.name)
    prepared_folder(session, place)
    with habit.swap(), session.lifeline.open():
        run = training.load_run(session, RunDirectory(folder), recipe, place)
        trainer = training.build_trainer(run)
        trainer.remove_callback(StepReporter)
        trainer.train()
        run.evaluate(steps)
    session.wire.close()
    return run.losses[steps]


def table(found):
    """Every habit against the engine's own, in Markdown."""
    lines = [
        "| habit | given up for | allocated | reserved | held-out loss |",
        "|---|---|---|---|---|",
    ]
    own = found["the engine’s habits"]
    for name, it in found.items():
        habit = HABITS[name]
        memory = "as above | as above" if habit.is_chance else _memory(it, own)
        lines.append(f"| {name} | {habit.instead} | {memory} | {_loss(it, own)} |")
    return "\n".join(lines)


def _loss(it, own):
    if it.loss is None:
        return "not measured yet"
    change = "" if it is own else f" ({it.loss - own.loss:+.4f})"
    return f"{it.loss:.4f}{change}"


def _memory(it, own):
    pairs = (it.allocated, own.allocated), (it.reserved, own.reserved)
    return " | ".join(
        f"{now / GIB:.2f} GiB" + ("" if it is own else f" ({(now - then) / GIB:+.2f})")
        for now, then in pairs
    )


def _sleep_between_products():
    """Begin anew with the engine's own setting, which torch reads at its import."""
    if os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE") != "PASSIVE":
        return
    if "--asleep" not in sys.argv:
        again = [sys.executable, "-m", "tests.bench.memory_habits", *sys.argv[1:]]
        os.execv(sys.executable, [*again, "--asleep"])


def main():
    """Give up one habit after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--only", default="")
    parser.add_argument("--asleep", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("SNUGTUNE_HOME", folder)
        for name, habit in HABITS.items():
            if given.only in name or habit.instead == "-":
                peaks = (0, 0) if habit.is_chance else price(habit)
                gc.collect()
                loss = learn(habit, given.steps, Path(folder))
                found[name] = Found(*peaks, loss)
                print(name, found[name], flush=True)
                if not given.only:
                    write(table(found))
    print(table(found))


def write(said):
    """Put a table between the marks; what a run that is cut short found stays."""
    text = _TABLE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    _TABLE.write_text(f"{head}{BEGIN}\n{said}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    _sleep_between_products()
    main()
