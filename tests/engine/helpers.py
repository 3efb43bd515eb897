"""Ways to run the engine: inside the test, or as the process that it is."""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from studio.domain.recipe import Recipe
from studio.engine.session import Session
from studio.engine.verbs import run_verb
from studio.engine.wire import Wire
from studio.protocol.codec import decode_event, encode
from studio.storage.run_directory import RunDirectory

# What a tiny run needs to be over in a second.
QUICK = {
    "model.compute_dtype": "fp32",
    "data.held_out": 0.1,
    "train.sequence_length": 128,
    "train.micro_batch": 4,
    "train.accumulation": 1,
    "train.max_steps": 4,
    "train.learning_rate": 1e-2,
    "train.checkpointing": False,
    "data.prompts": ("Which cheese is number 7?",),
    "lora.rank": 8,
}


def recipe_for(model, data, **options):
    """A quick recipe; options are written with __ for the point."""
    recipe = Recipe()
    named = {key.replace("__", "."): value for key, value in options.items()}
    values = {"model.name": str(model), "data.path": str(data), **QUICK, **named}
    for key, value in values.items():
        recipe = recipe.with_value(key, value)
    return recipe


def new_run(folder, recipe):
    return RunDirectory.create(Path(folder), "run", recipe)


class Heard:
    """A session whose words can be read after it."""

    def __init__(self):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        self.session = Session(Wire(os.dup(self._file.fileno())))

    def events(self):
        """Everything that was said; nothing can be said after it."""
        self.session.wire.close()
        self._file.seek(0)
        events = [decode_event(line) for line in self._file]
        self.close()
        return events

    def close(self):
        self.session.wire.close()
        self._file.close()


# What the command line leaves unless it is told.
UNSAID = {"merge": {"as_trained": False}, "export": {"as_trained": False}}


def carry_out(verb, **arguments):
    """Run a verb inside the test.

    Returns:
        (exit code, events)
    """
    heard = Heard()
    code = run_verb(
        heard.session, argparse.Namespace(**UNSAID.get(verb, {}) | arguments, verb=verb)
    )
    return code, heard.events()


def train(run, *, resume=False, accept_changes=False, save_memory=False):
    return carry_out(
        "train",
        run=run.path,
        resume=resume,
        accept_changes=accept_changes,
        save_memory=save_memory,
    )


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


class Process:
    """A real engine, its wire and its stdin."""

    def __init__(self, *arguments, **environment):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "studio.engine", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
                **environment,
            },
            start_new_session=True,
        )
        self.events = []

    def order(self, command):
        self.popen.stdin.write(encode(command))
        self.popen.stdin.flush()

    def listen_until(self, kind):
        """Read events up to the first of a kind, and return it."""
        for line in self.popen.stdout:
            event = decode_event(line)
            self.events.append(event)
            if isinstance(event, kind):
                return event
        raise AssertionError(self.popen.stderr.read().decode()[-2000:])

    def end(self):
        """Read to the end.

        Returns:
            (exit code, everything on stderr)
        """
        self.events += [decode_event(line) for line in self.popen.stdout]
        log = self.popen.stderr.read().decode()
        return self.popen.wait(), log


@contextmanager
def engine(*arguments, **environment):
    process = Process(*arguments, **environment)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.wait()
        for pipe in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            pipe.close()
