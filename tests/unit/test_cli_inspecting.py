"""`snugtune inspect-model`: paths, hub ids and names of the list."""

import json

import pytest

from studio.cli import main
from studio.cli.inspecting import JSON_HELP
from tests.unit.test_storage_model_inspection import LLAMA, safetensors, tensors, write


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def snapshot(hub, hub_id, **files):
    folder = hub / f"models--{hub_id.replace('/', '--')}" / "snapshots" / "1"
    folder.mkdir(parents=True)
    return write(folder, config__json=LLAMA, **files)


def test_that_the_document_holds_what_the_help_promises(hub, capsys):
    folder = snapshot(hub, "me/tiny", model__safetensors=safetensors(tensors()))
    for name in (str(folder), "me/tiny"):
        assert main(["inspect-model", name, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["folder"] == str(folder)
        assert document["family"] == "llama"
        (finding,) = document["findings"]
        assert finding["code"] == "model.no-chat-template"
        for key in (*document, *finding):
            assert f'"{key}"' in JSON_HELP


def test_that_a_broken_download_in_the_cache_is_inspected_all_the_same(hub, capsys):
    snapshot(
        hub,
        "Qwen/Qwen3-8B",
        model__safetensors__index__json={"weight_map": {"w": "a.safetensors"}},
    )
    assert main(["inspect-model", "Qwen3-8B"]) == 0
    told = capsys.readouterr()
    assert "llama, priced by formula" in told.out
    assert "1 of 1 weight files are missing" in told.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Qwen3-8B", "hf download Qwen/Qwen3-8B"),
        ("SmolLM2-135M-Instruct", "unpacked when a run first needs it"),
        ("nobody/nothing", "is not on this disk"),
        ("nobody", "There is no model"),
        ("", "No model is chosen"),
    ],
)
def test_that_a_model_that_is_not_here_is_told_how_to_get(name, words, capsys):
    assert main(["inspect-model", name, "--json"]) != 0
    assert words in " ".join(capsys.readouterr().err.split())
