"""start.py and check.py as they are called, and what they run things with."""

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import check
import pytest
import start
from check import Check, Verdict, report, run_check
from commands import CommandError, Commands
from console import Console, SetUpError, duration
from environment import Environment, clean_variables
from facts import Display
from lock import hold
from set_up import Ready, ask
from stand_ins import NO_GPU

INSTALLER = Path(__file__).parents[2] / "installer"
FACTS = Path(__file__).with_name("facts")


def run_start(*arguments, **variables):
    return subprocess.run(
        [sys.executable, INSTALLER / "start.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_that_a_dry_run_prints_the_plan_and_does_nothing(tmp_path):
    facts = FACTS / "rtx-4090-driver-580.json"
    prefix = tmp_path / "env"
    done = run_start("--dry-run", "--facts", facts, "--prefix", prefix)
    assert done.returncode == 0
    assert json.loads(done.stdout)["plan"]["torch"] == "2.13.0+cu130"
    assert not prefix.exists()


def test_that_a_dry_run_of_a_refused_machine_ends_with_two():
    done = run_start("--dry-run", "--facts", FACTS / "rtx-5090-driver-550.json")
    assert done.returncode == 2
    assert "550.163.01" in json.loads(done.stdout)["refusal"]["what"]


def test_that_a_dry_run_heeds_what_the_user_asks_for():
    done = run_start(
        "--dry-run",
        *("--facts", FACTS / "h100.json"),
        *("--torch", "cpu"),
        SNUGTUNE_TORCH_INDEX_URL="file:///srv/wheels",
    )
    plan = json.loads(done.stdout)["plan"]
    assert (plan["tag"], plan["index"]) == ("cpu", "file:///srv/wheels")


def test_that_a_dry_run_without_facts_looks_at_this_machine(tmp_path):
    done = run_start("--dry-run", "--torch", "cpu", "--prefix", tmp_path)
    assert done.returncode == 0
    machine = json.loads(done.stdout)["facts"]
    assert machine["python"] == sys.version.split()[0]


@pytest.mark.parametrize("content", ["{", '{"colour": "red"}'])
def test_that_facts_that_cannot_be_read_are_named(tmp_path, content):
    file = tmp_path / "facts.json"
    file.write_text(content)
    done = run_start("--dry-run", "--facts", file)
    assert done.returncode == 1
    assert "facts" in done.stderr
    assert "Traceback" not in done.stderr


def test_that_facts_of_another_machine_set_nothing_up(tmp_path):
    prefix = tmp_path / "env"
    done = run_start("--facts", FACTS / "h100.json", "--prefix", prefix)
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
    assert not prefix.exists()


def test_that_colour_codes_are_never_printed():
    done = run_start("--dry-run", "--facts", FACTS / "h100.json")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.fixture
def handed_over(monkeypatch):
    """Pretend that the set-up is done and catch what start.py turns into."""
    caught = []
    machine = {"facts": NO_GPU}

    def catch(program, command, variables):
        caught.append((program, command, variables))
        return 7

    monkeypatch.setattr(
        start,
        "set_up",
        lambda request, _: Ready(Environment(request.prefix), machine["facts"]),
    )
    monkeypatch.setattr(os, "execve", catch)
    return caught, machine


def test_that_without_a_display_the_example_runs_in_the_terminal(handed_over, tmp_path):
    caught, _ = handed_over
    assert start.main(["--prefix", str(tmp_path), "--steps", "3"]) == 7
    _, command, _ = caught[0]
    assert command[1:] == ["-m", "studio", "demo", "--steps", "3"]
    assert command[0] == str(tmp_path / "bin" / "python")


@pytest.mark.parametrize(
    ("arguments", "job"), [([], ["--example"]), (["--headless"], ["demo"])]
)
def test_that_with_a_display_the_window_opens_unless_headless(
    handed_over, monkeypatch, arguments, job
):
    caught, machine = handed_over
    machine["facts"] = dataclasses.replace(NO_GPU, display=Display.WAYLAND)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    start.main(arguments)
    _, command, variables = caught[0]
    assert command[3:] == job
    assert "PYTHONPATH" not in variables


def test_that_a_window_that_cannot_open_is_refused_with_the_line(handed_over, capsys):
    caught, machine = handed_over
    machine["facts"] = dataclasses.replace(
        NO_GPU,
        display=Display.X11,
        has_apt=True,
        missing_qt_libraries=("libxcb-cursor.so.0",),
    )
    assert start.main([]) == 1
    message = capsys.readouterr().err
    assert "sudo apt-get install libxcb-cursor0" in message
    assert "--headless" in message
    assert caught == []


def test_that_ctrl_c_ends_in_a_sentence(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "set_up", interrupt)
    assert start.main([]) == 130
    assert "Start again to go on" in capsys.readouterr().out


@pytest.mark.parametrize("script", ["start.py", "check.py"])
def test_that_an_old_python_is_told_what_is_needed(script, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    source = (INSTALLER / script).read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        exec(compile(source, script, "exec"), {"__name__": "__main__"})
    assert "needs Python 3.11 or later" in str(ended.value)


@pytest.mark.parametrize(
    ("typed", "agreed"), [("", True), ("y", True), ("n", False), (None, False)]
)
def test_that_a_question_is_asked_on_a_terminal_alone(monkeypatch, typed, agreed):
    def answer(_question):
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert ask("Go on?")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert ask("Go on?") is agreed


# check.py


@pytest.fixture
def this_python(tmp_path):
    """Return an environment whose Python is the one that runs the tests."""
    environment = Environment(tmp_path)
    environment.scripts.mkdir()
    environment.python.symlink_to(sys.executable)
    return environment


def run_one(environment, code, limit_s=30.0):
    out = io.StringIO()
    verdict = run_check(environment, Check("it", ("-c", code), limit_s), Console(out))
    return verdict, out.getvalue()


def test_that_a_check_shows_its_output_and_passes(this_python):
    verdict, said = run_one(this_python, "print('fine')")
    assert verdict.problem == ""
    assert "\nfine\n" in said
    assert re.search(r"== it passed in \d", said)


def test_that_a_check_runs_offscreen_and_without_a_terminal(this_python):
    code = "import os, sys; print(os.environ['QT_QPA_PLATFORM'], sys.stdin.read())"
    assert "\noffscreen \n" in run_one(this_python, code)[1]


def test_that_a_check_that_fails_says_its_exit_code(this_python):
    verdict, said = run_one(this_python, "raise SystemExit(3)")
    assert verdict.problem == "exit code 3"
    assert "== it failed" in said


def test_that_a_check_that_never_ends_is_ended_with_all_it_started(this_python):
    code = (
        "import subprocess, time;"
        "subprocess.Popen(['sleep', '60']); print('begun', flush=True); time.sleep(60)"
    )
    verdict, said = run_one(this_python, code, limit_s=3.0)
    assert verdict.problem == "ended after 3.0 s"
    assert "begun" in said


@pytest.mark.parametrize(
    ("closing", "counts"),
    [
        ("==== 12 passed in 3.40s ====", {"passed": 12}),
        (
            "= 1 failed, 2 passed, 3 skipped, 4 errors in 61.20s (0:01:01) =",
            {"failed": 1, "passed": 2, "skipped": 3, "error": 4},
        ),
        ("==== no tests ran in 0.01s ====", {}),
        ("5 passed in 0.1s", {"passed": 5}),
    ],
)
def test_that_pytests_closing_line_is_counted(this_python, closing, counts):
    verdict, _ = run_one(this_python, f"print('3 passed'); print({closing!r})")
    assert verdict.counts == counts


def reported(*verdicts):
    out = io.StringIO()
    code = report(verdicts, Console(out))
    return code, out.getvalue().splitlines()


def verdict(name, problem="", **counts):
    return Verdict(Check(name, (), 1.0), 2.0, problem, counts)


def test_that_the_last_line_sums_all_tests():
    code, lines = reported(
        verdict("lint"),
        verdict("tests", passed=90, skipped=2),
        verdict("bench", passed=4),
    )
    assert code == 0
    assert lines[-1] == "94 passed, 0 failed, 2 skipped"


def test_that_one_failure_fails_the_whole():
    code, lines = reported(
        verdict("lint", "exit code 1"), verdict("tests", passed=9, failed=1, error=1)
    )
    assert code == 1
    assert "Failed: lint." in lines
    assert lines[-1] == "9 passed, 2 failed"


def test_that_all_checks_run_after_one_failed(monkeypatch):
    ran = []

    def fail(_environment, one, _console):
        ran.append(one.name)
        return verdict(one.name, "exit code 1")

    monkeypatch.setattr(
        check, "set_up", lambda request, _: Ready(Environment(request.prefix), NO_GPU)
    )
    monkeypatch.setattr(check, "run_check", fail)
    assert check.main([]) == 1
    assert ran == ["lint", "format", "types", "imports", "tests", "bench"]
    ran.clear()
    check.main(["--only", "types", "--only", "lint"])
    assert ran == ["lint", "types"]


# commands, lock, console


def test_that_a_commands_output_goes_to_the_log_and_its_end_to_the_caller(tmp_path):
    log = tmp_path / "log"
    seen = []
    code = "print('\\n'.join(map(str, range(50))))"
    output = Commands(log)([sys.executable, "-c", code], progress=seen.append)
    assert output.splitlines()[-1] == "49"
    assert len(output.splitlines()) < 50
    assert seen[0] == "0"
    assert "\n0\n1\n" in log.read_text()
    assert "exit code 0" in log.read_text()


def test_that_a_failed_command_brings_its_last_lines(tmp_path):
    code = "import sys; print('no space left'); sys.exit(4)"
    with pytest.raises(CommandError, match="exit code 4") as error:
        Commands(tmp_path / "log")([sys.executable, "-c", code])
    assert error.value.output == "no space left"
    assert str(tmp_path / "log") in error.value.remedy
    assert error.value.text().startswith("no space left\nThe command")


def test_that_a_command_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(CommandError, match="could not be started: No such file"):
        Commands(tmp_path / "log")(["no-such-command-here"])


def test_that_misleading_variables_do_not_reach_a_command(tmp_path, monkeypatch):
    for name in ("PYTHONHOME", "UV_INDEX_URL", "PIP_TARGET"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    code = "import os; print(sorted(n for n in os.environ if n[:3] in ('PIP', 'UV_')))"
    output = Commands(tmp_path / "log")([sys.executable, "-c", code])
    assert "PIP_FIND_LINKS" in output
    assert "PIP_TARGET" not in output
    assert "UV_" not in output
    assert "PYTHONHOME" not in clean_variables(os.environ)


def test_that_a_second_set_up_waits_for_the_first(tmp_path):
    file = tmp_path / "setup.lock"
    out = io.StringIO()
    with hold(file, Console(io.StringIO())):
        with (
            pytest.raises(SetUpError, match="still at work"),
            hold(file, Console(out), patience_s=0.3),
        ):
            pass
        assert "Wait for another set-up" in out.getvalue()
    with hold(file, Console(), patience_s=0.0) as descriptor:
        assert descriptor > 0


def test_that_a_command_outliving_its_set_up_keeps_the_lock(tmp_path):
    file = tmp_path / "setup.lock"
    with hold(file, Console()) as descriptor:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    try:
        with (
            pytest.raises(SetUpError, match="still at work"),
            hold(file, Console(io.StringIO()), patience_s=0.3),
        ):
            pass
    finally:
        child.kill()
        child.wait()
    with hold(file, Console(), patience_s=0.0) as descriptor:
        assert descriptor > 0


def test_that_a_phase_is_one_line_with_its_time():
    out = io.StringIO()
    with Console(out).phase("Install torch") as phase:
        phase.progress("Collecting torch")
        phase.result = "by uv"
    assert re.fullmatch(
        r"Install torch \.\.\. done, \d+\.\d s: by uv\n", out.getvalue()
    )


def test_that_a_terminal_sees_progress_on_the_same_line(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    with Console(out).phase("Install torch") as phase:
        phase.progress("Collecting torch")
    text = out.getvalue()
    assert "\rInstall torch ... 0 s  Collecting torch" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (192, "3 min 12 s")]
)
def test_that_durations_read_well(seconds, words):
    assert duration(seconds) == words


def test_that_letters_a_terminal_lacks_are_replaced_not_fatal():
    bytes_written = io.BytesIO()
    out = io.TextIOWrapper(bytes_written, encoding="ascii")
    Console(out).say("Käse")
    assert bytes_written.getvalue() == b"K?se\n"
