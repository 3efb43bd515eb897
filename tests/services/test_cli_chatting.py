"""`snugtune chat`, its engine played."""

import io
import json
import os
import signal
import subprocess
import sys

import pytest

from studio.cli import main
from studio.domain.chatting import Voice
from studio.domain.errors import ExitCode, StudioError
from studio.services import conversing
from studio.services.conversing import ChatSource, sources_in
from studio.services.project_store import ensure_example
from tests.services.conftest import fake_engine
from tests.ui.run_stories import finished_run


@pytest.fixture
def run(home):
    return finished_run(ensure_example())


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """What the engine was started with; it is played."""
    started = []

    def command(verb, *arguments):
        started.append((verb, *arguments))
        return fake_engine("talks")

    monkeypatch.setattr(conversing, "engine_command", command)
    return started


def piped(monkeypatch, *lines):
    text = "".join(f"{line}\n" for line in lines)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_that_base_and_adapter_answer_a_prompt(run, asked, capsys):
    assert main(["chat", run.name, "--prompt", "Which?"]) == ExitCode.OK
    assert asked == [("chat", str(run.path))]
    assert capsys.readouterr().out == (
        "Base: base heard Which? behind 0 \nAdapter: adapter heard Which? behind 0 \n"
    )


def test_that_a_single_voice_speaks_without_its_name(run, capsys):
    code = main(["chat", run.name, "--voice", "adapter", "--prompt", "Which?"])
    assert code == ExitCode.OK
    assert capsys.readouterr().out == "adapter heard Which? behind 0 \n"


def test_that_lines_that_are_piped_in_are_one_talk(run, capsys, monkeypatch):
    piped(monkeypatch, "One?", "", "Two?", "/new", "Three?")
    assert main(["chat", run.name, "--voice", "base"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "base heard One? behind 0 ",
        "base heard Two? behind 2 ",
        "base heard Three? behind 0 ",
    ]


def test_that_prompts_follow_each_other_behind_a_system_message(run, capsys):
    code = main(
        [
            *("chat", run.name, "--voice", "base", "--system", "Be brief."),
            *("--prompt", "One?", "--prompt", "Two?", "--json"),
        ]
    )
    assert code == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert told["system"] == "Be brief."
    said = [each["answers"][0]["text"] for each in told["rounds"]]
    assert said == ["base heard One? behind 1", "base heard Two? behind 3"]


@pytest.mark.parametrize("name", ["talk.md", "talk.json"])
def test_that_a_talk_is_saved(run, tmp_path, capsys, name):
    file = tmp_path / name
    arguments = ["chat", run.name, "--prompt", "Which?", "--save", str(file)]
    assert main(arguments) == ExitCode.OK
    said = file.read_text(encoding="utf-8")
    if name.endswith("json"):
        assert json.loads(said)["rounds"][0]["question"] == "Which?"
    else:
        assert "### Adapter\n\nadapter heard Which? behind 0\n" in said
    before = file.read_bytes()
    assert main(arguments) == ExitCode.BAD_INPUT
    assert "already" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_that_a_refused_voice_decides_the_exit_code_and_others_answer(run, capsys):
    code = main(["chat", run.name, "--prompt", "refuse"])
    assert code == ExitCode.OUT_OF_MEMORY
    said = capsys.readouterr()
    assert "Error: Full." in said.err
    assert said.out == "Adapter: adapter heard refuse behind 0 \n"


def test_that_an_engine_that_fails_ends_the_command_in_its_words(run, capsys):
    assert main(["chat", run.name, "--prompt", "fail"]) == ExitCode.BAD_INPUT
    assert "The model is gone." in capsys.readouterr().err
    assert main(["chat", run.name, "--prompt", "die"]) == ExitCode.FAILED
    assert "without a word" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--voice", "checkpoint-3"], "has no checkpoint-3"),
        (["--voice", "nobody"], "is no voice"),
        (["--temperature", "9"], "Temperature can’t be 9"),
    ],
)
def test_that_what_can_not_be_asked_is_refused_before_an_engine_starts(
    run, asked, capsys, arguments, words
):
    code = main(["chat", run.name, "--prompt", "Which?", *arguments])
    assert code == ExitCode.BAD_INPUT
    assert words in " ".join(capsys.readouterr().err.split())
    assert asked == []


def test_that_a_model_is_a_voice_alone(tmp_path, capsys):
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    source = ChatSource.of(str(folder))
    assert source.voices == (Voice.of("model"),)
    with pytest.raises(StudioError, match="has no base"):
        source.chosen(["base"])
    assert main(["chat", str(folder), "--prompt", "Which?"]) == ExitCode.OK
    assert capsys.readouterr().out == "model heard Which? behind 0 \n"


def test_that_a_name_of_neither_run_nor_model_is_refused(home, capsys):
    assert main(["chat", "no-such", "--prompt", "Which?"]) == ExitCode.BAD_INPUT
    assert "no run and no model “no-such”" in capsys.readouterr().err


def test_that_only_runs_with_something_trained_are_listed(home):
    project = ensure_example()
    project.new_run(project.recipe)
    assert sources_in(project.directory) == ()
    run = finished_run(project)
    (found,) = sources_in(project.directory)
    assert (found.title, found.argument) == (run.name, str(run.path))
    words = [voice.word for voice in found.voices]
    assert words == ["base", "few-shot-3", "adapter"]
    assert found.chosen(["few-shot-9", "base", "base"]) == (
        Voice.of("few-shot-9"),
        Voice.of("base"),
    )


PROGRAM = """
import sys
from studio.cli import main
from studio.services import conversing
from tests.services.conftest import fake_engine

conversing.engine_command = lambda *_: fake_engine("talks")
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_that_a_terminal_is_talked_to_until_ctrl_d(run):
    terminal, inner = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "chat", run.name, "--voice", "base"],
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(inner)
    with child:
        os.write(terminal, b"One?\n\nTwo?\n\x04")
        out, error = child.communicate(timeout=60)
    os.close(terminal)
    assert child.returncode == ExitCode.OK, error
    said = [line for line in out.decode().splitlines() if "heard" in line]
    assert [line.lstrip("> ").rstrip() for line in said] == [
        "base heard One? behind 0",
        "base heard Two? behind 2",
    ]
    assert "Ctrl+D ends" in error.decode()


def test_that_ctrl_c_stops_the_answer_and_no_more(run):
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "chat", run.name, "--voice", "base"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with child:
        child.stdin.write(b"stop\n")
        child.stdin.flush()
        said = b""
        while not said.endswith(b"behind 0 "):
            said += child.stdout.read(100) or pytest.fail(child.stderr.read())
        assert said == b"base heard stop behind 0 "
        child.send_signal(signal.SIGINT)
        out, error = child.communicate(b"More?\n", timeout=60)
    assert child.returncode == ExitCode.OK, error
    assert out.decode() == "\nbase heard More? behind 2 \n"
    assert "Stopped." in error.decode()
