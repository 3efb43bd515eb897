"""Plays an engine that merges and answers, for tests of the Export page.

Run as a script with a verb and its arguments, as the engine is; nothing of it loads
torch. A prompt of "fail" fails, one of "wait" waits to be ended.
"""

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


def say(**event: object) -> None:
    line = json.dumps({"at": datetime.now(UTC).isoformat(), **event}).encode() + b"\n"
    os.write(1, line)


def merge(given: argparse.Namespace) -> int:
    if given.out.exists() and not given.overwrite:
        say(event="failed", kind="merge.exists", message="It is there already.")
        return 10
    say(event="phase", phase="loading-model")
    say(event="progress", stage="Tensors", done=1, total=2, unit="tensors")
    say(event="phase", phase="saving")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "config.json").write_text("{}", encoding="utf-8")
    (given.out / "model.safetensors").write_bytes(b"\0" * (2 << 20))
    say(event="merged", path=str(given.out), dtype=given.dtype, size_bytes=2 << 20)
    return 0


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


def main() -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    merging = verbs.add_parser("merge")
    merging.add_argument("run", type=Path)
    merging.add_argument("--out", type=Path, required=True)
    merging.add_argument("--dtype", default="bf16")
    merging.add_argument("--overwrite", action="store_true")
    asking = verbs.add_parser("generate")
    asking.add_argument("run", type=Path)
    asking.add_argument("--prompt", required=True)
    asking.add_argument("--max-new-tokens", type=int, default=96)
    asking.add_argument("--base", action="store_true")
    given = parser.parse_args()
    say(event="hello", protocol=1, verb=given.verb, pid=os.getpid(), started_at=1.0)
    return merge(given) if given.verb == "merge" else generate(given)


if __name__ == "__main__":
    sys.exit(main())
