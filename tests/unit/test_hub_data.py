"""Data sets of the hub by their names, and those that lie on this machine."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from studio.domain.errors import StudioError
from studio.domain.hub_names import HubName, is_hub_word
from studio.domain.recipe import Recipe
from studio.services.hub_data import with_data_here
from studio.services.launch import (
    FETCH_DATA,
    PUSH,
    engine_command,
    engine_environment,
    may_connect,
)
from studio.services.preflight import preflight
from studio.storage.chat_files import read_chats
from studio.storage.hub_data import (
    Origin,
    file_name_for,
    find_fetched,
    folder_for,
    write_origin,
)
from studio.storage.recipes import load_recipe, save_recipe
from studio.system.paths import hub_data_dir

FULL = HubName("me/set", "small", "train", "0123456789abcdef" * 2)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))


def keep(name=FULL, *, asked="", on=MONDAY):
    folder = folder_for(hub_data_dir(), name)
    folder.mkdir(parents=True)
    file = folder / file_name_for(name)
    file.write_bytes(b"")
    write_origin(
        folder,
        Origin(
            id=name.id,
            config=name.config,
            split=name.split,
            revision=name.revision,
            asked_revision=asked,
            fetched_at=on,
            file=file.name,
            rows=1,
            size_bytes=0,
            sha256="",
        ),
    )
    return file


@pytest.mark.parametrize(
    "word",
    [
        "hub:me/set",
        "hub:me/set:small",
        "hub:me/set#train",
        "hub:me-2/set.v1:20231101.en#train_sft@refs/convert/parquet",
    ],
)
def test_that_a_name_is_read_as_it_is_written(word):
    assert HubName.of(word).word() == word
    assert HubName.of(word.removeprefix("hub:")) == HubName.of(word)
    assert is_hub_word(word)


@pytest.mark.parametrize(
    "word",
    ["", "hub:", "hub:set", "me/../set", "hub:/etc/passwd", "buckets/x", "a/b/c"],
)
def test_that_other_words_are_refused(word):
    with pytest.raises(StudioError, match="names no data set"):
        HubName.of(word)


@pytest.mark.parametrize(
    "asked",
    [
        HubName("me/set"),
        HubName("Me/Set", "small"),
        HubName("me/set", revision=FULL.revision[:8]),
        FULL,
    ],
)
def test_that_a_fetched_set_is_found_by_every_name_that_means_it(asked):
    file = keep()
    assert find_fetched(hub_data_dir(), asked).path == file


@pytest.mark.parametrize(
    "asked",
    [
        HubName("me/other"),
        HubName("me/set", "large"),
        HubName("me/set", split="test"),
        HubName("me/set", revision="main"),
        HubName("me/set", revision="0123"),
    ],
)
def test_that_another_set_is_not_taken_for_it(asked):
    keep()
    assert find_fetched(hub_data_dir(), asked) is None


def test_that_the_newest_one_is_meant():
    keep()
    newer = replace(FULL, revision="f" * 40)
    file = keep(newer, on=datetime(2026, 2, 1, tzinfo=UTC))
    assert find_fetched(hub_data_dir(), HubName("me/set")).path == file


def test_that_a_recipe_names_what_was_fetched_as_a_file():
    recipe = Recipe().with_value("data.path", "hub:me/set")
    recipe = recipe.with_value("data.mix", ("hub:me/set#train=0.2", "b.jsonl=0.1"))
    assert with_data_here(recipe) == recipe
    file = keep()
    here = with_data_here(recipe)
    assert here.data.path == str(file)
    assert here.data.mix == (f"{file}=0.2", "b.jsonl=0.1")


def test_that_a_set_that_is_not_here_is_refused_with_the_way_to_it(tmp_path):
    recipe = Recipe().with_value("data.path", "hub:me/set")
    save_recipe(tmp_path / "recipe.toml", recipe)
    recipe = load_recipe(tmp_path / "recipe.toml")
    assert recipe.data.path == "hub:me/set"
    with pytest.raises(StudioError) as refused:
        read_chats(tmp_path.__class__(recipe.data.path))
    assert "snugtune data fetch hub:me/set" in refused.value.finding.how_to_fix
    place = refused.value.finding
    found = preflight(recipe, place, None, None)
    assert [f.code for f in found].count("data.not-fetched") == 2


VERBS = ("train", "export", "chat", "fetch-data", "push", "doctor")


def test_that_only_two_verbs_go_online_and_not_against_the_users_will(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    online = {verb for verb in VERBS if may_connect(engine_command(verb, "push"))}
    assert online == {FETCH_DATA, PUSH} == {"fetch-data", "push"}
    assert engine_environment(keep_running=False)["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in engine_environment(keep_running=False, online=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert engine_environment(keep_running=False, online=True)["HF_HUB_OFFLINE"] == "1"
