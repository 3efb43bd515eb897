"""`snugtune models`: the list, marked for a card."""

import json

import pytest

from studio.cli import main
from studio.cli.models import JSON_HELP
from studio.domain.recommend.marks import RECIPE_WORDS


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def told(capsys, *arguments):
    assert main(["models", *arguments]) == 0
    return capsys.readouterr().out


def test_that_the_document_holds_what_the_help_promises(capsys):
    document = json.loads(told(capsys, "--gpu", "RTX 4090", "--json"))
    assert document["device"]["name"] == "RTX 4090"
    assert document["recipe"] == RECIPE_WORDS
    assert len(document["models"]) >= 60
    for key in (*document, *document["device"], *document["models"][0]):
        assert f'"{key}"' in JSON_HELP
    assert document["device"]["cloud_price"] is None
    marks = [model["mark"] for model in document["models"]]
    assert marks == sorted(marks, key=["trains comfortably", "not here"].index)
    large = next(m for m in document["models"] if m["name"] == "Qwen3-32B")
    assert (
        large["peak_bytes"] + document["headroom_bytes"]
        <= (document["device"]["free_bytes"])
    )
    assert large["mark"] == "trains comfortably"
    assert not large["is_here"]


def test_that_a_person_reads_the_recipe_and_the_marks(capsys):
    said = told(capsys, "--vram", "16")
    assert "16.00 GiB free" in said
    assert RECIPE_WORDS in said
    line = next(line for line in said.splitlines() if line.startswith("Qwen3-8B "))
    assert line.endswith("trains comfortably")
    assert "Llama 3.1 Community, gated" in said


def test_that_a_card_and_an_amount_contradict_each_other(capsys):
    assert main(["models", "--gpu", "RTX 4090", "--vram", "16"]) != 0
    assert "Give --gpu or --vram" in capsys.readouterr().err


def test_that_a_model_of_an_unknown_kind_is_listed_without_a_mark(capsys, tmp_path):
    folder = tmp_path / "hub" / "models--me--odd" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "mamba"}')
    (folder / "model.safetensors").write_bytes(b"\0")
    last = json.loads(told(capsys, "--vram", "16", "--json"))["models"][-1]
    assert (last["name"], last["mark"], last["is_here"]) == ("me/odd", None, True)
    assert (
        told(capsys, "--vram", "16")
        .splitlines()[-1]
        .endswith("not priced, on this disk")
    )


def test_that_a_card_that_can_be_rented_tells_its_price(capsys):
    price = json.loads(told(capsys, "--gpu", "H100", "--json"))["device"]["cloud_price"]
    assert price["usd_an_hour"] > 0
    for key in price:
        assert f'"{key}"' in JSON_HELP
    said = told(capsys, "--gpu", "H100")
    assert f"rents for ${price['usd_an_hour']:.2f} an hour at RunPod" in said
    assert price["read_on"] in said
