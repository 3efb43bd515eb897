"""Plays an engine: speaks the wire, writes the journal, and ends as it is told.

Run as a script with the run directory and a scene; nothing of it loads torch.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ORDERS: list[str] = []


def say(**event: object) -> None:
    line = json.dumps({"at": datetime.now(UTC).isoformat(), **event}).encode() + b"\n"
    if JOURNAL is not None:
        with JOURNAL.open("ab") as journal:
            journal.write(line)
    try:
        os.write(1, line)
    except BrokenPipeError:
        return


def hello() -> None:
    import psutil

    me = psutil.Process()
    say(
        event="hello",
        protocol=1,
        verb="train",
        pid=me.pid,
        started_at=me.create_time(),
        device="a fake processor",
    )
    say(event="phase", phase="training")


def step(number: int, total: int) -> None:
    say(event="step", step=number, total=total, epoch=1.0, loss=3.0 / number, lr=1e-4)


def checkpoint(number: int) -> None:
    say(event="checkpoint", step=number, path=f"checkpoints/step-{number}")


def finish(steps: int, *, stopped: bool) -> None:
    say(event="finished", adapter="adapter", steps=steps, stopped=stopped)


def hear() -> None:
    kept = "SNUGTUNE_KEEP_RUNNING" in os.environ
    rest = b""
    while chunk := os.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            ORDERS.append(json.loads(line)["command"])
            if ORDERS[-1] == "keep-running":
                kept = True
                say(event="detached")
    if not kept:
        os._exit(14)


def train_until_told(pause: float) -> None:
    number = 0
    while "stop" not in ORDERS:
        number += 1
        step(number, 1000)
        if "save-now" in ORDERS:
            ORDERS.remove("save-now")
            checkpoint(number)
        if "sample-now" in ORDERS:
            ORDERS.remove("sample-now")
            say(event="sample", step=number, prompt="Why?", text="Because.")
        time.sleep(pause)
    say(event="stopping")
    finish(number, stopped=True)


def play(scene: str) -> int:  # noqa: C901, PLR0912 - a list of scenes
    hello()
    match scene:
        case "normal":
            for number in range(1, 6):
                step(number, 5)
            checkpoint(5)
            finish(5, stopped=False)
        case "fails":
            say(event="failed", kind="data.empty", message="No rows.", advice="Add.")
            return 10
        case "killed":
            for number in range(1, 8):
                step(number, 100)
            checkpoint(7)
            step(8, 100)
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            step(1, 5)
            print("ZeroDivisionError: by zero", file=sys.stderr, flush=True)
            os.abort()
        case "garbage":
            os.write(1, b'not json\n{"event": "nonsense"}\n\xff\xfe\n')
            step(1, 1)
            finish(1, stopped=False)
            os.write(1, b'{"event": "st')
        case "steps":
            train_until_told(0.05)
        case "busy-stopping":
            while "stop" not in ORDERS:
                time.sleep(0.02)
            for number in range(1, 8):
                say(event="progress", stage="s", done=number, total=7, unit="rows")
                time.sleep(0.3)
            finish(1, stopped=True)
        case "deaf":
            signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
            while True:
                time.sleep(0.05)
        case "stuck":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(0.05)
        case "grandchild":
            if os.fork() == 0:
                time.sleep(300)
            step(1, 5)
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs-at-exit":
            finish(1, stopped=False)
            time.sleep(300)
        case "merges":
            say(event="merged", path="/somewhere", dtype="bf16", size_bytes=1)
        case _:
            raise AssertionError(scene)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scene")
    parser.add_argument("directory", nargs="?")
    given = parser.parse_args()
    JOURNAL = Path(given.directory) / "events.jsonl" if given.directory else None
    threading.Thread(target=hear, daemon=True).start()
    code = play(given.scene)
    sys.stdout.flush()
    os._exit(code)
