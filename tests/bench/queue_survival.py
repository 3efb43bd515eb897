"""Whether a queue survives: its driver is killed at a named place, again and again.

    python -m tests.bench.queue_survival [--kills 24] [--seed 1] [--json OUT.json]

Two runs wait, and `snugtune queue run` starts them, each in an engine of its own. In
each trial one or two kills happen to whoever adds or drives, at a place in
`studio.services.run_queue`. Then the queue is driven again until nothing waits, and a
run that its driver left half-way is gone on with, if anything had been kept. Every run
that was added must be there once, with the bytes of an undisturbed one. Needs a system
that forks.
"""

import argparse
import collections
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import typer

from studio.cli import queue as queue_commands
from studio.domain.run import RunState
from studio.engine import faults
from studio.services.library import all_runs
from studio.services.run_journal import snapshot_of
from studio.services.run_queue import RunQueue
from studio.storage.checkpoint_folders import newest_whole
from studio.system.paths import queue_dir
from studio.system.processes import is_alive
from tests.bench.survival import live, weights
from tests.engine import tiny
from tests.engine.helpers import new_run, recipe_for

RUNS = 2
ADDING = ("queue.recipes", "queue.added")
DRIVING = ("queue.made", "queue.written")
OPTIONS = {"model__precision": "fp32", "train__max_steps": 4, "train__save_steps": 1}
MOST_LIVES = 5
_SETTLE_S = 0.2


@dataclass
class Trial:
    """Kills of those who add to a queue or drive it, and what became of it."""

    adding: list[str]
    driving: list[str]
    happened: list[str] = field(default_factory=list)
    lives: int = 0
    gone_on: int = 0
    nothing_kept: int = 0
    wrong: str = ""


def drawn(chance):
    """One to three kills; each life meets one."""
    adding = [f"{chance.choice(ADDING)}:kill@1"] if chance.random() < 0.3 else []
    count = 2 if chance.random() < 0.4 else 1
    driving = [
        f"{chance.choice(DRIVING)}:kill@{n}" for n in chance.choices((1, 2), k=count)
    ]
    return Trial(adding, driving)


def forked(deed, spelt, noted):
    """Do something in a process of its own, with a kill armed; its exit code."""
    pid = os.fork()
    if pid == 0:
        log = os.open(noted.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        faults.arm(spelt, noted)
        try:
            deed()
        except typer.Exit as done:
            os._exit(done.exit_code)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


class Campaign:
    """Trials one after the other in one home."""

    def __init__(self, folder):
        model = tiny.make_model(folder / "tiny-llama")
        data = tiny.write_chats(folder / "chats.jsonl", tiny.chats(18))
        self.recipe = recipe_for(model, data, **OPTIONS)
        self.noted = folder / "noted"
        straight = new_run(folder / "straight", self.recipe)
        assert live(straight, resume=False) == 0
        self.expected = weights(straight)

    def carry_out(self, trial):
        """Let a queue be filled and driven, with kills, until nothing waits."""
        before = {run.path for run in all_runs()}
        self.noted.unlink(missing_ok=True)
        kills = iter(trial.adding)
        while not RunQueue().read().runs:
            trial.lives += 1
            forked(self._add, next(kills, ""), self.noted)
        kills = iter(trial.driving)
        for _ in range(MOST_LIVES):
            trial.lives += 1
            forked(queue_commands.run_all, next(kills, ""), self.noted)
            self._settle()
            if not RunQueue().read().runs:
                break
        made = [run for run in all_runs() if run.path not in before]
        if self.noted.exists():
            trial.happened = self.noted.read_text(encoding="utf-8").split()
        self._judge(trial, made)

    def _add(self):
        waiting = [(f"Run {n}", self.recipe) for n in range(RUNS)]
        RunQueue().add("Queue", waiting)

    def _settle(self):
        """An engine whose driver was killed ends by itself."""
        for run in all_runs():
            engine = snapshot_of(run).engine
            while engine and is_alive(engine):
                time.sleep(_SETTLE_S)

    def _judge(self, trial, made):
        ended = [run for run in made if self._is_ended(trial, run)]
        RunQueue().change(lambda queue: queue)  # what a cut left goes with the next one
        left = list(queue_dir().glob("[0-9]*.toml"))
        if RunQueue().read().runs:
            trial.wrong = "runs wait still"
        elif len(made) != RUNS:
            trial.wrong = f"{len(made)} runs of {RUNS}"
        elif any(weights(run) != self.expected for run in ended):
            trial.wrong = "weights are others"
        elif left:
            trial.wrong = f"it left {left[0].name}"

    def _is_ended(self, trial, run):
        """Whether a run came to its end, gone on with if its engine had to end.

        It is refused where nothing had been kept yet when its driver was killed.
        """
        if snapshot_of(run).state is RunState.FINISHED:
            return True
        trial.lives += 1
        if not newest_whole(run.checkpoints_path)[0]:
            trial.nothing_kept += 1
            return False
        trial.gone_on += 1
        live(run, resume=True)
        return True


def campaign(count, seed, tell=lambda _: None):
    """As many trials as let `count` kills happen."""
    chance, trials, happened = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as name:
        os.environ["SNUGTUNE_HOME"] = str(Path(name) / "home")
        runs = Campaign(Path(name))
        while happened < count:
            trial = drawn(chance)
            runs.carry_out(trial)
            trials.append(trial)
            happened += len(trial.happened)
            tell(trial)
    return trials


def summary(trials, seconds):
    """The figures of a campaign, as a document."""
    happened = [each for trial in trials for each in trial.happened]
    return {
        "kills": len(happened),
        "trials": len(trials),
        "runs": RUNS * len(trials),
        "lives": sum(trial.lives for trial in trials),
        "gone_on": sum(trial.gone_on for trial in trials),
        "nothing_kept": sum(trial.nothing_kept for trial in trials),
        "by_place": dict(collections.Counter(x.partition(":")[0] for x in happened)),
        "wrong": [f"{t.adding} {t.driving}: {t.wrong}" for t in trials if t.wrong],
        "seconds": round(seconds),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()

    def tell(trial):
        print(f"{' '.join(trial.happened):50} {trial.wrong or 'all once'}", flush=True)

    trials = campaign(given.kills, given.seed, tell)
    text = json.dumps(found := summary(trials, time.monotonic() - began), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
