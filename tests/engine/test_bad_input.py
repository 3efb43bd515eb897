"""What a user gets wrong: one sentence, the right exit code, nothing half-written."""

import json
from types import SimpleNamespace

import pytest

from studio.domain.errors import ExitCode
from studio.domain.recipe import Recipe
from studio.engine import verbs
from studio.protocol.events import Hello, RunFailed
from studio.storage.recipes import save_recipe
from studio.storage.run_directory import RunDirectory
from tests.engine.helpers import new_run, recipe_for, train


def assert_refused(code, events, run, *words):
    failed = events[-1]
    assert code not in {ExitCode.OK, ExitCode.FAILED}
    assert isinstance(failed, RunFailed)
    said = f"{failed.message} {failed.advice}"
    for word in words:
        assert word in said, said
    assert "Traceback" not in said
    left = {entry.name for entry in run.path.iterdir()}
    left -= {"machine.jsonl", ".lock"}  # a lock says nothing by itself
    assert left == {"recipe.toml", "events.jsonl"}
    assert list(run.events()) == events


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no such data file", "Check the path"]),
        (b"", ["no rows"]),
        (b"\n\n", ["no rows"]),
        (b"neither\nof these\n", ["line 1 is not valid JSON"]),
        (b'[{"messages": []}', ["breaks off"]),
        (b'{"messages": []}\n', ["no messages"]),
        (b'{"sum": 3}\n', ["in no form that is known", "sum"]),
        (b"\xff\xfe\x00", ["not UTF-8"]),
    ],
    ids=["missing", "empty", "blank", "malformed", "torn", "void", "other", "bytes"],
)
def test_that_bad_data_is_refused_in_words(tmp_path, tiny_model, content, words):
    data = tmp_path / "rows.jsonl"
    if content is not None:
        data.write_bytes(content)
    run = new_run(tmp_path / "runs", recipe_for(tiny_model, data))
    assert_refused(*train(run), run, "rows.jsonl", *words)


def test_that_no_data_at_all_is_refused(tmp_path, tiny_model):
    recipe = recipe_for(tiny_model, "x").with_value("data.path", "")
    run = new_run(tmp_path / "runs", recipe)
    assert_refused(*train(run), run, "data.path")


def test_that_a_folder_that_is_no_model_is_refused(tmp_path, chat_file):
    (tmp_path / "pictures").mkdir()
    run = new_run(tmp_path / "runs", recipe_for(tmp_path / "pictures", chat_file))
    assert_refused(*train(run), run, "pictures", "no config.json")


def test_that_a_model_of_no_known_kind_is_refused(tmp_path, chat_file):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "abacus"}))
    (folder / "model.safetensors").write_bytes(b"")
    run = new_run(tmp_path / "runs", recipe_for(folder, chat_file))
    assert_refused(*train(run), run, "odd", "can't be loaded")


def test_that_a_model_that_is_not_here_is_refused(tmp_path, chat_file, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    run = new_run(tmp_path / "runs", recipe_for("someone/some-model", chat_file))
    assert_refused(*train(run), run, "some-model", "not on this machine")


def test_that_a_name_that_nobody_knows_is_refused(tmp_path, chat_file):
    run = new_run(tmp_path / "runs", recipe_for("no such thing", chat_file))
    assert_refused(*train(run), run, "no such thing", "Choose")


def test_that_contradictions_are_refused_with_both_keys(
    tmp_path, tiny_model, chat_file
):
    recipe = recipe_for(tiny_model, chat_file, data__held_out=0.0, train__eval_steps=5)
    run = new_run(tmp_path / "runs", recipe)
    assert_refused(*train(run), run, "train.eval_steps", "data.held_out")


def test_that_a_sequence_without_answers_is_refused(tmp_path, tiny_model, chat_file):
    recipe = recipe_for(tiny_model, chat_file, train__sequence_length=16)
    run = new_run(tmp_path / "runs", recipe)
    assert_refused(*train(run), run, "nothing to learn", "train.sequence_length")


def test_that_a_run_is_trained_once(tmp_path, tiny_model, chat_file):
    run = new_run(tmp_path / "runs", recipe_for(tiny_model, chat_file))
    assert train(run)[0] is ExitCode.OK
    code, events = train(run)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "run.trained"


def test_that_a_folder_that_is_no_run_is_refused(tmp_path):
    code, events = train(SimpleNamespace(path=tmp_path))
    assert code is ExitCode.BAD_INPUT
    assert "no recipe.toml" in events[-1].message
    assert list(tmp_path.iterdir()) == []


def test_that_a_torn_recipe_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text('version = 1\n[train]\nseed = "')
    code, events = train(SimpleNamespace(path=tmp_path))
    assert code is ExitCode.BAD_INPUT
    assert isinstance(events[0], Hello)
    assert "recipe.toml" in events[-1].message


def test_that_an_unforeseen_fault_is_told_and_its_trace_is_in_the_log(
    tmp_path, tiny_model, chat_file, monkeypatch, capfd
):
    def burst(*_):
        raise ZeroDivisionError("a pipe burst")

    run = new_run(tmp_path / "runs", recipe_for(tiny_model, chat_file))
    monkeypatch.setitem(verbs.VERBS, "train", burst)
    code, events = train(run)
    assert code is ExitCode.FAILED
    assert events[-1].kind == "internal"
    assert "ZeroDivisionError: a pipe burst" in events[-1].message
    assert "in burst" in capfd.readouterr().err


def test_that_a_journal_that_cant_be_written_is_told_on_the_wire(tmp_path, tiny_model):
    run = RunDirectory(tmp_path)
    save_recipe(run.recipe_path, Recipe())
    run.journal_path.mkdir()
    code, events = train(run)
    assert code is ExitCode.DISK
    assert "events.jsonl" in events[-1].message
