"""Whether an export survives kills: it is killed at random moments.

    python -m tests.bench.killed_exports [--kills 50] [--seed 1]

Adapter, zip and merged model of a tiny run are exported in processes that are forked
from one that has loaded the libraries. Each is killed at a moment drawn from all that
an export passes: behind any file, behind any tensor, before and behind the comparison
and each rename. After each kill every artefact is either absent or whole, the merged
model with a certificate that proves it, and run and base are as they were; the next
process ends what was begun. Needs a system that forks.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

import torch

from tests.bench.killed_merges import carried_out, contents, make_run

ARTEFACTS = ("adapter", "adapter.zip", "merged")
PLACES = ("export", "merge", "save")


def exported(run, out, kill_at=0):
    """Export in a process of its own; see `carried_out`."""
    given = {"to": ["adapter", "merged"], "out": out, "dtype": "bf16", "form": ""}
    # What was whole before a kill makes room for itself.
    given |= {"overwrite": True, "even_if_different": False, "as_trained": False}
    order = argparse.Namespace(verb="export", run=run.path, **given)
    return carried_out(order, PLACES, kill_at)


def made(out):
    """The digest of each file, by artefact; those that are absent are left out."""
    found = {}
    for name in ARTEFACTS:
        place = out / name
        if place.is_dir():
            found[name] = contents(place)
        elif place.exists():
            found[name] = place.read_bytes()
    return found


def _wrong(out, expected, at):
    """What is there and not whole behind a kill."""
    for name, content in made(out).items():
        if content != expected[name]:
            yield f"half of {name} behind a kill at {at}"
    report = out / "merged" / "parity.json"
    if report.exists() and json.loads(report.read_text())["proven"] is not True:
        yield f"an unproven model behind a kill at {at}"


def _end(run, out, expected, places):
    """End what was begun, and say what is wrong with it and what was spared."""
    code, passed = exported(run, out)
    wrong = [] if code == 0 else [f"an export ended with {code}"]
    if made(out) != expected:
        wrong.append("an export ended with other bytes")
    left = [each.name for each in out.iterdir() if each.name not in ARTEFACTS]
    wrong += [f"{name} was left behind" for name in left]
    return wrong, places - passed


def campaign(kills, seed):
    """Kill exports at random moments.

    Returns:
        How many kills there were, how many exports ended whole behind them, how many
        places an export passes, how many weren't passed again, and what was wrong.
    """
    torch.set_num_threads(1)
    chance, wrong, whole, saved = random.Random(seed), [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SNUGTUNE_HOME"] = str(folder / "home")
        run, base = make_run(folder)
        code, places = exported(run, folder / "undisturbed")
        assert code == 0, f"the undisturbed export ended with {code}"
        expected = made(folder / "undisturbed")
        assert set(expected) == set(ARTEFACTS), "the undisturbed export isn't whole"
        source, own = contents(base), contents(run.path)
        done = 0
        while done < kills:
            out = folder / "out" / str(whole)
            for at in chance.sample(range(1, places + 1), chance.choice([1, 1, 2, 3])):
                code, _ = exported(run, out, at)
                done += code == -9
                wrong += _wrong(out, expected, at)
            more, spared = _end(run, out, expected, places)
            wrong, whole, saved = wrong + more, whole + 1, saved + spared
            if contents(base) != source or contents(run.path) != own:
                wrong.append("the base or the run was changed")
    told = {"kills": done, "exports": whole, "places": places, "saved": saved}
    return told, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found, wrong = campaign(given.kills, given.seed)
    print(json.dumps({**found, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
