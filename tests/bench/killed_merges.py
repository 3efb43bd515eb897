"""Whether an export survives kills: a merge is killed at random moments.

    python -m tests.bench.killed_merges [--kills 50] [--seed 1] [--family llama]

A tiny model in several files (its experts trained too, where a family of mixtures is
named) is merged in processes that are forked from one that has loaded the libraries.
Each is killed at a moment drawn from all that a merge passes: behind any tensor, before
and behind the rename. After each kill the target is either absent or whole, and the
base as it was; the next process goes on with what was finished. Needs a system that
forks.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.waypoints import watch
from studio.engine.session import Session
from studio.engine.verbs import run_verb
from studio.engine.wire import Wire
from tests.bench.forking import make_thread_pool_anew
from tests.engine import tiny
from tests.engine.helpers import new_run, recipe_for

SHARD = "60KB"


def make_run(folder, family="llama"):
    """A run with an adapter of random numbers, and its base."""
    base = folder / "base"
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(1)
    options = {**tiny.SHAPE, "vocab_size": len(tokenizer), "num_hidden_layers": 4}
    options |= tiny.MIXTURES.get(family, {})
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **options))
    model.save_pretrained(base, max_shard_size=SHARD)
    tokenizer.save_pretrained(base)
    run = new_run(folder / "runs", recipe_for(base, "any"))
    wanted = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    adapted = get_peft_model(model, wanted)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(run.adapter_path)
    tokenizer.save_pretrained(run.adapter_path)
    (run.adapter_path / "README.md").write_text("---\nlibrary_name: peft\n---\n")
    return run, base


def merged(run, out, kill_at=0):
    """Merge in a process of its own; see `carried_out`."""
    given = {"out": out, "dtype": "bf16", "overwrite": False, "as_trained": False}
    order = argparse.Namespace(verb="merge", run=run.path, **given)
    return carried_out(order, ("merge", "save"), kill_at)


def carried_out(order, places, kill_at=0):
    """Carry out a verb in a process of its own, which may be killed on its way.

    What it wrote to stderr is passed on where it ended badly by itself.

    Args:
        order: The verb and its arguments.
        places: What the names of the places that count begin with.
        kill_at: At which of them it is killed, from 1; never at 0.

    Returns:
        Its exit code, negative where it was killed; and how many places it passed.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as words:
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os.dup2(words.fileno(), 2)
            os._exit(_carry_out(order, places, kill_at, writing))
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            passed = len(told.read())
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in {0, -9}:
            words.seek(0)
            sys.stderr.write(words.read().decode(errors="replace"))
    return code, passed


def _carry_out(order, places, kill_at, writing):
    make_thread_pool_anew()
    passed = 0

    def pass_by(place, number, subject):
        nonlocal passed
        if not place.startswith(places):
            return
        passed += 1
        os.write(writing, b".")
        if passed == kill_at:
            os.kill(os.getpid(), 9)

    watch(pass_by)
    return int(run_verb(Session(Wire(None)), order))


def contents(folder):
    """Every file's digest by name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def campaign(kills, seed, family="llama"):
    """Kill merges at random moments.

    Returns:
        How many kills there were, how many merges ended whole behind them, how many
        tensors were not merged again, and what was wrong.
    """
    torch.set_num_threads(1)
    chance, wrong, whole, saved = random.Random(seed), [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SNUGTUNE_HOME"] = str(folder / "home")
        run, base = make_run(folder, family)
        code, places = merged(run, folder / "undisturbed")
        assert code == 0, f"the undisturbed merge ended with {code}"
        expected, source = contents(folder / "undisturbed"), contents(base)
        done, number = 0, 0
        while done < kills:
            out = folder / "out" / str(number)
            number += 1
            for at in chance.sample(range(1, places + 1), chance.choice([1, 1, 2, 3])):
                code, _ = merged(run, out, at)
                done += code == -9
                if out.exists() and contents(out) != expected:
                    wrong.append(f"half a model behind a kill at {at}")
                if out.exists():
                    break
            if not out.exists():
                code, passed = merged(run, out)
                saved += places - passed
            if code not in {0, -9} or contents(out) != expected:
                wrong.append(f"merge {number} ended with {code} and other bytes")
            whole += 1
            if left := [each.name for each in out.parent.iterdir() if each != out]:
                left = [each for each in left if each.startswith(".")]
                wrong += [f"{each} was left behind" for each in left]
            if contents(base) != source:
                wrong.append("the base was changed")
    return {"kills": done, "merges": whole, "places": places, "saved": saved}, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", default="llama")
    given = parser.parse_args()
    found, wrong = campaign(given.kills, given.seed, given.family)
    print(json.dumps({**found, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
