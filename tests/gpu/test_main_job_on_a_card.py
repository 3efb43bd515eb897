"""The main job on a card: it trains there, and says what it took."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.torch]


@pytest.fixture(scope="module")
def run(card, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-m", "studio", "demo", "--json"],
        env={**os.environ, "SNUGTUNE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def events_of(run, kind):
    journal = Path(run["directory"]) / "events.jsonl"
    events = map(json.loads, journal.read_text().splitlines())
    return [event for event in events if event["event"] == kind]


def test_that_the_run_says_which_card_it_trains_on(run, card):
    (hello,) = events_of(run, "hello")
    assert card in hello["device"]


def test_that_the_held_out_loss_falls_on_a_card(run):
    assert run["held_out_loss"]["after"] < run["held_out_loss"]["before"]


def test_that_memory_of_the_card_is_sampled(run):
    samples = events_of(run, "memory")
    assert samples
    for sample in samples:
        assert 0 < sample["allocated_bytes"] <= sample["reserved_bytes"]
        assert sample["reserved_bytes"] <= sample["device_used_bytes"]
