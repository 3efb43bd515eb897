"""What the recording of the machine tells of a run that is over."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from studio.cli import reports
from studio.domain.finding import warning
from studio.domain.hardware import GIB
from studio.domain.recipe import Recipe
from studio.domain.run import RunState
from studio.domain.spill import SETTING, SPILLED
from studio.protocol.codec import encode
from studio.protocol.events import Hello, PhaseChanged, RunFinished, StepFinished
from studio.protocol.machine_sample import MachineSample, encode_sample
from studio.services.machine_record import summary_of, with_machine
from studio.services.project_store import create_project
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from studio.ui.pages.run.endings import ending_of
from studio.ui.pages.run.happenings import happenings

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
CARD = 12 * GIB
HELLO = Hello(at=NOON, protocol=1, verb="train", pid=1, started_at=1.0, device="Card")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sample(seconds: float, free: float = 2, **more: object) -> MachineSample:
    figures = {"run_bytes": 9 * GIB, "temperature_c": 60, "power_w": 150.0}
    return MachineSample(
        at=at(seconds), total_bytes=CARD, free_bytes=round(free * GIB), **figures | more
    )


def a_run(tmp_path, step_seconds, samples, *, ends=True) -> RunDirectory:
    """A run of such steps, the first of which begins at 0."""
    run = RunDirectory.create(tmp_path, "notes", Recipe())
    now, lines = 0.0, [HELLO, PhaseChanged(at=at(0), phase="training")]
    for number, seconds in enumerate(step_seconds, 1):
        now += seconds
        told = {"step": number, "total": len(step_seconds), "epoch": 0.1, "loss": 1.0}
        lines.append(StepFinished(at=at(now), lr=1e-4, tokens_per_s=9.0, **told))
    if ends:
        lines.append(RunFinished(at=at(now), adapter="", steps=len(step_seconds)))
    run.journal_path.write_bytes(b"".join(map(encode, lines)))
    run.machine_path.write_bytes(b"".join(map(encode_sample, samples)))
    return run


def test_that_the_highest_figures_are_told_and_nothing_that_was_not_reported():
    told = summary_of(
        [
            sample(0, temperature_c=50, power_w=None, run_bytes=None),
            sample(1, free=1, temperature_c=71, power_w=212.4),
            sample(2, free=3, temperature_c=66, power_w=180.0, trouble="Lost."),
        ]
    )
    assert (told.hottest_c, told.most_power_w) == (71, 212.4)
    assert told.most_others_bytes == 2 * GIB
    assert (told.load, told.trouble) == (None, "Lost.")
    assert told.sentence() == (
        "The device reached 71 °C and 212 W. Everything else on it held up to 2.00 GiB."
    )
    nothing = {"run_bytes": None, "temperature_c": None, "power_w": None}
    assert summary_of([sample(0, **nothing)]).sentence() == ""


def test_that_shares_of_time_weigh_the_time_between_lines():
    told = summary_of(
        [
            sample(0, utilization=0.0, throttle=("heat",)),
            sample(1, utilization=0.5),
            sample(9, utilization=1.0, throttle=("power limit",)),
            sample(10_000, utilization=1.0),
        ]
    )
    # 1, 1, 8 seconds, and ten at most of a gap that nobody watched.
    assert told.load == pytest.approx((0.5 + 8 + 10) / 20)
    assert dict(told.held_back) == pytest.approx({"power limit": 0.4, "heat": 0.05})
    assert told.sentence().startswith(
        "The device reached 60 °C and 150 W, was busy 92 % of the time, was held back "
        "by power limit for 40 % and was held back by heat for 5 %."
    )


def test_that_a_run_that_ended_is_told_with_its_machine_and_one_that_goes_on_is_not(
    tmp_path,
):
    ended = snapshot_of(a_run(tmp_path, [1.0] * 3, [sample(0), sample(2)]))
    assert ended.machine.hottest_c == 60
    assert "reached 60 °C and 150 W" in ending_of(ended).text
    run = a_run(tmp_path, [1.0] * 3, [sample(0)], ends=False)
    going_on = replace(ended, state=RunState.RUNNING, machine=None)
    assert with_machine(going_on, run).machine is None


def test_that_a_run_without_a_recording_is_told_as_before(tmp_path):
    run = a_run(tmp_path, [1.0] * 3, [])
    assert snapshot_of(run).machine is None
    run.machine_path.unlink()
    assert snapshot_of(run).machine is None
    assert "The device" not in ending_of(snapshot_of(run)).text


USUAL, SLOW = [1.0] * 8, [4.0] * 4


def recording(platform: str, free: float) -> list[MachineSample]:
    return [sample(second, free=free, platform=platform) for second in range(24)]


@pytest.mark.parametrize("platform", ["WSL", "Windows"])
def test_that_a_run_which_spilled_is_found_out_from_its_recording(tmp_path, platform):
    told = snapshot_of(a_run(tmp_path, [*USUAL, *SLOW], recording(platform, 0.1)))
    (finding,) = told.findings
    assert finding.code == SPILLED
    assert "4.0 s in place of 1.0 s" in finding.what
    assert SETTING in finding.how_to_fix
    assert any("spill" in each.words for each in happenings(told))


@pytest.mark.parametrize(
    ("platform", "free", "steps"),
    [
        ("", 0.1, [*USUAL, *SLOW]),
        ("WSL", 4, [*USUAL, *SLOW]),
        ("WSL", 0.1, [*USUAL, 4.0, *USUAL]),
    ],
    ids=["a driver that refuses", "a card with room", "one slow step"],
)
def test_that_one_sign_alone_is_no_spill(tmp_path, platform, free, steps):
    run = a_run(tmp_path, steps, recording(platform, free))
    assert snapshot_of(run).findings == ()


def test_that_a_spill_which_the_run_told_itself_is_told_once(tmp_path):
    run = a_run(tmp_path, [*USUAL, *SLOW], recording("WSL", 0.1))
    known = warning(SPILLED, "It spilled.")
    bare = replace(snapshot_of(run), machine=None, findings=(known,))
    assert with_machine(bare, run).findings == (known,)


def test_that_the_command_line_lists_the_highest_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    project = create_project("Notes")
    a_run(project.directory / "runs", [*USUAL, *SLOW], recording("WSL", 0.1))
    a_run(project.directory / "runs", USUAL, [])
    reports.runs(json=False)
    said = capsys.readouterr().out
    assert "60 °C, 150 W" in said
    reports.runs(json=True)
    with_one, without = sorted(
        json.loads(capsys.readouterr().out), key=lambda run: run["run"]
    )
    assert with_one["machine"]["hottest_c"] == 60
    assert with_one["machine"]["most_others_bytes"] == pytest.approx(2.9 * GIB)
    assert "seems to spill" in with_one["findings"][0]
    assert (without["machine"], without["findings"]) == (None, [])
