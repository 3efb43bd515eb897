"""The real window, driven by clicks, with the real engine and the real small model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.torch, pytest.mark.slow]

DRIVER = Path(__file__).with_name("window_driver.py")
PATIENCE_S = 300


def open_window(machine, script, report):
    report.mkdir()
    return subprocess.Popen(
        [sys.executable, str(DRIVER), script, str(report)],
        env=machine.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"waited in vain for {what}")


def shorten_the_example(machine, steps):
    code = "from studio.services import project_store as store\n"
    code += f"store.ensure_example().set_value('train.max_steps', {steps})"
    subprocess.run([sys.executable, "-c", code], env=machine.environment(), check=True)


def engines_below(window):
    return [
        child
        for child in psutil.Process(window.pid).children(recursive=True)
        if "studio.engine" in " ".join(child.cmdline())
    ]


def journal_of(machine):
    (run,) = machine.run_directories()
    return (run / "events.jsonl").read_bytes()


@pytest.fixture
def training(machine, tmp_path):
    """A window in whose engine the example trains: (window, engine, report)."""
    report = tmp_path / "report"
    window = open_window(machine, "train_and_wait", report)
    try:
        wait_for((report / "training").exists, "a first step")
        (engine,) = engines_below(window)
        yield window, engine, report
    finally:
        for child in psutil.Process().children(recursive=True):
            child.kill()
        window.wait()
        window.stderr.close()


def test_that_the_whole_job_is_done_by_clicks(machine, tmp_path):
    report = tmp_path / "report"
    shorten_the_example(machine, 4)  # what 40 steps teach is test_main_job's to judge
    window = open_window(machine, "click_through", report)
    _, said = window.communicate(timeout=1500)
    assert window.returncode == 0, said
    seen = json.loads((report / "report.json").read_text())
    assert seen["fault"] == ""
    assert "Traceback" not in said
    (run,) = machine.run_directories()
    assert (run / "adapter" / "adapter_model.safetensors").is_file()
    (exported,) = map(Path, seen["exported"])
    assert run not in exported.parents, "it stays when the run is deleted"
    assert {place.name for place in exported.iterdir()} == {
        "adapter",
        "adapter.zip",
        "merged",
    }
    assert list((exported / "merged").glob("*.safetensors"))
    assert seen["verdict"] == "It says what was trained"
    assert "Cheesemonger" in seen["title"]
    assert len(seen["answers"]) == 4  # before and after; base and tuned
    assert all(answer.strip() for answer in seen["answers"])


def write_places(path):
    """A table of places and what is said of them, in columns nobody can know."""
    kinds = ("pub", "café", "tea room", "bistro")
    areas = ("by the river", "in the old town", "at the harbour")
    lines = ["mr,ref"]
    for number in range(24):
        kind, area = kinds[number % 4], areas[number % 3]
        lines.append(
            f'"name[House {number}], type[{kind}], area[{area}]",'
            f'"House {number} is a {kind} {area}."'
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_that_a_table_is_imported_mapped_checked_and_trained_by_clicks(
    machine, tmp_path, monkeypatch
):
    report, table = tmp_path / "report", write_places(tmp_path / "places.csv")
    monkeypatch.setenv("SNUGTUNE_TEST_TABLE", str(table))
    window = open_window(machine, "import_map_train", report)
    _, said = window.communicate(timeout=1500)
    assert window.returncode == 0, said
    seen = json.loads((report / "report.json").read_text())
    assert seen["fault"] == ""
    assert "Traceback" not in said
    run = next(run for run in machine.run_json("runs") if run["state"] == "finished")
    recipe = (Path(run["directory"]) / "recipe.toml").read_text()
    assert "question=Describe this place: {mr}" in recipe
    assert "Describe this place: name[House" in seen["data"]


def test_that_a_killed_engine_is_told_in_words_and_loses_nothing(machine, training):
    window, engine, report = training
    before = journal_of(machine)
    os.kill(engine.pid, signal.SIGKILL)
    wait_for((report / "told").exists, "the sentence")
    window.wait(PATIENCE_S)
    seen = json.loads((report / "report.json").read_text())
    assert "signal 9" in seen["words"]
    assert journal_of(machine).startswith(before[: before.rfind(b"\n") + 1])


def test_that_a_killed_window_leaves_no_engine_behind(machine, training):
    window, engine, _ = training
    os.kill(window.pid, signal.SIGKILL)
    psutil.wait_procs([engine], timeout=60)
    assert not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE


def test_that_a_run_which_shall_go_on_outlives_its_window(machine, tmp_path):
    report = tmp_path / "report"
    (machine.home / "config").mkdir()
    (machine.home / "config" / "preferences.toml").write_text(
        'version = 1\nkeep_running = "yes"\n'
    )
    shorten_the_example(machine, 4)
    window = open_window(machine, "train_and_close", report)
    wait_for((report / "training").exists, "a first step")
    (engine,) = engines_below(window)
    _, said = window.communicate(timeout=PATIENCE_S)
    assert window.returncode == 0, said
    assert engine.is_running()
    wait_for(lambda: not engine.is_running(), "the run's end")
    (run,) = machine.run_json("runs")
    assert run["state"] == "finished"
