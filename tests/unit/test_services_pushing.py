"""What a dialog is told of an export before it pushes."""

import json

import pytest

from studio.services.pushing import push_offers

HEADER = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + b"\0"
SECRET = "hf_plantedTokenThatNobodyMayRead1234"


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)


def model(folder, proven):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    origin = {"run": "cheese-1", "format": "bf16", "adapter_sha256": "0"}
    (folder / "snugtune.json").write_text(json.dumps(origin))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    if proven is not None:
        (folder / "parity.json").write_text(json.dumps({"proven": proven}))


@pytest.mark.parametrize(
    ("proven", "doubt"),
    [(True, ""), (False, "doesn’t say"), (None, "Nobody has compared")],
)
def test_that_an_artefact_is_told_with_its_doubt(tmp_path, proven, doubt):
    model(tmp_path / "merged", proven)
    told = push_offers(tmp_path)
    [offer] = told.artefacts
    assert offer.folder == tmp_path / "merged"
    assert offer.left_out == ("pytorch_model.bin",)
    assert offer.files == (3 if proven is None else 4)
    assert offer.size_bytes > len(WEIGHTS)
    assert (doubt in offer.doubt) if doubt else not offer.doubt
    assert offer.refusal is None
    assert told.token_from == "the environment variable HF_TOKEN"
    assert SECRET not in repr(told)


def test_that_what_cannot_be_pushed_says_why(tmp_path):
    model(tmp_path / "merged", proven=True)
    (tmp_path / "merged" / "model.safetensors").write_bytes(b"\x80\x04." * 9)
    [offer] = push_offers(tmp_path).artefacts
    assert offer.refusal is not None


def test_that_a_folder_without_artefacts_offers_none(tmp_path):
    assert push_offers(tmp_path).artefacts == ()
    assert push_offers(tmp_path / "gone").artefacts == ()
