"""An artefact goes to a hub from the window: asked about, pushed, refused, ended."""

import json
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget

from studio.services.engine_task import EngineTask
from studio.ui.pages.export.push_dialog import PushDialog
from tests.ui.helpers import assert_reachable

PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")
SECRET = "hf_plantedTokenThatNobodyMayRead1234"
HEADER = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + b"\0"


class Asked:
    """Makes dialogs, and keeps what they had an engine do and a browser show."""

    def __init__(self, qtbot, folder):
        self.qtbot, self.folder = qtbot, folder
        self.page = QWidget()
        qtbot.addWidget(self.page)
        self.orders, self.opened = [], []

    def task(self, verb, *arguments, log_path):
        self.orders.append([verb, *arguments])
        command = [sys.executable, str(PLAYED), verb, *arguments]
        return EngineTask(verb, command=command, log_path=log_path)

    def dialog(self):
        log = self.folder / "push-log.txt"
        made = PushDialog(
            self.folder / "export", log, self.page, self.task, self.opened.append
        )
        made.open()
        self.qtbot.waitUntil(lambda: made._is_read, timeout=PATIENCE_MS)
        return made


@pytest.fixture
def asked(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    adapter = tmp_path / "export" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(WEIGHTS)
    (adapter / "notes.bin").write_bytes(b"1")
    return Asked(qtbot, tmp_path)


def add_model(asked, proven):
    folder = asked.folder / "export" / "merged"
    folder.mkdir()
    origin = {"run": "cheese-1", "format": "bf16", "adapter_sha256": "0"}
    (folder / "snugtune.json").write_text(json.dumps(origin))
    (folder / "parity.json").write_text(json.dumps({"proven": proven}))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    return folder


def test_that_it_is_private_unless_said_otherwise(qtbot, asked):
    dialog = asked.dialog()
    form = dialog.form
    assert form.private.isChecked()
    assert form.what.text() == "2 files, 0 MiB, as one commit. Not pushed: notes.bin."
    assert form.token.text() == "Signs in by the environment variable HF_TOKEN."
    assert not form.push.isEnabled()
    form.name.setText("me/cheese")
    form.push.click()
    qtbot.waitUntil(form.page.isVisible, timeout=PATIENCE_MS)
    adapter = str(asked.folder / "export" / "adapter")
    assert asked.orders == [["push", adapter, "--to", "me/cheese"]]
    assert dialog.course.words() == "Pushed to me/cheese, which is private."
    form.page.click()
    assert asked.opened == ["https://hub/me/cheese"]
    dialog.back.click()


def test_that_a_tick_taken_away_makes_it_public(qtbot, asked):
    dialog = asked.dialog()
    dialog.form.name.setText("me/cheese")
    dialog.form.private.setChecked(False)
    dialog.form.push.click()
    qtbot.waitUntil(dialog.form.page.isVisible, timeout=PATIENCE_MS)
    assert asked.orders[0][-1] == "--public"
    assert dialog.course.words().endswith("which is public.")
    dialog.reject()


@pytest.mark.parametrize("proven", [True, False])
def test_that_what_is_not_proven_wants_a_tick_of_its_own(qtbot, asked, proven):
    folder = add_model(asked, proven)
    dialog = asked.dialog()
    form = dialog.form
    form.name.setText("me/cheese")
    assert not form.unproven.isVisible()
    form.artefact.set_value(str(folder))
    assert form.unproven.isVisible() is not proven
    assert form.push.isEnabled() is proven
    form.unproven.setChecked(True)
    form.push.click()
    qtbot.waitUntil(form.page.isVisible, timeout=PATIENCE_MS)
    more = [] if proven else ["--accept-unproven"]
    assert asked.orders == [["push", str(folder), "--to", "me/cheese", *more]]
    dialog.reject()


def test_that_a_refusal_is_told_and_another_try_is_free(qtbot, asked):
    dialog = asked.dialog()
    form = dialog.form
    form.name.setText("cheese")
    form.push.click()
    assert dialog.findings.count() == 1
    text = dialog.findings.itemAt(0).widget().text
    assert text.what == "“cheese” is no name of a repository."
    assert text.consequence.startswith("Write owner/name, ")
    assert "--" not in text.consequence
    assert not asked.orders
    form.name.setText("me/gone")
    assert dialog.findings.count() == 0
    form.push.click()
    assert not form.push.isEnabled()
    qtbot.waitUntil(form.push.isEnabled, timeout=PATIENCE_MS)
    assert dialog.findings.count() == 1
    dialog.reject()


def test_that_without_a_token_the_way_to_one_is_told(asked, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(asked.folder / "hf"))
    dialog = asked.dialog()
    dialog.form.name.setText("me/cheese")
    assert not dialog.form.push.isEnabled()
    assert "hf auth login" in dialog.form.token.text()
    dialog.reject()


def test_that_an_artefact_which_is_broken_says_so(asked):
    weights = asked.folder / "export" / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(b"\x80\x04\x95." * 9)
    dialog = asked.dialog()
    dialog.form.name.setText("me/cheese")
    assert dialog.findings.count() == 1
    assert not dialog.form.push.isEnabled()
    dialog.reject()


def test_that_leaving_ends_a_push(qtbot, asked):
    dialog = asked.dialog()
    dialog.form.name.setText("me/wait")
    dialog.form.push.click()
    qtbot.waitUntil(lambda: "Sending" in dialog.course.words(), timeout=PATIENCE_MS)
    with qtbot.waitSignal(dialog.rejected, timeout=PATIENCE_MS):
        dialog.back.click()
    assert not asked.opened


def test_that_the_dialog_is_reached_by_keys_and_shows_no_token(asked):
    add_model(asked, proven=False)
    dialog = asked.dialog()
    dialog.form.name.setText("me/cheese")
    assert_reachable(dialog)
    fields = (QLabel, QLineEdit, QAbstractButton)
    words = [each.text() for kind in fields for each in dialog.findChildren(kind)]
    assert "me/cheese" in words
    assert not any(SECRET in each for each in words)
    dialog.reject()
