"""Exporters are found by their manifests; their code is read when it is asked for."""

import pytest

from studio.domain.errors import StudioError
from studio.domain.finding import error, warning
from studio.plugin_api.exporting import Proof
from studio.storage.plugin_code import code_of
from studio.storage.plugins import attention_plugin, exporter_plugin, exporter_plugins

MANIFEST = """\
id = "boxes"
title = "Boxes of weights"
api = {api}
[exporter]
name = "box"
title = "Box"
starts_from = "{start}"
forms = {forms}
check = "check.py"
module = "../exporter.py"
"""


def plugin(root, name="boxes", api=1, start="merged", forms='["f16", "q8_0"]'):
    folder = root / name
    folder.mkdir()
    told = MANIFEST.format(api=api, start=start, forms=forms)
    (folder / "plugin.toml").write_text(told)
    return folder


def test_that_an_exporter_is_described_by_its_manifest(tmp_path):
    folder = plugin(tmp_path)
    (found,), wrong = exporter_plugins(tmp_path)
    assert (found.name, found.title, found.forms) == ("box", "Box", ("f16", "q8_0"))
    assert found.check == folder / "check.py"
    assert found.module == folder / "exporter.py", "code lies beside its manifest"
    assert wrong == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"api": 2}, "plugin.api"),
        ({"start": "adapter"}, "plugin.manifest"),
        ({"forms": "[]"}, "plugin.manifest"),
    ],
)
def test_that_a_broken_exporter_is_told_and_others_stay_usable(tmp_path, change, code):
    plugin(tmp_path, "broken", **change)
    plugin(tmp_path)
    usable, wrong = exporter_plugins(tmp_path)
    assert [each.name for each in usable] == ["box"]
    assert [each.code for each in wrong] == [code]
    assert "broken" in wrong[0].what


def test_that_a_missing_exporter_is_refused_with_what_is_broken(tmp_path):
    plugin(tmp_path, "broken", api=2)
    with pytest.raises(StudioError, match=r"exports to box.*interface"):
        exporter_plugin(tmp_path, "box")
    plugin(tmp_path)
    assert exporter_plugin(tmp_path, "box").title == "Box"


def test_that_an_exporter_is_no_attention(tmp_path):
    plugin(tmp_path)
    with pytest.raises(StudioError, match="No plug-in brings the attention"):
        attention_plugin(tmp_path, "box")


def test_that_a_plug_in_reads_its_own_files(tmp_path):
    folder = plugin(tmp_path)
    (folder / "helper.py").write_text("ANSWER = 42\n")
    (folder / "check.py").write_text(
        "from .helper import ANSWER\ndef check(): return ANSWER\n"
    )
    assert code_of("Box", folder / "check.py", ("check",), "").check() == 42


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("raise ValueError('no')", "ValueError"),
        ("def other(): ...", "AttributeError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
    ],
)
def test_that_code_that_fails_is_named(tmp_path, code, word):
    folder = plugin(tmp_path)
    (folder / "check.py").write_text(code)
    with pytest.raises(StudioError, match=f"Box doesn’t work .{word}"):
        code_of("Box", folder / "check.py", ("check",), "Install it again.")


def test_that_a_proof_passes_unless_an_error_was_found():
    assert Proof((warning("a", "Slow."),)).is_passed
    assert not Proof((warning("a", "Slow."), error("b", "Wrong."))).is_passed
