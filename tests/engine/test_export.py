"""What a run is handed on as: whole, proven, and silent about the machine."""

import json
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from safetensors.torch import load_file

from studio.domain.errors import ExitCode
from studio.engine.adapter_files import put_adapter
from studio.engine.exporting import verb as exporting
from studio.engine.exporting.privacy import refuse_private_files
from studio.engine.merging.arithmetic import AdapterParts
from studio.engine.model_loading import load_plain
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import Warned
from studio.protocol.export_events import Exported
from studio.protocol.machine_sample import MachineSample, encode_sample
from studio.storage.push_files import Proof, pushable
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train

USER = "zaphod-b"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's folder, which everything of the run lies in."""
    folder = tmp_path_factory.mktemp("home") / USER
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("USER", USER)
        yield folder


@pytest.fixture(scope="module")
def run(home, tiny_qwen):
    base = shutil.copytree(tiny_qwen, home / "bases" / "tiny-qwen")
    (base / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n")
    data = tiny.write_chats(home / "chats.jsonl")
    general = shutil.copy(data, home / "general.jsonl")
    held_out = shutil.copy(data, home / "held-out.jsonl")
    options = {
        "data__mix": (f"{general}=0.2",),
        "data__held_out_file": str(held_out),
        "train__max_steps": 8,
        "train__eval_steps": 4,
        "train__learning_rate": 0.005,
    }
    found = new_run(home / "runs", recipe_for(base, data, **options))
    code, events = train(found)
    assert code is ExitCode.OK, events[-1]
    return found


def export(run, out, *kinds, **options):
    given = {"dtype": "bf16", "form": "", "overwrite": False}
    given |= {"even_if_different": False, **options}
    code, events = carry_out("export", run=run.path, to=list(kinds), out=out, **given)
    return code, events


def exported(run, out, *kinds, **options):
    """What was made, by its kind."""
    code, events = export(run, out, *kinds, **options)
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Exported)
    assert events[-1].path == str(out)
    return {each.kind: each for each in events[-1].artefacts}


@pytest.fixture(scope="module")
def both(run, tmp_path_factory):
    """An export of adapter and merged model, which stays as it is."""
    out = tmp_path_factory.mktemp("both")
    return out, exported(run, out, "adapter", "merged")


@pytest.fixture
def silent_adapter(monkeypatch):
    """A merge that forgets the adapter."""
    monkeypatch.setattr(
        AdapterParts, "merged", lambda self, target, weight, rows=None: weight
    )


def test_that_an_adapter_is_whole_and_zipped(run, both):
    out, made = both
    names = {file.name for file in (out / "adapter").iterdir()}
    own = {file.name for file in run.adapter_path.iterdir()}
    assert names == own | {"loss.svg"}
    with zipfile.ZipFile(out / "adapter.zip") as packed:
        assert packed.testzip() is None
        assert {Path(name).name for name in packed.namelist()} == names
        for name in names:
            content = (out / "adapter" / name).read_bytes()
            assert packed.read(f"adapter/{name}") == content
    sizes = [f.stat().st_size for f in ((out / "adapter").iterdir())]
    whole = sum(sizes) + (out / "adapter.zip").stat().st_size
    assert made["adapter"].size_bytes == whole
    assert made["adapter"].is_proven is None


def test_that_an_adapter_says_what_was_trained(run, both, tiny_qwen):
    out, _ = both
    tokenizer = load_tokenizer(out / "adapter")
    ids = tokenizer("Which cheese is number 7?", return_tensors="pt").input_ids
    said = []
    for folder in (run.adapter_path, out / "adapter"):
        model = put_adapter(load_plain(tiny_qwen, torch.float32), folder)
        with torch.no_grad():
            said.append(model(input_ids=ids).logits)
    assert torch.equal(*said)


def test_that_nothing_of_the_machine_is_handed_on(run, both, home):
    out, _ = both
    secrets = [USER, str(home), str(run.path), str(out), "/tmp", "/home/"]
    with zipfile.ZipFile(out / "adapter.zip") as packed:
        zipped = {name: packed.read(name) for name in packed.namelist()}
    files = {str(file): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert len(files) > 15
    for name, content in (files | zipped).items():
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} in {name}"
    kinds = {Path(name).suffix for name in files}
    assert kinds == {".safetensors", ".json", ".jinja", ".md", ".svg", ".zip", ".html"}


def test_that_an_export_can_be_pushed_as_it_is(run, both):
    out, _ = both
    expected = {"adapter": Proof.NOT_NEEDED, "merged": Proof.PROVEN}
    for name, proof in expected.items():
        found = pushable(out / name)
        assert found.proof is proof
        assert found.left_out == ()
        assert set(found.files) == set((out / name).iterdir())
        refuse_private_files(found.files, out, run.path)
    assert pushable(out / "merged").run == run.name


def test_that_an_adapter_names_its_base_in_public(both):
    out, _ = both
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-qwen"
    assert config["revision"] is None


def test_that_a_base_of_the_hub_is_named_with_its_commit(
    home, tiny_qwen, tmp_path, monkeypatch
):
    cache = home / "hub"
    place = cache / "models--acme--tiny" / "snapshots" / COMMIT
    shutil.copytree(tiny_qwen, place)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    data = tiny.write_chats(home / "more.jsonl")
    run = new_run(home / "runs", recipe_for("acme/tiny", data, train__max_steps=1))
    assert train(run)[0] is ExitCode.OK
    exported(run, tmp_path, "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "acme/tiny"
    assert config["revision"] == COMMIT
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert f"`acme/tiny` at commit `{COMMIT}`" in card
    assert "AutoPeftModelForCausalLM" in card


def test_that_a_card_tells_what_is_needed(run, both):
    out, _ = both
    card = (out / "adapter" / "README.md").read_text()
    before = (run.adapter_path / "README.md").read_text()
    digest = before.partition("SHA-256 `")[2][:64]
    for told in (
        'license: "apache-2.0"',
        "`tiny-qwen`; its licence is apache-2.0.",
        f"Data: `chats.jsonl`, SHA-256 `{digest}`.",
        "| data.mix | general.jsonl=0.2 |",
        "| data.held_out_file | held-out.jsonl |",
        "| lora.rank | 8 |",
        "![Loss by step](loss.svg)",
        "| Step | Training loss | Held-out loss |",
        "| 8 (saved) | ",
        "Trained on ",
        "## How to load it",
        "- torch ",
    ):
        assert told in card
    assert card.count("## Recipe") == card.count("## Versions") == 1
    assert "Wh" not in card, "no energy is invented"


def test_that_the_losses_are_drawn(both):
    out, _ = both
    drawn = ET.parse(out / "adapter" / "loss.svg").getroot()
    lines = drawn.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points").split()) for line in lines] == [8, 3]


def test_that_energy_is_told_where_it_was_measured(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "runs" / "run-1")
    first = MachineSample(total_bytes=1, free_bytes=1, power_w=100.0)
    later = [first.at.timestamp() + second for second in range(37)]
    lines = [
        encode_sample(
            MachineSample(
                at=first.at.fromtimestamp(at, first.at.tzinfo),
                total_bytes=1,
                free_bytes=1,
                power_w=100.0,
            )
        )
        for at in later
    ]
    (copy / "machine.jsonl").write_bytes(b"".join(lines))
    exported(type(run)(copy), tmp_path / "out", "adapter")
    card = (tmp_path / "out" / "adapter" / "README.md").read_text()
    assert "The card took 1 Wh meanwhile." in card


def test_that_a_token_is_never_handed_on(run, tmp_path):
    copy = shutil.copytree(run.path, tmp_path / "runs" / "run-1")
    config = copy / "adapter" / "tokenizer_config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "note": "hf_" + "a1B2" * 8}))
    code, events = export(type(run)(copy), tmp_path / "out", "adapter")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "export.private"
    assert list((tmp_path / "out").iterdir()) == []


def test_that_the_same_export_is_the_same_bytes(run, both, tmp_path):
    out, _ = both
    exported(run, tmp_path / "again", "adapter")
    again = (tmp_path / "again" / "adapter.zip").read_bytes()
    assert again == (out / "adapter.zip").read_bytes()


def test_that_an_adapter_can_be_handed_on_without_its_base(run, tmp_path):
    copy = type(run)(shutil.copytree(run.path, tmp_path / "runs" / "run-1"))
    recipe = copy.recipe_path.read_text().replace("tiny-qwen", "gone")
    copy.recipe_path.write_text(recipe)
    exported(copy, tmp_path / "out", "adapter")
    assert (tmp_path / "out" / "adapter" / "README.md").is_file()
    code, events = export(copy, tmp_path / "out", "merged")
    assert code is ExitCode.BAD_INPUT, events[-1]
    assert events[-1].kind.startswith("model.")


def test_that_a_merged_model_carries_its_certificate(both):
    out, made = both
    merged = made["merged"]
    assert merged.is_proven
    assert merged.findings == []
    assert (merged.form, merged.path) == ("bf16", str(out / "merged"))
    told = json.loads((out / "merged" / "parity.json").read_text())
    assert told["proven"] is True
    assert merged.report == str(out / "merged" / "parity.html")
    assert Path(merged.report).is_file()
    card = (out / "merged" / "README.md").read_text()
    assert "this model says what was trained" in card
    assert "library_name: transformers" in card
    assert sorted(place.name for place in out.iterdir()) == [
        "adapter",
        "adapter.zip",
        "merged",
    ]


@pytest.mark.usefixtures("silent_adapter")
def test_that_a_model_that_differs_is_kept_aside(run, both, tmp_path):
    shutil.copytree(both[0] / "merged", tmp_path / "merged")
    before = (tmp_path / "merged" / "model.safetensors").read_bytes()
    merged = exported(run, tmp_path, "merged", overwrite=True)["merged"]
    assert merged.is_proven is False
    assert merged.findings
    assert merged.path == str(tmp_path / "merged-differs")
    assert (tmp_path / "merged" / "model.safetensors").read_bytes() == before
    told = json.loads((tmp_path / "merged-differs" / "parity.json").read_text())
    assert told["proven"] is False
    card = (tmp_path / "merged-differs" / "README.md").read_text()
    assert "this model **doesn’t say** what was trained" in card
    assert sorted(place.name for place in tmp_path.iterdir()) == [
        "merged",
        "merged-differs",
    ]


@pytest.mark.usefixtures("silent_adapter")
def test_that_a_model_that_differs_gets_its_name_when_that_is_wished(run, tmp_path):
    merged = exported(run, tmp_path, "merged", even_if_different=True)["merged"]
    assert merged.is_proven is False
    assert [place.name for place in tmp_path.iterdir()] == ["merged"]


def test_that_an_earlier_export_stays_unless_it_may_be_replaced(run, tmp_path):
    exported(run, tmp_path, "adapter")
    note = tmp_path / "adapter" / "note.txt"
    note.write_text("mine")
    code, events = export(run, tmp_path, "adapter")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "export.place-taken"
    assert note.exists()
    exported(run, tmp_path, "adapter", overwrite=True)
    assert not note.exists()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("adapter", "adapter"),
        ("adapter.zip", "adapter"),
        ("merged", "merged"),
        ("merged-differs", "merged"),
    ],
)
def test_that_what_is_no_export_is_never_replaced(run, tmp_path, place, kind):
    folder = tmp_path / place
    if place.endswith("zip"):
        folder.write_text("years of work")
    else:
        folder.mkdir()
        (folder / "thesis.txt").write_text("years of work")
    code, events = export(run, tmp_path, kind, overwrite=True)
    assert code is ExitCode.BAD_INPUT
    assert "taken already" in events[-1].message
    kept = folder if folder.is_file() else folder / "thesis.txt"
    assert kept.read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1


def test_that_a_run_s_own_adapter_is_never_replaced(run):
    before = (run.adapter_path / "README.md").read_bytes()
    code, events = export(run, run.path, "adapter", overwrite=True)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "export.into-run"
    assert (run.adapter_path / "README.md").read_bytes() == before


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_that_a_file_in_the_way_is_told_before_any_work(run, tmp_path, below):
    file = tmp_path / "notes.txt"
    file.write_text("kept")
    code, events = export(run, file / below, "adapter")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "export.into-file"
    assert str(file) in events[-1].message
    assert file.read_text() == "kept"


def test_that_a_full_disk_is_noticed_before_anything_is_written(
    run, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)._replace(free=40 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, events = export(run, tmp_path, "adapter", "merged")
    assert code is ExitCode.DISK
    assert "The export needs" in events[-1].message
    assert list(tmp_path.iterdir()) == []


def test_that_a_missing_exporter_is_told_in_a_sentence(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "plugin_root", lambda: tmp_path)
    code, events = export(run, tmp_path / "out", "adapter", "box")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].message == "--to: No plug-in that exports to box is installed."
    assert not (tmp_path / "out").exists()


MANIFEST = """\
id = "boxes"
title = "Boxes"
api = 1
[exporter]
name = "box"
title = "Box"
starts_from = "merged"
forms = ["plain", "wrong", "refused", "unheard"]
check = "check.py"
module = "exporter.py"
"""
CHECK = """\
from studio.domain.finding import error, warning
def check(source, form):
    assert (source / "config.json").is_file()
    if form == "refused":
        return [error("box.no", "No box is large enough.")]
    return [warning("box.tight", "The box is tight.")]
def size_bytes(source, form):
    return 1000
"""
EXPORTER = """\
import json
from studio.domain.finding import error, warning
from studio.plugin_api.exporting import Proof
def export(source, out, form, tell):
    assert list(out.iterdir()) == []
    assert json.loads((source / "parity.json").read_text())["answers"]
    weights = (source / "model.safetensors").read_bytes()
    tell("Boxing", 1, 1, "boxes")
    (out / "model.box").write_bytes(weights)
    if form == "unheard":
        return Proof((warning("box.mute", "Nobody heard it."),), is_judged=False)
    wrong = (error("box.open", "The box is open."),) if form == "wrong" else ()
    return Proof(wrong, "", (("Corners", "8 of 8"),))
"""


@pytest.fixture
def boxes(tmp_path, monkeypatch):
    folder = tmp_path / "plugins" / "boxes"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "check.py").write_text(CHECK)
    (folder / "exporter.py").write_text(EXPORTER)
    monkeypatch.setattr(exporting, "plugin_root", lambda: folder.parent)
    return tmp_path / "out"


def test_that_an_exporter_starts_from_a_proven_merge_of_its_own(run, boxes):
    code, events = export(run, boxes, "box")
    assert code is ExitCode.OK, events[-1]
    (box,) = events[-1].artefacts
    assert (box.kind, box.form, box.is_proven) == ("box", "plain", True)
    assert box.path == str(boxes / "box-plain")
    assert box.figures == [("Corners", "8 of 8")]
    assert [place.name for place in boxes.iterdir()] == ["box-plain"]
    assert "box.tight" in [each.finding.code for each in of_kind(events, Warned)]
    names = {file.name for file in (boxes / "box-plain").iterdir()}
    assert names == {"model.box", "snugtune.json"}


def test_that_an_exporter_takes_a_proven_merge_that_lies_there(
    run, both, boxes, monkeypatch
):
    shutil.copytree(both[0] / "merged", boxes / "merged")
    monkeypatch.setattr(exporting, "export_merged", None)
    exported(run, boxes, "box")
    boxed = boxes / "box-plain" / "model.box"
    assert (
        load_file(boxed).keys()
        == load_file(boxes / "merged" / "model.safetensors").keys()
    )


def test_that_what_an_exporter_didn_t_prove_is_kept_aside(run, both, boxes):
    shutil.copytree(both[0] / "merged", boxes / "merged")
    box = exported(run, boxes, "box", form="wrong")["box"]
    assert box.is_proven is False
    assert box.path == str(boxes / "box-wrong-differs")
    assert [each.what for each in box.findings] == ["The box is open."]
    assert not (boxes / "box-wrong").exists()


def test_that_what_was_only_read_back_isn_t_called_proven(run, both, boxes):
    shutil.copytree(both[0] / "merged", boxes / "merged")
    box = exported(run, boxes, "box", form="unheard")["box"]
    assert box.is_proven is None
    assert [each.what for each in box.findings] == ["Nobody heard it."]
    assert box.path == str(boxes / "box-unheard")


def test_that_several_forms_are_made_of_one_merge(run, both, boxes):
    shutil.copytree(both[0] / "merged", boxes / "merged")
    code, events = export(run, boxes, "box:plain", "box:wrong", "box", form="plain")
    assert code is ExitCode.OK, events[-1]
    made = [(box.form, box.is_proven) for box in events[-1].artefacts]
    assert made == [("plain", True), ("wrong", False)], "each is made once"
    names = {place.name for place in boxes.iterdir()}
    assert names == {"merged", "box-plain", "box-wrong-differs"}


def test_that_a_form_that_an_exporter_lacks_is_refused_before_any_work(run, boxes):
    code, events = export(run, boxes, "adapter", "box:plain", "box:round")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "export.form"
    assert not boxes.exists()


@pytest.mark.parametrize(
    ("form", "kind"), [("refused", "box.no"), ("round", "export.form")]
)
def test_that_an_exporter_refuses_before_any_work(run, boxes, form, kind):
    code, events = export(run, boxes, "adapter", "box", form=form)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == kind
    assert not boxes.exists()


@pytest.mark.usefixtures("silent_adapter")
def test_that_no_exporter_starts_from_a_model_that_differs(run, boxes):
    code, events = export(run, boxes, "box")
    assert code is ExitCode.OK, events[-1]
    (merged,) = events[-1].artefacts
    assert (merged.kind, merged.is_proven) == ("merged", False)
    assert [place.name for place in boxes.iterdir()] == ["merged-differs"]
    warned = [each.finding.code for each in of_kind(events, Warned)]
    assert "export.not-started" in warned


def test_that_a_run_of_all_weights_has_no_adapter_to_export(tmp_path, tiny_qwen):
    recipe = recipe_for(
        tiny_qwen, tmp_path / "any", train__weights="all", model__precision="fp32"
    )
    run = new_run(tmp_path / "runs", recipe)
    run.model_path.mkdir()
    code, events = export(run, tmp_path / "out", "merged")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "merge.whole"
