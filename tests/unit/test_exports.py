"""What lies in an export's folder, its certificate in words, and its publication."""

import json
import os
import zipfile

import pytest

from studio.domain.errors import StudioError
from studio.services.certificates import certificate_in
from studio.services.exporters import form_offers, kinds_of
from studio.services.exports import (
    export_folder,
    exported_files,
    publish_aside,
    published_name,
    would_replace,
)
from tests.ui.played_verbs import CERTIFICATE

TOLD = {**CERTIFICATE, "proven": True, "format": "bf16", "findings": []}


def model(folder, told=TOLD, *, at=100.0):
    folder.mkdir(parents=True)
    config = folder / "config.json"
    config.write_text("{}")
    os.utime(config, (at, at))
    if told is not None:
        text = told if isinstance(told, str) else json.dumps(told)
        (folder / "parity.json").write_text(text)
    return folder


def test_that_exports_lie_outside_the_runs(tmp_path):
    run = tmp_path / "project" / "runs" / "project-3"
    assert export_folder(run) == tmp_path / "project" / "exports" / "project-3"


def test_that_an_empty_place_holds_nothing(tmp_path):
    assert exported_files(tmp_path / "none").is_empty


def test_that_what_lies_there_is_told(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "adapter.zip", "w") as packed:
        packed.writestr("adapter/adapter_config.json", "{}")
    model(tmp_path / "merged")
    found = exported_files(tmp_path)
    packed = (tmp_path / "adapter.zip").stat().st_size
    assert found.adapter_bytes == 2 + packed
    assert found.merged == tmp_path / "merged"
    assert not found.is_aside
    assert found.certificate.is_proven
    assert not found.is_empty


@pytest.mark.parametrize("is_aside", [False, True])
def test_that_the_newer_of_two_models_is_shown(tmp_path, is_aside):
    model(tmp_path / "merged", at=100.0)
    model(tmp_path / "merged-differs", at=200.0 if is_aside else 50.0)
    assert exported_files(tmp_path).is_aside is is_aside


def test_that_a_certificate_is_a_table(tmp_path):
    certificate = certificate_in(model(tmp_path / "merged"))
    rows = [(r.title, r.trained, r.exported, r.limit) for r in certificate.rows]
    assert rows == [
        ("Same next token, of 1,204", "100 %", "99.8 %", "at least 98 %"),
        ("Mean divergence, nats a token", "0", "0.00031", "at most 0.002"),
        ("Held-out perplexity", "3.25", "3.25", "at most 2.0 % more"),
        ("Same answer, of 2 prompts", "2", "1", ""),
    ]


def test_that_figures_that_are_none_are_no_numbers(tmp_path):
    told = {**TOLD, "distance": {**TOLD["distance"], "mean_kl": None}}
    told["distance"]["trained_perplexity"] = None
    rows = certificate_in(model(tmp_path / "merged", told)).rows
    assert rows[1].exported == "no number"
    assert len(rows) == 3


@pytest.mark.parametrize("told", [None, "", "[]", "{", '{"proven": true}', "[" * 9999])
def test_that_what_is_no_certificate_is_none(tmp_path, told):
    assert certificate_in(model(tmp_path / "merged", told)) is None


@pytest.mark.parametrize(
    ("kinds", "is_so"),
    [(("adapter",), True), (("merged",), False), (("adapter", "merged"), True)],
)
def test_that_a_zip_alone_would_be_replaced_too(tmp_path, kinds, is_so):
    (tmp_path / "adapter.zip").touch()
    assert would_replace(tmp_path, kinds) is is_so


def test_that_a_model_is_published_by_its_name(tmp_path):
    model(tmp_path / "merged-differs")
    assert publish_aside(tmp_path) == tmp_path / "merged"
    assert [place.name for place in tmp_path.iterdir()] == ["merged"]


def test_that_no_earlier_model_makes_room_for_one_that_differs(tmp_path):
    model(tmp_path / "merged-differs")
    model(tmp_path / "merged")
    with pytest.raises(StudioError, match="lies there already"):
        publish_aside(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def other(folder, *, at=100.0, told=TOLD):
    folder.mkdir(parents=True)
    origin = folder / "snugtune.json"
    origin.write_text("{}")
    os.utime(origin, (at, at))
    if told is not None:
        (folder / "run-1.parity.json").write_text(json.dumps(told))
    return folder


def test_that_what_exporters_made_is_told_with_its_certificate(tmp_path):
    other(tmp_path / "gguf-f16", told=None)
    other(tmp_path / "gguf-q8_0", at=100.0)
    other(tmp_path / "gguf-q8_0-differs", at=200.0)
    (tmp_path / "gguf-bf16").mkdir()
    eight, sixteen = exported_files(tmp_path).others
    assert (eight.kind, eight.title) == ("gguf:q8_0", "GGUF Q8_0")
    assert (eight.is_aside, sixteen.is_aside) == (True, False)
    assert eight.certificate.page == (
        tmp_path / "gguf-q8_0-differs" / "run-1.parity.html"
    )
    assert sixteen.certificate is None
    assert not exported_files(tmp_path).is_empty


@pytest.mark.parametrize(("kind", "is_so"), [("gguf:q8_0", True), ("gguf:f16", False)])
def test_that_a_form_that_lies_there_would_be_replaced(tmp_path, kind, is_so):
    other(tmp_path / "gguf-q8_0")
    assert would_replace(tmp_path, (kind,)) is is_so


def test_that_a_form_is_published_by_its_name(tmp_path):
    other(tmp_path / "gguf-q8_0-differs")
    name = published_name("gguf-q8_0-differs")
    assert publish_aside(tmp_path, name) == tmp_path / "gguf-q8_0"


def test_that_a_form_is_offered_unlooked_at_until_its_model_is_prepared(tmp_path):
    offers = form_offers(tmp_path / "still-to-be-filled")
    assert {offer.refused for offer in offers} == {""}
    assert {offer.most_bytes for offer in offers} == {None}


def test_that_no_form_is_offered_of_a_model_that_is_not_here():
    assert all(offer.refused for offer in form_offers(None))


def test_that_a_form_s_size_is_unknown_without_headers_to_read(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    offers = {offer.kind: offer for offer in form_offers(tmp_path)}
    assert offers["gguf:q8_0"].most_bytes is None
    assert not offers["gguf:q8_0"].refused


def test_that_kinds_are_made_once_and_in_order():
    assert kinds_of(["merged", "adapter", "merged"]) == ("adapter", "merged")
    assert kinds_of(["all"])[:2] == ("adapter", "merged")
    assert kinds_of(["gguf:q8_0", "gguf:f16"]) == ("gguf:f16", "gguf:q8_0")
    with pytest.raises(StudioError, match="no form"):
        kinds_of(["gguf:round"])
    with pytest.raises(StudioError, match="exports to sculpture"):
        kinds_of(["sculpture"])
