"""Orders to a run from a terminal or a second window, played by a fake engine."""

import json
import subprocess
import time

import psutil
import pytest

from studio import cli
from studio.domain.errors import ExitCode, StudioError
from studio.domain.run import RunState
from studio.services import ordering
from studio.services.project_store import ensure_example
from studio.services.run_files import delete_run
from studio.services.run_journal import snapshot_of
from studio.storage.run_lock import held
from studio.system.processes import kill_group, own_group
from tests.services.conftest import fake_engine


@pytest.fixture
def run(home):
    example = ensure_example()
    return example.new_run(example.recipe)


@pytest.fixture
def started(run):
    """Starts an engine on the run, and waits for its first word."""
    processes = []

    def start(scene="steps"):
        process = subprocess.Popen(
            fake_engine(scene, run),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **own_group(),
        )
        processes.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_that_the_terminal_pauses_a_run_and_waits_for_it(run, started, capsys):
    started()
    assert cli.main(["pause", run.name, "--json"]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)
    assert said["state"] == "paused"
    assert snapshot_of(run).state is RunState.PAUSED


def test_that_the_terminal_stops_a_run(run, started, capsys):
    started()
    assert cli.main(["stop", str(run.path)]) == ExitCode.OK
    assert "Stopped after step" in capsys.readouterr().out


def test_that_a_run_that_is_over_takes_no_orders(run, started, capsys):
    started("normal").wait()
    assert cli.main(["pause", run.name]) == ExitCode.BAD_INPUT
    assert "is not running" in capsys.readouterr().err
    assert run.post_box.size() == 0


def test_that_cancelling_leaves_no_process_not_even_a_grandchild(run, started, capsys):
    process = started("family")
    leader = psutil.Process(process.pid)
    family = []
    while len(family) < 2:
        family = leader.children(recursive=True)
    assert cli.main(["cancel", run.name]) == ExitCode.OK
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    # Whoever lost its parent waits to be reaped by init, which a container may lack.
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
    assert "Cancelled." in capsys.readouterr().err
    assert snapshot_of(run).failure.code == "run.cancelled"


def test_that_a_leader_which_is_gone_still_has_its_group_ended(run, started):
    process = started("grandchild")
    told = iter(process.stdout.readline, b"")  # its child holds the pipe open
    pid = next(int(e["text"]) for e in map(json.loads, told) if e["event"] == "log")
    process.wait()
    kill_group(snapshot_of(run).engine)
    with pytest.raises(StudioError):
        ordering.cancel(run)
    assert _ends(pid)


def test_that_a_run_whose_engine_is_still_silent_is_not_deleted(run, started):
    started("normal").wait()
    with held(run), pytest.raises(StudioError) as refused:
        delete_run(run)
    assert refused.value.finding.code == "run.still-going-on"
    delete_run(run)
    assert not run.path.exists()


def test_that_a_run_is_shown_whole(run, started, capsys):
    started("normal").wait()
    run.adapter_path.mkdir()
    (run.adapter_path / "adapter_model.safetensors").write_bytes(b"abc")
    assert cli.main(["show", run.name, "--json"]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["step"]) == ("finished", 5)
    assert said["engine_pid"] is None
    assert [each["step"] for each in said["losses"]] == [1, 2, 3, 4, 5]
    assert said["checkpoints"] == [{"step": 5, "path": "checkpoints/step-5"}]
    assert set(said["memory"]) == {"predicted", "actual"}
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert said["final"]["adapter_sha256"] == digest
    assert cli.main(["show", run.name]) == ExitCode.OK
    assert "finished" in capsys.readouterr().out


def test_that_a_live_run_tells_its_process(run, started, capsys):
    process = started()
    assert cli.main(["show", run.name, "--json"]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)
    assert said["engine_pid"] == process.pid
    assert said["final"] is None


def _ends(pid):
    """Whether a process is gone within seconds, or but waits to be reaped."""
    for _ in range(100):
        if not psutil.pid_exists(pid):
            return True
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False
