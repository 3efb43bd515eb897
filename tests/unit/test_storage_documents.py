import errno
import os
import tempfile
from pathlib import Path

import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe import RECIPE_VERSION, Recipe
from studio.storage.documents import (
    read_toml,
    write_bytes_atomically,
    write_toml_atomically,
)
from studio.storage.migrations import MIGRATIONS, current_version
from studio.storage.recipes import load_recipe, save_recipe


def refusal_of(path: Path, kind: str = "recipe") -> StudioError:
    with pytest.raises(StudioError) as refused:
        read_toml(path, kind)
    return refused.value


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_that_a_document_is_read_back_with_its_version(tmp_path):
    file = tmp_path / "new" / "project.toml"
    write_toml_atomically(file, "project", {"name": "Käse", "version": 99})
    assert read_toml(file, "project") == {"version": 1, "name": "Käse"}


def test_that_a_newer_document_is_refused_and_both_versions_are_named(tmp_path):
    finding = refusal_of(written(tmp_path / "r.toml", "version = 7\n")).finding
    assert finding.code == "document.newer"
    assert "version is 7" in finding.what
    assert "up to 1" in finding.what


@pytest.mark.parametrize("line", ["", "version = 0", "version = true", 'version = "1"'])
def test_that_a_document_without_a_usable_version_is_refused(tmp_path, line):
    finding = refusal_of(written(tmp_path / "r.toml", line)).finding
    assert finding.code == "document.version"
    assert "version = 1" in finding.how_to_fix


def test_that_an_older_document_goes_through_each_later_step(tmp_path, monkeypatch):
    steps = (
        lambda document: document | {"steps": ["one"]},
        lambda document: document | {"steps": [*document["steps"], "two"]},
    )
    monkeypatch.setitem(MIGRATIONS, "recipe", steps)
    assert current_version("recipe") == 3
    old = read_toml(written(tmp_path / "a.toml", "version = 1"), "recipe")
    assert old == {"version": 3, "steps": ["one", "two"]}
    half = written(tmp_path / "b.toml", 'version = 2\nsteps = ["zero"]')
    assert read_toml(half, "recipe")["steps"] == ["zero", "two"]


def test_that_the_recipes_own_version_is_the_stores():
    assert current_version("recipe") == RECIPE_VERSION


def test_that_a_missing_document_is_told_with_its_place(tmp_path):
    finding = refusal_of(tmp_path / "none.toml").finding
    assert finding.code == "document.missing"
    assert finding.where == str(tmp_path / "none.toml")


def test_that_malformed_toml_is_told_with_its_line(tmp_path):
    finding = refusal_of(written(tmp_path / "r.toml", "version = 1\nrank = =")).finding
    assert finding.code == "document.malformed"
    assert "line 2" in finding.what


def test_that_text_of_another_encoding_is_told(tmp_path):
    file = tmp_path / "r.toml"
    file.write_bytes('version = 1\nname = "Käse"'.encode("latin-1"))
    assert "not UTF-8" in refusal_of(file).finding.what


def test_that_a_byte_order_mark_is_accepted(tmp_path):
    file = tmp_path / "r.toml"
    file.write_bytes(b"\xef\xbb\xbfversion = 1\n")
    assert read_toml(file, "recipe") == {"version": 1}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk.full"),
        (errno.EDQUOT, "disk.full"),
        (errno.EROFS, "disk.read-only"),
        (errno.EACCES, "disk.read-only"),
        (errno.EIO, "disk.failed"),
    ],
)
@pytest.mark.parametrize("where", ["fsync", "replace", "mkstemp"])
def test_that_a_refused_write_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, number, code, where
):
    file = tmp_path / "kept.toml"
    write_bytes_atomically(file, b"old")

    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number))

    owner = {"fsync": os, "replace": Path, "mkstemp": tempfile}[where]
    monkeypatch.setattr(owner, where, refuse)
    with pytest.raises(StudioError) as refused:
        write_bytes_atomically(file, b"new")
    assert refused.value.finding.code == code
    assert refused.value.exit_code == ExitCode.DISK
    assert str(file) in str(refused.value)
    assert file.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.toml"]


def test_that_an_interrupted_write_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomically(tmp_path / "new.toml", b"new")
    assert list(tmp_path.iterdir()) == []


def test_that_a_recipe_is_saved_whole_and_read_back_the_same(tmp_path):
    recipe = Recipe().with_value("lora.rank", 8).with_value("data.prompts", ["Why?"])
    save_recipe(tmp_path / "recipe.toml", recipe)
    assert load_recipe(tmp_path / "recipe.toml") == recipe


def test_that_paths_of_a_recipe_are_taken_from_its_own_folder(tmp_path):
    (tmp_path / "model").mkdir()
    text = 'version = 1\n[model]\nname = "model"\n[data]\npath = "chats.jsonl"\n'
    recipe = load_recipe(written(tmp_path / "recipe.toml", text))
    assert recipe.data.path == str(tmp_path / "chats.jsonl")
    assert recipe.model.name == str(tmp_path / "model")


def test_that_a_models_name_that_is_no_folder_stays_a_name(tmp_path):
    text = 'version = 1\n[model]\nname = "owner/model"\n'
    recipe = load_recipe(written(tmp_path / "recipe.toml", text))
    assert recipe.model.name == "owner/model"


def test_that_an_unknown_key_is_told_with_the_recipes_file(tmp_path):
    file = written(tmp_path / "recipe.toml", "version = 1\n[lora]\nranc = 8\n")
    with pytest.raises(StudioError, match=r"recipe\.toml.*lora\.ranc"):
        load_recipe(file)


def test_that_a_folder_in_a_documents_place_is_named_as_one(tmp_path):
    with pytest.raises(StudioError) as refused:
        read_toml(tmp_path, "recipe")
    assert refused.value.exit_code is ExitCode.BAD_INPUT
    assert "folder" in refused.value.finding.what
    assert "recipe.toml" in refused.value.finding.how_to_fix
