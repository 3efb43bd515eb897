"""What training teaches: BLEU on E2E restaurants, of base, few-shot and tuned model.

    python -m tests.bench.learning FOLDER [--set KEY=VALUE ...] [--every N] [--tuned]

FOLDER holds devset.csv and testset_w_refs.csv of the E2E NLG challenge (columns mr and
ref). The recipe is the one that `snugtune recommend` writes for this machine, and what
``--set`` changes; it is trained by `snugtune train`. Every Nth input of the test set is
answered greedily, and corpus BLEU is taken by sacrebleu over all references of each
input, lower-cased; with ``--tuned`` the untrained model isn't asked. The home folder is
a new one, so nothing of the user's is touched.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sacrebleu

MODEL = "SmolLM2-135M-Instruct"
MOST_TOKENS = 96
SHOTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--tuned", action="store_true", help="ask the tuned alone")
    options = parser.parse_args()
    asked = references_by_input(options.folder / "testset_w_refs.csv", options.every)
    with tempfile.TemporaryDirectory() as home:
        os.environ["SNUGTUNE_HOME"] = home
        run, seconds = trained(home, options.folder / "devset.csv", options.settings)
        report = {
            "inputs": len(asked),
            "seconds_to_train": round(seconds),
            "steps": run["steps"],
            "memory": run["memory"],
            "tuned": bleu(answered(run["directory"], list(asked)), asked),
        }
        if not options.tuned:
            examples = shots(options.folder / "devset.csv")
            report |= untrained(run["directory"], examples, asked)
    print(json.dumps(report, indent=1))


def untrained(folder: str, examples: str, asked: dict[str, list[str]]) -> dict:
    """What the base says, asked alone and behind examples."""
    few = {f"{examples}{mr}\n": mr for mr in asked}
    by_shots = answered(folder, list(few), "--base")
    return {
        "zero_shot": bleu(answered(folder, list(asked), "--base"), asked),
        "few_shot": bleu({few[p]: text for p, text in by_shots.items()}, asked),
    }


def references_by_input(path: Path, every: int) -> dict[str, list[str]]:
    """The references of every Nth distinct input, in the file's order."""
    grouped: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            grouped.setdefault(row["mr"], []).append(row["ref"])
    return {mr: grouped[mr] for mr in list(grouped)[::every]}


def shots(path: Path) -> str:
    """Examples in front of an input: the first sentence of each of some inputs."""
    grouped = references_by_input(path, 1)
    chosen = list(grouped)[:: max(1, len(grouped) // SHOTS)][:SHOTS]
    return "".join(f"{mr}\n{grouped[mr][0]}\n\n" for mr in chosen)


def trained(home: str, data: Path, settings: list[str]) -> tuple[dict, float]:
    recipe = Path(home) / "recommended.toml"
    output_of(
        "studio",
        *("recommend", "--model", MODEL, "--data", str(data), "-o", str(recipe)),
        *("--set", "data.columns=question={mr},answer=ref"),
    )
    began = time.monotonic()
    chosen = [word for setting in settings for word in ("--set", setting)]
    run = json.loads(output_of("studio", "train", str(recipe), *chosen, "--json"))
    return run, time.monotonic() - began


def answered(folder: str, prompts: list[str], *more: str) -> dict[str, str]:
    """Greedy answers by prompt, all asked of one engine."""
    asked = [word for prompt in prompts for word in ("--prompt", prompt)]
    most = ("--max-new-tokens", str(MOST_TOKENS))
    told = output_of("studio.engine", "generate", folder, *asked, *most, *more)
    events = map(json.loads, told.splitlines())
    return {e["prompt"]: e["text"] for e in events if e["event"] == "generated"}


def bleu(answers: dict[str, str], references: dict[str, list[str]]) -> float:
    """Corpus BLEU, lower-cased, over all references of each input."""
    most = max(map(len, references.values()))
    streams = [
        [refs[place] if place < len(refs) else None for refs in references.values()]
        for place in range(most)
    ]
    said = [" ".join(answers[mr].split()) for mr in references]
    return round(sacrebleu.corpus_bleu(said, streams, lowercase=True).score, 2)


def output_of(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
