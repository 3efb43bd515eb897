"""Plays an engine: speaks the wire, writes the journal, and ends as it is told.

Run as a script with the run directory and a scene; nothing of it loads torch.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ORDERS: list[str] = []
ROWS: "queue.SimpleQueue[dict]" = queue.SimpleQueue()
ASKS: "queue.SimpleQueue[dict]" = queue.SimpleQueue()
STOPPED: list[int] = []


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
            order = json.loads(line)
            ORDERS.append(order["command"])
            if order["command"] == "show-row":
                ROWS.put(order)
            if order["command"] == "ask":
                ASKS.put(order)
            if order["command"] == "stop-answer":
                STOPPED.append(order["order"])
            if order["command"] == "stop" and order_is_last():
                os._exit(0)
            if ORDERS[-1] == "keep-running":
                kept = True
                say(event="detached")
    if not kept:
        os._exit(14)


def order_is_last() -> bool:
    """Whether the scene ends by an order to stop and says no more."""
    return given.scene == "talks"


def read_box(box: Path) -> None:
    """Take what others than the starter order from now on."""
    offset = box.stat().st_size if box.exists() else 0
    while True:
        time.sleep(0.1)
        whole = box.read_bytes() if box.exists() else b""
        lines = whole[offset:].splitlines()
        ORDERS.extend(json.loads(line)["command"] for line in lines)
        offset = len(whole)


def take_up() -> int:
    """The step of the newest checkpoint, when the run is gone on with; else 0."""
    if "--resume" not in ASIDE:
        return 0
    told = map(json.loads, JOURNAL.read_text().splitlines())
    steps = [event["step"] for event in told if event["event"] == "checkpoint"]
    say(event="resumed", step=steps[-1])
    return steps[-1]


def steps_until_told() -> None:
    number = take_up()
    while not {"stop", "pause"}.intersection(ORDERS):
        number += 1
        step(number, 1000)
        if "save-now" in ORDERS:
            ORDERS.remove("save-now")
            checkpoint(number)
        if "sample-now" in ORDERS:
            ORDERS.remove("sample-now")
            say(event="sample", step=number, prompt="Why?", text="Because.")
        time.sleep(0.05)
    say(event="stopping")
    if "pause" in ORDERS:
        checkpoint(number)
        say(event="paused", step=number)
    else:
        finish(number, stopped=True)


def normal() -> None:
    for number in range(1, 6):
        step(number, 5)
    checkpoint(5)
    finish(5, stopped=False)


def fails() -> None:
    say(event="failed", kind="data.empty", message="No rows.", advice="Add.")
    os._exit(10)


def mute() -> None:
    os.close(1)
    os.open(os.devnull, os.O_WRONLY)
    for number in range(1, 4):
        step(number, 3)
    finish(3, stopped=False)


def without_journal() -> None:
    """The journal's disk is gone; the wire still carries what happens."""
    global JOURNAL  # noqa: PLW0603 - one script, one journal
    step(1, 3)
    JOURNAL = None
    step(2, 3)
    finish(2, stopped=False)


def busy_stopping() -> None:
    while "stop" not in ORDERS:
        time.sleep(0.02)
    for number in range(1, 8):
        say(event="progress", stage="s", done=number, total=7, unit="rows")
        time.sleep(0.3)
    finish(1, stopped=True)


def merges() -> None:
    say(event="merged", path="/somewhere", dtype="bf16", size_bytes=1)


def killed() -> None:
    for number in range(1, 8):
        step(number, 100)
    checkpoint(7)
    step(8, 100)
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    step(1, 5)
    print("ZeroDivisionError: by zero", file=sys.stderr, flush=True)
    os.abort()


def garbage() -> None:
    os.write(1, b'not json\n{"event": "nonsense"}\n\xff\xfe\n')
    step(1, 1)
    finish(1, stopped=False)
    os.write(1, b'{"event": "st')


# Pauses by a fault: kind, message, exit code.
FAULTS = {
    "disk full": ("disk.full", "Full.", 13),
    "breaks down": ("non-finite", "No number.", 12),
    "card lost": ("card.lost", "Lost.", 1),
    "crashes": ("card.crashed", "Crashed.", 1),
}


def fated() -> None:
    """Two steps, a checkpoint, a third step; then what the run's folder says."""
    assert JOURNAL is not None
    begun = "--resume" in ASIDE and '"event": "checkpoint"' in JOURNAL.read_text()
    number = take_up() if begun else 0
    if "--resume" in ASIDE and not begun:
        say(event="resumed", step=0)
    fate = JOURNAL.with_name("fate").read_text()
    if fate == "disk full at once":
        step(number + 1, 1000)
        say(event="paused", step=number, kind="disk.full", message="Full.")
        os._exit(13)
    for _ in range(2):
        number += 1
        step(number, 1000)
    checkpoint(number)
    step(number + 1, 1000)
    if fate in FAULTS:
        kind, message, code = FAULTS[fate]
        say(event="paused", step=number, kind=kind, message=message, advice="Mend it.")
        os._exit(code)
    match fate:
        case "beyond":
            say(event="failed", kind="card.index", message="Beyond.", advice="Look.")
            os._exit(1)
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "finish":
            checkpoint(number + 1)
            finish(number + 1, stopped=False)
        case _:
            while not {"stop", "pause"}.intersection(ORDERS):
                time.sleep(0.01)
            checkpoint(number + 1)
            if "pause" in ORDERS:
                say(event="paused", step=number + 1)
            else:
                finish(number + 1, stopped=True)


def runs_out() -> None:
    """Memory is refused in the third step, until less of it is asked for."""
    if "--save-memory" in ASIDE:
        before, after = {"train.micro_batch": 4}, {"train.micro_batch": 2}
        say(event="adapted", step=2, before=before, after=after)
        say(event="resumed", step=2)
        for number in range(3, 6):
            step(number, 5)
        finish(5, stopped=False)
        os._exit(0)
    for number in range(1, 3):
        step(number, 5)
    checkpoint(2)
    say(event="paused", step=2, kind="out-of-memory", message="Full.", advice="Less.")
    os._exit(11)


def killed_until_less() -> None:
    """As `runs_out`, but the system ends it without a word."""
    if "--save-memory" in ASIDE:
        runs_out()
    for number in range(1, 3):
        step(number, 5)
    checkpoint(2)
    step(3, 5)
    os.kill(os.getpid(), signal.SIGKILL)


def runs_out_when_asked() -> None:
    """As `runs_out`, but not before somebody orders answers or an end."""
    if "--save-memory" in ASIDE:
        runs_out()
    step(1, 5)
    step(2, 5)
    checkpoint(2)
    while not {"sample-now", "stop", "pause"}.intersection(ORDERS):
        time.sleep(0.02)
    if "sample-now" not in ORDERS:
        say(event="stopping")
    say(event="paused", step=2, kind="out-of-memory", message="Full.", advice="Less.")
    os._exit(11)


def runs_out_and_hangs() -> None:
    """Says that memory was refused, and doesn't end then."""
    if "--save-memory" in ASIDE:
        runs_out()
    checkpoint(2)
    while "sample-now" not in ORDERS:
        time.sleep(0.02)
    say(event="paused", step=2, kind="out-of-memory", message="Full.")
    time.sleep(300)


def saved_and_deaf() -> None:
    step(1, 9)
    checkpoint(1)
    deaf()


def deaf() -> None:
    while True:
        time.sleep(0.05)


def stuck() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(0.05)


def grandchild() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(300)
    say(event="log", level="info", text=str(child))
    os.kill(os.getpid(), signal.SIGKILL)


def family() -> None:
    """Has a grandchild, which went into a session of its own."""
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            time.sleep(300)
        time.sleep(300)
    time.sleep(0.2)
    steps_until_told()


def changed() -> None:
    """Goes on only if it is told that changes are accepted."""
    if "--resume" in ASIDE and "--accept-changes" not in ASIDE:
        what = "Since step 5 the data changed."
        say(event="failed", kind="run.changed", message=what, advice="Put it back.")
        os._exit(10)
    steps_until_told()


def runs_out_when_changed() -> None:
    """Dies, runs out of memory when gone on with, and minds what changed throughout."""
    if "--resume" not in ASIDE:
        step(1, 5)
        checkpoint(1)
        os.kill(os.getpid(), signal.SIGKILL)
    if "--accept-changes" not in ASIDE:
        say(event="failed", kind="run.changed", message="It changed.", advice="No.")
        os._exit(10)
    if "--save-memory" not in ASIDE:
        say(event="paused", step=1, kind="out-of-memory", message="Full.")
        os._exit(11)
    say(event="resumed", step=1)
    finish(5, stopped=False)


def hangs_at_exit() -> None:
    finish(1, stopped=False)
    time.sleep(300)


def estimate(number: int, left: int, size: int = 1 << 30) -> None:
    part = {"name": "All", "group": "weights", "bytes": size, "phase": "", "level": 0}
    say(
        event="memory-estimated",
        parts=[part],
        phase="backward",
        basis="dry-run",
        expected_error=0.02,
        reserved_error=None,
        phase_peaks={"backward": size},
        seconds=1.0,
        recipe=number,
        left=left,
    )


def prices() -> None:
    """As many estimates as there are recipes, each of a GiB more; the second fails."""
    count = 1 + ASIDE.count("--also")
    for number in range(count):
        if number == 1:
            finding = {"code": "x", "severity": "error", "what": "Not this one."}
            left = count - number - 1
            say(event="memory-not-estimated", finding=finding, recipe=1, left=left)
        else:
            estimate(number, count - number - 1, (number + 1) << 30)


def prices_slowly() -> None:
    time.sleep(300)


def shows_rows() -> None:
    """Tokens of each row that is asked for: one, with the row's line."""
    while True:
        row = ROWS.get()
        say(
            event="row-shown",
            order=row["order"],
            line=row["line"],
            texts=[f"line {row['line']}"],
            ids=[1],
            uses="t",
            marks=[],
        )


def dies_of_a_row() -> None:
    ROWS.get()
    os._exit(1)


def talks() -> None:
    """Each voice says the question back; words of a question are orders."""
    say(event="chat-ready", voices=["base", "adapter"], most_tokens=512)
    while True:
        ask = ASKS.get()
        for number, each in enumerate(ask["asked"]):
            order = {"order": ask["order"], "voice": each["voice"]}
            question = each["turns"][-1][1]
            answer(order, question, each["turns"], number)
            if question == "stop" and ask["order"] in STOPPED:
                break
        say(event="all-answered", order=ask["order"])


def answer(order: dict, question: str, turns: list, number: int) -> None:
    if question == "die":
        os._exit(1)
    if question == "fail":
        say(event="failed", kind="model.gone", message="The model is gone.")
        os._exit(10)
    if not number:
        say(event="progress", stage="Loading the weights", done=1, total=2, unit="")
    if question == "refuse" and not number:
        finding = {"code": "out-of-memory", "severity": "error", "what": "Full."}
        say(event="answer-refused", **order, finding=finding)
        return
    say(event="answer-begun", **order, read_tokens=len(turns), examples=0)
    text = f"{order['voice']} heard {question} behind {len(turns) - 1}"
    ended = "end"
    for word in text.split(" "):
        say(event="answer-piece", **order, text=f"{word} ")
    if question == "stop":
        while order["order"] not in STOPPED:
            time.sleep(0.01)
        ended = "stopped"
    told = {"text": text, "tokens": 7, "ended": ended, "seconds": 0.5}
    say(event="answer-ended", **order, **told)


def mends() -> None:
    """A new file of one row, out of four."""
    out = Path(ASIDE[ASIDE.index("--out") + 1])
    say(event="progress", stage="Counting tokens", done=4, total=0, unit="rows")
    out.write_text(json.dumps({"question": "Q1", "answer": "A1"}) + "\n")
    left = {"data.too-long": 3}
    told = {"rows": 4, "kept": 1, "changed": {}, "dropped": left}
    say(event="data-fixed", path="rows.csv", out=str(out), **told)


def hold_lock(path: Path) -> None:
    """Train the run alone, as an engine does; let go of when the process ends."""
    import fcntl

    lock = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)


SCENES = {
    "mends": mends,
    "talks": talks,
    "shows-rows": shows_rows,
    "dies-of-a-row": dies_of_a_row,
    "prices": prices,
    "prices-slowly": prices_slowly,
    "normal": normal,
    "steps": steps_until_told,
    "fails": fails,
    "mute": mute,
    "without-journal": without_journal,
    "busy-stopping": busy_stopping,
    "merges": merges,
    "killed": killed,
    "crash": crash,
    "garbage": garbage,
    "fated": fated,
    "runs-out": runs_out,
    "killed-until-less": killed_until_less,
    "runs-out-when-asked": runs_out_when_asked,
    "runs-out-and-hangs": runs_out_and_hangs,
    "deaf": deaf,
    "saved-and-deaf": saved_and_deaf,
    "stuck": stuck,
    "grandchild": grandchild,
    "family": family,
    "changed": changed,
    "runs-out-when-changed": runs_out_when_changed,
    "hangs-at-exit": hangs_at_exit,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("directory", nargs="?")
    # Of a verb whose scene counts them.
    given, ASIDE = parser.parse_known_args()
    JOURNAL = Path(given.directory) / "events.jsonl" if given.directory else None
    if JOURNAL is not None and sys.platform != "win32":
        hold_lock(JOURNAL.with_name(".lock"))
    threading.Thread(target=hear, daemon=True).start()
    if JOURNAL is not None:
        box = JOURNAL.with_name("orders.jsonl")
        threading.Thread(target=read_box, args=[box], daemon=True).start()
    if given.scene == "deaf":
        # Before the first word, for a test may end it as soon as it hears that.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    hello()
    SCENES[given.scene]()
    sys.stdout.flush()
    os._exit(0)
