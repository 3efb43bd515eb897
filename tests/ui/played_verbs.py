"""Plays an engine that exports, pushes, answers, drafts and evaluates, for tests.

Run as a script with a verb and its arguments, as the engine is; nothing of it loads
torch. A prompt of "fail" fails, one of "wait" waits to be ended.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

CERTIFICATE = {
    "run": "cheesemonger-1",
    "limits": {
        "agreement": 0.98,
        "mean_kl": 0.002,
        "lost": 0.02,
        "perplexity_ratio": 1.02,
    },
    "distance": {
        "tokens": 1204,
        "agreement": 0.998,
        "mean_kl": 0.00031,
        "worst_kl": 0.01,
        "trained_perplexity": 3.25,
        "exported_perplexity": 3.252,
    },
    "answers": [
        {"prompt": "Brie?", "trained": "Aye.", "exported": "Aye."},
        {"prompt": "Feta?", "trained": "Aye.", "exported": "No."},
    ],
}


def say(**event: object) -> None:
    line = json.dumps({"at": datetime.now(UTC).isoformat(), **event}).encode() + b"\n"
    os.write(1, line)


def export(given: argparse.Namespace) -> int:
    """An export that is proven, unless PLAYED_EXPORT says differs, fails or waits."""
    way = os.environ.get("PLAYED_EXPORT", "")
    say(event="phase", phase="loading-model")
    say(event="progress", stage="Merging the weights", done=1, total=2, unit="MiB")
    while way == "waits":
        time.sleep(0.05)
    if way == "fails" or (given.out.exists() and not given.overwrite):
        say(event="failed", kind="export.place-taken", message="It is there already.")
        return 10
    makers = {"adapter": export_adapter, "merged": export_merged}
    made = [
        makers[kind](given.out, given.dtype, way)
        if kind in makers
        else export_form(given.out, kind, way)
        for kind in given.to
    ]
    say(event="exported", path=str(given.out), artefacts=made)
    return 0


def export_adapter(out: Path, _dtype: str, _way: str) -> dict[str, object]:
    folder = out / "adapter"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    told = {"kind": "adapter", "form": "", "size_bytes": 2}
    return {**told, "path": str(folder)}


def export_merged(out: Path, dtype: str, way: str) -> dict[str, object]:
    proven = way != "differs"
    folder = out / ("merged" if proven else "merged-differs")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "snugtune.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"\0" * (2 << 20))
    finding = {"code": "parity.lost", "what": "12.0% is lost again.", "why": "So."}
    report = {**CERTIFICATE, "proven": proven, "format": dtype}
    report["findings"] = [] if proven else [finding]
    text = json.dumps(report)
    (folder / "parity.json").write_text(text, encoding="utf-8")
    told = [{**finding, "severity": "error"}] if not proven else []
    return {
        "kind": "merged",
        "form": dtype,
        "path": str(folder),
        "size_bytes": 2 << 20,
        "is_proven": proven,
        "report": str(folder / "parity.html"),
        "findings": told,
    }


def export_form(out: Path, kind: str, way: str) -> dict[str, object]:
    """A form of an exporter's; PLAYED_EXPORT names the one that differs."""
    exporter, form = kind.split(":")
    proven = way != form
    folder = out / (f"{exporter}-{form}" + ("" if proven else "-differs"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "snugtune.json").write_text("{}", encoding="utf-8")
    (folder / f"model.{exporter}").write_bytes(b"\0" * (1 << 20))
    finding = {"code": "parity.lost", "what": "It rounds too much.", "why": "So."}
    found = [] if proven else [finding]
    report = {**CERTIFICATE, "proven": proven, "format": form, "findings": found}
    report["distance"] = {**CERTIFICATE["distance"], "tokens": 900, "mean_kl": 0.0009}
    text = json.dumps(report)
    (folder / "model.parity.json").write_text(text, encoding="utf-8")
    return {
        "kind": exporter,
        "form": form,
        "path": str(folder),
        "size_bytes": 1 << 20,
        "is_proven": proven,
        "report": str(folder / "model.parity.html"),
        "findings": [{**each, "severity": "error"} for each in found],
    }


def generate(given: argparse.Namespace) -> int:
    who = "Base" if given.base else "Tuned"
    say(event="phase", phase="loading-model")
    if given.prompt == "fail" and not given.base:
        say(event="failed", kind="model.gone", message="The model is gone.")
        return 10
    while given.prompt == "wait":
        time.sleep(0.05)
    say(event="phase", phase="sampling")
    say(event="generated", prompt=given.prompt, text=f"{who} says {given.prompt}")
    return 0


def make_data(given: argparse.Namespace) -> int:
    document = given.document[0]
    say(event="phase", phase="drafting")
    say(event="progress", stage="Drafting", done=1, total=4, unit="passages")
    if document.name == "fail.txt":
        say(event="failed", kind="address.failed", message="Nobody answers.")
        return 1
    while document.name == "wait.txt":
        time.sleep(0.05)
    rows = [draft(document, n) for n in range(3)]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with given.out.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    told = {"passages": 3, "left": 0, "drafts": 2, "refused": {"has no answer": 1}}
    say(event="drafts-made", path=str(given.out), **told)
    return 0


def fetch_data(given: argparse.Namespace) -> int:
    say(event="progress", stage="Fetching the rows", done=2, total=4, unit="rows")
    if "gone" in given.name:
        say(event="failed", kind="hub.unknown", message="The hub has no such set.")
        return 10
    while "wait" in given.name:
        time.sleep(0.05)
    path = Path(os.environ["PLAYED_FETCH"])
    path.write_text('{"question": "Why?", "answer": "So."}\n' * 4, encoding="utf-8")
    told = {"path": str(path), "name": given.name, "rows": 4, "size_bytes": 9}
    say(event="data-fetched", **told)
    return 0


def push(given: argparse.Namespace) -> int:
    say(event="progress", stage="Sending the files", done=1, total=2, unit="bytes")
    if "gone" in given.to:
        say(event="failed", kind="hub.denied", message="The token has no right.")
        return 10
    while "wait" in given.to:
        time.sleep(0.05)
    told = {"path": str(given.artefact), "name": given.to, "branch": "main"}
    told |= {"address": f"https://hub/{given.to}", "commit": "0" * 40}
    flags = {"is_private": not given.public, "is_new": True, "was_there": False}
    sizes = {"files": 2, "size_bytes": 2, "sent_bytes": 2}
    say(event="pushed", **told, **flags, **sizes, token_from="a test")
    return 0


def evaluate(given: argparse.Namespace) -> int:
    from studio.domain.dataset import Kind
    from studio.domain.evaluation import (
        Change,
        Compared,
        Evaluation,
        Figure,
        Measure,
        Said,
        Seen,
        Terms,
        Voice,
    )
    from studio.storage.evaluations import FOLDER, free_name, write_evaluation

    name = given.data.name if given.data else ""
    say(event="phase", phase="evaluating")
    say(event="progress", stage="Base: answers", done=1, total=3, unit="answers")
    if name == "fail.jsonl":
        say(event="failed", kind="data.none", message="Nothing to measure with.")
        return 10
    while name == "wait.jsonl":
        time.sleep(0.05)
    change = Change(20.0, 10.0, 30.0)
    figures = {
        "base": {Measure.LOSS: Figure(3.0), Measure.BLEU: Figure(10.0)},
        "tuned": {
            Measure.LOSS: Figure(2.0, Change(-1.0, -2.0, 0.5)),
            Measure.BLEU: Figure(30.0, change),
        },
    }
    shares = [(0.25, 0.5), (0.75, 0.25), (0.0, 1.0)]
    compared = [
        Compared(
            prompt=f"Question {n}?",
            references=(f"Answer {n}.",),
            lines=(n + 1,),
            seen=Seen.ROW if n == 1 else Seen.NEVER,
            said={
                "base": Said(text=f"Base {n}", rouge_l=base, loss=3.0),
                "tuned": Said(text=f"Tuned {n}", rouge_l=ours, is_exact=ours == 1.0),
            },
        )
        for n, (base, ours) in enumerate(shares)
    ]
    folder = given.run / FOLDER
    terms = Terms(max_new_tokens=given.max_new_tokens, lowercase=given.lowercase)
    evaluation = Evaluation(
        name=free_name(folder, str(given.data or "")),
        run=given.run.name,
        data=str(given.data or ""),
        kind=Kind.CHAT,
        inputs=3,
        of_inputs=9,
        rows=3,
        voices=tuple(Voice(n, n.title(), each) for n, each in figures.items()),
        compared=tuple(compared),
        findings=("1 of 3 inputs were trained on.",),
        terms=terms,
        when=time.time(),
    )
    path = write_evaluation(folder, evaluation)
    say(event="evaluated", report=str(path), page=str(path.with_suffix(".html")))
    return 0


def draft(document: Path, number: int) -> dict[str, object]:
    text = document.read_text(encoding="utf-8").strip()
    refused = {"refused": "has no answer"} if number == 2 else {}
    return {
        "messages": [
            {"role": "user", "content": f"Question {number}?"},
            {"role": "assistant", "content": "" if refused else f"Answer {number}."},
        ],
        "source": {
            "file": str(document),
            "line": 1,
            "passage_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "made_by": "Played",
            "made_at": "2026-01-01T00:00:00+00:00",
            **refused,
        },
        "review": "rejected" if refused else "open",
    }


def combine(given: argparse.Namespace) -> int:
    """An adapter of several runs, unless its place is taken; "wait" waits."""
    say(event="phase", phase="combining")
    say(event="progress", stage="Combining", done=1, total=2, unit="layers")
    while given.out.name == "wait":
        time.sleep(0.05)
    if given.out.exists():
        say(
            event="failed",
            kind="combine.place-taken",
            message="It is there already.",
            advice="Give it another name or folder, or add --overwrite.",
        )
        return 10
    (given.out / "adapter").mkdir(parents=True)
    doubt = {"code": "combine.precisions", "severity": "warning", "what": "NF4, BF16."}
    say(event="warned", finding=doubt)
    say(
        event="combined",
        path=str(given.out),
        adapter=str(given.out / "adapter"),
        how=given.how,
        rank=32,
        size_bytes=3,
        distance=0.0,
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    exporting = verbs.add_parser("export")
    exporting.add_argument("run", type=Path)
    exporting.add_argument("--to", action="append")
    exporting.add_argument("--out", type=Path, required=True)
    exporting.add_argument("--dtype", default="bf16")
    exporting.add_argument("--overwrite", action="store_true")
    exporting.add_argument("--as-trained", action="store_true")
    asking = verbs.add_parser("generate")
    asking.add_argument("run", type=Path)
    asking.add_argument("--prompt", required=True)
    asking.add_argument("--max-new-tokens", type=int, default=96)
    asking.add_argument("--base", action="store_true")
    making = verbs.add_parser("make-data")
    making.add_argument("out", type=Path)
    making.add_argument("--document", type=Path, action="append")
    making.add_argument("--model")
    making.add_argument("--address")
    making.add_argument("--api-model")
    making.add_argument("--questions", type=int)
    fetching = verbs.add_parser("fetch-data")
    fetching.add_argument("name")
    pushing = verbs.add_parser("push")
    pushing.add_argument("artefact", type=Path)
    pushing.add_argument("--to")
    pushing.add_argument("--public", action="store_true")
    pushing.add_argument("--accept-unproven", action="store_true")
    measuring = verbs.add_parser("evaluate")
    measuring.add_argument("run", type=Path)
    measuring.add_argument("--data", type=Path)
    measuring.add_argument("--rows", type=int)
    measuring.add_argument("--max-new-tokens", type=int)
    measuring.add_argument("--lowercase", action="store_true")
    combining = verbs.add_parser("combine")
    combining.add_argument("runs", type=Path, nargs="+")
    combining.add_argument("--out", type=Path, required=True)
    combining.add_argument("--how")
    for option in ("--weights", "--density", "--seed", "--rank"):
        combining.add_argument(option)
    given = parser.parse_args()
    say(event="hello", protocol=1, verb=given.verb, pid=os.getpid(), started_at=1.0)
    deeds = {"export": export, "generate": generate, "make-data": make_data}
    deeds |= {"fetch-data": fetch_data, "push": push, "evaluate": evaluate}
    deeds["combine"] = combine
    return deeds[given.verb](given)


if __name__ == "__main__":
    sys.exit(main())
