"""Record the streams that lie beside this file anew, from real engines.

    python -m tests.protocol.record

Run it when the protocol or what the engine says has changed, and read the difference
before committing it. A tiny random model makes each stream in seconds; places of the
machine that records are replaced.
"""

import os
import tempfile
from pathlib import Path

from studio.protocol.answer_events import AllAnswered
from studio.protocol.codec import encode
from studio.protocol.commands import (
    Ask,
    Asked,
    KeepRunning,
    Pause,
    SampleNow,
    SaveNow,
    ShowRow,
    Stop,
)
from studio.protocol.data_events import RowNotShown, RowShown
from studio.protocol.events import RunFailed, StepFinished
from tests.engine import tiny
from tests.engine.helpers import engine, new_run, recipe_for
from tests.engine.hub_stub import Shelf, hub
from tests.engine.push_stub import PlayedHub, played

STREAMS = Path(__file__).parent / "streams"
ELSEWHERE = "/home/someone"


class Recorder:
    """A folder to work in, with a model and a data file that has one bad row."""

    def __init__(self, folder):
        self.folder = folder
        self.model = tiny.make_model(folder / "tiny-llama")
        self.data = tiny.write_chats(folder / "chats.jsonl")
        self.good = self.data.read_bytes()
        self.data.write_text(self.data.read_text() + "not json\n")

    def run(self, **options):
        values = {"train__save_steps": 4, "train__eval_steps": 4, **options}
        return new_run(
            self.folder / "runs", recipe_for(self.model, self.data, **values)
        )

    def keep(self, name, lines):
        text = b"".join(lines).replace(str(self.folder).encode(), ELSEWHERE.encode())
        (STREAMS / f"{name}.jsonl").write_bytes(text)

    def keep_journal(self, name, run):
        self.keep(name, run.journal_path.read_bytes().splitlines(keepends=True))

    def keep_wire(self, name, *arguments, **environment):
        with engine(*arguments, **environment) as process:
            lines = list(process.popen.stdout)
            process.popen.wait()
        self.keep(name, lines)


def finished(recorder):
    run = recorder.run(train__max_steps=10)
    with engine("train", run.path) as process:
        process.listen_until(StepFinished)
        process.popen.stdin.write(b"not an order\n")
        for order in (SampleNow(), SaveNow(), KeepRunning()):
            process.order(order)
        process.end()
    recorder.keep_journal("finished", run)
    return run


def stopped(recorder):
    run = recorder.run(train__max_steps=1_000_000, train__save_steps=0)
    with engine("train", run.path) as process:
        for _ in range(3):
            process.listen_until(StepFinished)
        process.order(Stop())
        process.end()
    recorder.keep_journal("stopped", run)


def paused(recorder):
    run = recorder.run(train__max_steps=1_000_000, train__save_steps=0)
    with engine("train", run.path) as process:
        process.listen_until(StepFinished)
        process.order(Pause())
        process.end()
    recorder.keep_journal("paused", run)


def killed(recorder):
    run = recorder.run(train__max_steps=1_000_000, train__save_steps=2)
    with engine("train", run.path) as process:
        for _ in range(5):
            process.listen_until(StepFinished)
        process.popen.kill()
        process.end()
    recorder.keep_journal("killed", run)


def resumed(recorder):
    run = recorder.run(
        train__max_steps=8, train__save_steps=2, train__keep_checkpoints=2
    )
    with engine("train", run.path) as process:
        for _ in range(5):
            process.listen_until(StepFinished)
        process.popen.kill()
        process.end()
    recorder.keep_wire("resumed", "train", run.path, "--resume")


def adapted(recorder):
    run = recorder.run(train__max_steps=6, train__save_steps=2)
    with engine("train", run.path, SNUGTUNE_FAULTS="step:oom@4") as process:
        process.end()
    recorder.keep_wire("adapted", "train", run.path, "--resume", "--save-memory")


def judged(recorder):
    pairs = [
        {"prompt": f"Number {n}?", "chosen": "Aye, a Brie.", "rejected": "None."}
        for n in range(12)
    ]
    data = tiny.write_chats(recorder.folder / "pairs.jsonl", pairs)
    run = recorder.run(data__path=str(data), train__method="dpo", train__max_steps=4)
    with engine("train", run.path) as process:
        process.end()
    recorder.keep_journal("judged", run)


def adaptive(recorder):
    """A run that spreads its adapter's rank."""
    run = recorder.run(lora__variant="adalora", train__max_steps=10)
    with engine("train", run.path) as process:
        process.end()
    recorder.keep_journal("adaptive", run)


def failed(recorder):
    run = recorder.run(data__path=str(recorder.folder / "missing.jsonl"))
    with engine("train", run.path) as process:
        process.listen_until(RunFailed)
        process.end()
    recorder.keep_journal("failed", run)


def whole(recorder):
    """A run of all weights, which leaves a model."""
    run = recorder.run(
        train__weights="all", model__precision="fp32", train__learning_rate=1e-3
    )
    with engine("train", run.path) as process:
        process.end()
    recorder.keep_journal("whole", run)


def patient(recorder):
    """A run that ends when it measures no better, at a rate at which it soon does."""
    run = recorder.run(
        train__max_steps=40,
        train__eval_steps=2,
        train__patience=2,
        train__save_steps=0,
        train__learning_rate=0.05,
        train__schedule="constant",
    )
    with engine("train", run.path) as process:
        process.end()
    recorder.keep_journal("patient", run)


def estimated(recorder, run):
    clashing = recorder.run(model__precision="bf16", lora__rank=4)
    card = ("--card-bytes", str(12 << 30), "--capability", "8.9")
    also = ("--also", clashing.recipe_path)
    recorder.keep_wire(
        "estimated", "estimate-memory", run.recipe_path, recorder.model, *also, *card
    )


def drafted(recorder):
    document = recorder.folder / "tower.txt"
    document.write_text("The lamp of the tower can be seen from far away.\n")
    out = recorder.folder / "drafts.jsonl"
    order = ("--document", document, "--model", recorder.model)
    recorder.keep_wire("drafted", "make-data", out, *order)


def inspected(recorder):
    # Progress is told of large files alone, and is in other streams.
    recorder.keep_wire(
        "inspected", "inspect-data", recorder.data, "--model", recorder.model
    )


def fixed(recorder):
    new = recorder.folder / "fixed.jsonl"
    codes = "data.too-long,data.duplicate"
    order = ("--model", recorder.model, "--codes", codes, "--out", new)
    recorder.keep_wire("fixed", "fix-data", recorder.data, *order)


def shown(recorder):
    """A row that is shown, and the one that is no JSON."""
    broken = recorder.data.read_bytes().index(b"not json")
    lines = []
    with engine("show-rows", recorder.data, "--model", recorder.model) as process:
        for order, (line, place) in enumerate([(1, 0), (41, broken)]):
            row = ShowRow(order=order, line=line, place=place, length=512)
            process.order(row)
            lines.append(encode(process.listen_until(RowShown | RowNotShown)))
        hello = encode(process.events[0])
    recorder.keep("shown", [hello, *lines])


def combined(recorder, run):
    """An adapter of two runs."""
    other = recorder.run(train__max_steps=4)
    with engine("train", other.path) as process:
        process.end()
    order = ("--weights", "0.7,0.3", "--out", recorder.folder / "combined")
    recorder.keep_wire("combined", "combine", run.path, other.path, *order)


def chatted(recorder, run):
    """Three voices, one of which isn't there."""
    words = ("base", "checkpoint-999", "adapter")
    asked = [Asked(voice=word, turns=[("user", "Which?")]) for word in words]
    with engine("chat", run.path) as process:
        process.order(Ask(order=0, asked=asked, max_new_tokens=8))
        process.listen_until(AllAnswered)
        process.order(Stop())
        process.end()
    recorder.keep("chatted", [encode(event) for event in process.events])


def fetched(recorder):
    files = {f"{split}.jsonl": recorder.good for split in ("train", "test")}
    with hub(Shelf(sets={"someone/chats": files})) as address:
        around = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        around["HF_HOME"] = str(recorder.folder / "hf")
        recorder.keep_wire("fetched", "fetch-data", "hub:someone/chats", **around)


def pushed(recorder, folder):
    """The merged model of an export goes to a hub."""
    played_hub = PlayedHub("hf_ofNobodyWhoEverWasAnywhere")
    with played(played_hub) as address:
        around = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        around |= {"HF_HOME": str(recorder.folder / "hf"), "HF_TOKEN": played_hub.token}
        to = ("--to", "me/cheesemonger")
        recorder.keep_wire("pushed", "push", folder, *to, **around)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SNUGTUNE_HOME"] = str(Path(folder) / "home")
        recorder = Recorder(Path(folder))
        run = finished(recorder)
        stopped(recorder)
        paused(recorder)
        killed(recorder)
        resumed(recorder)
        whole(recorder)
        patient(recorder)
        adapted(recorder)
        judged(recorder)
        adaptive(recorder)
        failed(recorder)
        recorder.keep_wire("merged", "merge", run.path, "--out", run.merged_path)
        compared = ("verify", run.merged_path, "--run", run.path)
        recorder.keep_wire("verified", *compared)
        out = recorder.folder / "exported"
        kinds = ("--to", "adapter", "--to", "merged")
        recorder.keep_wire("exported", "export", run.path, *kinds, "--out", out)
        pushed(recorder, out / "merged")
        combined(recorder, run)
        recorder.keep_wire("evaluated", "evaluate", run.path)
        recorder.keep_wire("generated", "generate", run.path, "--prompt", "Which?")
        chatted(recorder, run)
        drafted(recorder)
        estimated(recorder, run)
        recorder.keep_wire(
            "measured", "measure-memory", run.recipe_path, recorder.model
        )
        recorder.keep_wire("prepared", "prepare-model", recorder.model)
        recorder.keep_wire("diagnosed", "doctor")
        inspected(recorder)
        fixed(recorder)
        shown(recorder)
        fetched(recorder)


if __name__ == "__main__":
    main()
