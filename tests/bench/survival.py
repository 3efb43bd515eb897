"""Whether a run survives: seeded faults, each followed by going on until the end.

    python -m tests.bench.survival [--faults 200] [--seed 1] [--json OUT.json]

A tiny model is trained again and again. In each trial a fault of `studio.engine.faults`
happens at a place in save, rotation, resume, pause, step or journal; in
some a second one happens while it goes on. Then the run is gone on with, until it has
ended with the very bytes of the undisturbed run, or refuses for a reason that is
checked. Each life of a run is a process of its own, forked from one that has loaded the
libraries, so that kills are kills. Needs a system that forks.
"""

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from studio.domain.errors import StudioError
from studio.domain.run import RunState
from studio.engine import faults
from studio.engine.methods import training  # noqa: F401 - loaded before the first fork
from studio.engine.progress import StepReporter
from studio.engine.session import Session
from studio.engine.verbs import run_verb
from studio.engine.wire import Wire
from studio.protocol.commands import Pause
from studio.protocol.events import RunFailed, RunFinished, RunPaused
from studio.services.resuming import refuse_resuming
from studio.services.run_journal import snapshot_of
from studio.storage.checkpoint_folders import newest_whole
from tests.bench.forking import make_thread_pool_anew
from tests.engine import tiny
from tests.engine.helpers import new_run, recipe_for

STEPS = 8  # a pass takes four
SAVES = 5  # a checkpoint every other step, and the result
WAYS = {
    "fp32": {},
    "nf4": {"model__precision": "nf4", "lora__adapter_dtype": "bf16"},
    "packed": {"train__packing": True},
    "accumulated": {"train__micro_batch": 2, "train__accumulation": 2},
    "whole": {"train__weights": "all", "lora__dropout": 0.0},
}
COMMON = {
    "model__precision": "fp32",
    "train__max_steps": STEPS,
    "train__save_steps": 2,
    "train__keep_checkpoints": 2,
    "lora__dropout": 0.1,
    "data__prompts": ["Hello"],
}
SAVING = ("begun", "weights", "tokenizer", "card", "state", "manifest", "synced")
NAMED = ("renamed", "published")
DISK = ("full", "read-only", "denied", "broken")
KINDS = {
    "full": "disk.full",
    "read-only": "disk.read-only",
    "denied": "disk.read-only",
    "broken": "disk.failed",
    "oom": "out-of-memory",
    "nan": "non-finite",
    "lost": "card.lost",
}
MOST_LIVES = 6


@dataclass
class Trial:
    """One run, what happened to it, and what became of it."""

    way: str
    faults: list[str]
    pause_at: int = 0
    happened: list[str] = field(default_factory=list)
    lives: int = 0
    came_to: str = ""
    wrong: str = ""


def drawn(chance):
    """A trial of a way of training, with one fault or two."""
    first = chance.choice(
        [saving, saving, saving, rotating, stepping, measuring, journal, pausing]
    )
    trial = Trial(chance.choice(sorted(WAYS)), [first(chance)])
    if trial.faults[0].startswith("pause"):
        trial.pause_at = chance.randint(1, STEPS - 1)
    if first is not pausing and chance.random() < 0.1:
        trial.pause_at = chance.randint(1, STEPS - 1)
    if chance.random() < 0.45:
        then = chance.choice([resuming, resuming, saving, stepping, journal])
        trial.faults.append(then(chance))
    return trial


def saving(chance):
    place = chance.choice([*SAVING, *NAMED])
    deeds = ("kill",) if place in NAMED else ("kill", "kill", *DISK)
    return f"save.{place}:{chance.choice(deeds)}@{chance.randint(1, SAVES)}"


def measuring(chance):
    return f"evaluate.begun:{chance.choice(['kill', 'oom'])}@{chance.choice([4, 8])}"


def rotating(chance):
    place = chance.choice(["begun", "renamed", "removed"])
    return f"rotate.{place}:kill@{chance.randint(1, 2)}"


def stepping(chance):
    place, deed = chance.choice(
        [
            ("step.begun", "kill"),
            ("step.begun", "segv"),
            ("step.begun", "oom"),
            ("step.begun", "lost"),
            ("step.gradients", "nan"),
            ("step.optimizer", "kill"),
            ("step.optimizer", "oom"),
            ("step.optimizer", "lost"),
            ("step.done", "kill"),
            ("step.done", "oom"),
            ("step.done", "lost"),
        ]
    )
    return f"{place}:{deed}@{chance.randint(1, STEPS)}"


def journal(chance):
    deed = chance.choice(["kill", "tear", "tear", "full", "broken"])
    return f"journal:{deed}@{chance.randint(1, 45)}"


def pausing(chance):
    return f"pause.{chance.choice(['begun', 'saved'])}:kill@1"


def resuming(chance):
    place = chance.choice(["found", "read", "weights", "optimizer", "chance"])
    return f"resume.{place}:{chance.choice(['kill', 'kill', 'oom'])}@1"


class Campaign:
    """Runs trials in a folder and counts what came of them."""

    def __init__(self, folder):
        self.folder = folder
        self.model = tiny.make_model(folder / "tiny-llama")
        self.data = tiny.write_chats(folder / "chats.jsonl", tiny.chats(18))
        self._straight = {}

    def run_of(self, way):
        recipe = recipe_for(self.model, self.data, **{**COMMON, **WAYS[way]})
        return new_run(self.folder / "runs", recipe)

    def straight(self, way):
        """The bytes of a run of this way that nothing happened to."""
        if way not in self._straight:
            run = self.run_of(way)
            code = live(run, resume=False)
            assert code == 0, f"the undisturbed run of {way} ended with {code}"
            self._straight[way] = weights(run)
        return self._straight[way]

    def carry_out(self, trial):
        """Let faults happen to a run, and go on until it has ended."""
        expected, run = self.straight(trial.way), self.run_of(trial.way)
        noted = run.path / "noted"
        for life in range(MOST_LIVES):
            trial.lives += 1
            spelt = trial.faults[life] if life < len(trial.faults) else ""
            pause_at = 0 if life else trial.pause_at
            code = live(run, resume=life > 0, spelt=spelt, noted=noted, pause=pause_at)
            trial.happened = noted.read_text().split() if noted.exists() else []
            if code == 0 and snapshot_of(run).state is RunState.FINISHED:
                break
            trial.wrong = untrue(run, spelt, code) or trial.wrong
            if trial.wrong or refused(run, trial):
                return
        self._judge(run, trial, expected)

    def _judge(self, run, trial, expected):
        if snapshot_of(run).state is not RunState.FINISHED:
            trial.wrong = "it has not come to its end"
        elif weights(run) != expected:
            trial.wrong = "its weights are others"
        elif left := [*run.path.rglob(".*unfinished*"), *run.path.glob(".trial*")]:
            trial.wrong = f"it left {left[0].name}"
        else:
            trial.came_to = "same bytes"


def live(run, *, resume, spelt="", noted=None, pause=0):
    """One life of a run, in a process of its own.

    Returns:
        Its exit code, negative where a signal ended it.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(_live(run, resume=resume, spelt=spelt, noted=noted, pause=pause))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _live(run, *, resume, spelt, noted, pause):
    log = os.open(run.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    make_thread_pool_anew()
    session = Session(Wire(None))
    if pause:
        _pause_behind(session, pause)
    faults.arm(spelt, noted)
    given = {"resume": resume, "accept_changes": False, "save_memory": False}
    code = run_verb(session, argparse.Namespace(verb="train", run=run.path, **given))
    session.wire.close()
    return int(code)


def _pause_behind(session, step):
    report = StepReporter._report

    def reported(self, state, logs):
        report(self, state, logs)
        if state.global_step == step:
            session.orders.take(Pause())

    StepReporter._report = reported


def weights(run):
    adapter = run.adapter_path / "adapter_model.safetensors"
    kept = adapter if adapter.exists() else run.model_path / "model.safetensors"
    return kept.read_bytes()


def untrue(run, spelt, code):
    """What a run told wrongly about how a life of it ended; empty if nothing."""
    deed = spelt.partition(":")[2].partition("@")[0]
    snapshot = snapshot_of(run)
    found, _ = newest_whole(run.checkpoints_path)
    kept = found.manifest.step if found else 0
    last = list(run.events())[-1]
    if code < 0:
        killed = {"segv": -signal.SIGSEGV}.get(deed, -signal.SIGKILL)
        # What was done before may have been told before the kill.
        over = snapshot.state in {RunState.LOST, RunState.PAUSED, RunState.FINISHED}
        return "" if code == killed and over else f"ended by {code}, {snapshot.state}"
    if isinstance(last, RunPaused):
        true = last.kind in {"", KINDS.get(deed, "")} and last.step == kept
        return "" if true else f"paused by {last.kind} at {last.step}, kept {kept}"
    if isinstance(last, RunFailed):
        true = last.kind in {KINDS.get(deed, ""), "run.no-checkpoint"}
        return "" if true and not kept else f"failed by {last.kind}, kept {kept}"
    if isinstance(last, RunFinished):
        return ""
    # The journal's own disk refused, so that the exit code alone tells.
    refused_journal = spelt.startswith("journal") and code == 13
    return "" if refused_journal else f"no last word, code {code}"


def refused(run, trial):
    """Whether going on is refused, which is right where nothing was kept."""
    try:
        refuse_resuming(snapshot_of(run))
    except StudioError as refusal:
        found, _ = newest_whole(run.checkpoints_path)
        if refusal.finding.code != "run.no-checkpoint" or found is not None:
            trial.wrong = f"refused by {refusal.finding.code}"
        trial.came_to = "told that nothing was kept yet"
        return True
    return False


def campaign(count, seed, tell=lambda _: None):
    """As many trials as let `count` faults happen.

    Returns:
        The trials in which a fault happened.
    """
    chance, trials, happened = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as name:
        os.environ["SNUGTUNE_HOME"] = str(Path(name) / "home")
        runs = Campaign(Path(name))
        while happened < count:
            trial = drawn(chance)
            runs.carry_out(trial)
            if trial.happened:
                trials.append(trial)
                happened += len(trial.happened)
                tell(trial)
    return trials


def summary(trials, seconds):
    """The figures of a campaign, as a document."""
    happened = [each for trial in trials for each in trial.happened]
    return {
        "faults": len(happened),
        "runs": len(trials),
        "lives": sum(trial.lives for trial in trials),
        "by_place": dict(collections.Counter(x.partition(":")[0] for x in happened)),
        "by_deed": dict(
            collections.Counter(x.partition(":")[2].partition("@")[0] for x in happened)
        ),
        "came_to": dict(collections.Counter(t.came_to for t in trials if not t.wrong)),
        "wrong": [
            f"{t.way} {t.faults} pause {t.pause_at}: {t.wrong}"
            for t in trials
            if t.wrong
        ],
        "seconds": round(seconds),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()

    def tell(trial):
        ended = trial.wrong or trial.came_to
        print(f"{trial.way:12} {' '.join(trial.happened):48} {ended}", flush=True)

    trials = campaign(given.faults, given.seed, tell)
    found = summary(trials, time.monotonic() - began)
    text = json.dumps(found, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
