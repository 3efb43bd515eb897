"""The Export page: a run handed on, its certificate shown, both models asked."""

import json
import os
import sys
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel

from studio.services.engine_task import EngineTask
from studio.storage.recipes import save_recipe
from studio.storage.run_directory import RunDirectory
from studio.ui.pages.export.page import ExportPage
from studio.ui.pages.export.push_dialog import PushDialog
from studio.ui.widgets.fit_mark import FitMark
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import PROMPTS, failed_run, finished_run, whole_run

__all__ = ["desk"]
PATIENCE_MS = 20_000
BASE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 512,
    "max_position_embeddings": 256,
}
PLAYED = Path(__file__).with_name("played_verbs.py")


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


def shown(qtbot, desk: TestDesk) -> ExportPage:
    opened: list[Path] = []
    page = ExportPage(desk.desk, task_for=played_task, opens=opened.append)
    page.opened = opened
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    settled(qtbot, page)
    return page


def settled(qtbot, page: ExportPage) -> None:
    qtbot.waitUntil(
        lambda: (
            not any(
                job.is_running
                for job in (
                    page._read,
                    page._look,
                    page._copy,
                    page.deed,
                    page.asking.job,
                )
            )
        ),
        timeout=PATIENCE_MS,
    )


def finding(page: ExportPage) -> str:
    return page.view.findings.itemAt(0).widget().text.what


def ask(page: ExportPage, prompt: str) -> None:
    page.view.trial.prompt.setText(prompt)
    page.view.trial.ask.click()


def test_that_without_an_adapter_there_is_nothing_to_export(
    qtbot, desk: TestDesk, example
):
    failed_run(example)
    page = shown(qtbot, desk)
    assert page.view.empty.headline.text() == "Nothing to export yet"
    page.view.to_recipe.click()
    page.view.to_runs.click()
    assert desk.visited == ["recipe", "runs"]


def test_that_the_newest_result_is_shown(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.header.facts_label.full_text() == (
        "cheesemonger-1 · SmolLM2-135M-Instruct · after 25 steps"
    )
    assert page.view.proof.answers.measured.accessibleName() == (
        "Held-out loss 2.500 before, 1.250 after: 50 % lower."
    )
    assert page.view.made._adapter_row.figure.text() == "3 MiB"
    assert page.view.proof.answers.before.text.toPlainText() == f"Base: {PROMPTS[0]}"
    assert page.view.proof.answers.after.text.toPlainText() == f"Tuned: {PROMPTS[0]}"
    assert not page.view.runs.isVisible()


def test_that_another_result_can_be_chosen(qtbot, desk: TestDesk, example):
    older = finished_run(example, steps=3, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.runs.set_value(str(older.path))
    page.view.runs.activated.emit(page.view.runs.currentIndex())
    qtbot.waitUntil(
        lambda: page.view.header.facts_label.full_text().startswith("cheesemonger-1")
    )
    assert desk.desk.chosen_run.directory == older.path


def exported(qtbot, page: ExportPage) -> None:
    page.view.made.export.click()
    settled(qtbot, page)


def certificate(page: ExportPage) -> list[str]:
    grid = page.view.proof.certificate._grid
    cells = [grid.itemAt(place).widget() for place in range(grid.count())]
    return [cell.text() for cell in cells if isinstance(cell, QLabel)]


def test_that_one_click_exports_and_proves(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    made, proof = page.view.made, page.view.proof
    assert made._need.text().startswith("Needs about 0.29 GiB, ")
    assert proof.choice.current() == "answers", "nothing is proven yet"
    made.export.click()
    assert made.cancel.isVisible()
    assert not made.export.isVisible()
    assert not page.view.trial.ask.isEnabled()
    settled(qtbot, page)
    out = example.directory / "exports" / run.name
    assert {place.name for place in out.iterdir()} == {"adapter", "merged"}
    assert page.opened == [out]
    assert proof.choice.current() == "certificate"
    assert proof.certificate.verdict.mark.words == "It says what was trained"
    assert certificate(page)[4:12] == [
        "Same next token, of 1,204",
        "100 %",
        "99.8 %",
        "at least 98 %",
        "Mean divergence, nats a token",
        "0",
        "0.00031",
        "at most 0.002",
    ]
    assert made._merged_row.figure.text() == "2 MiB"
    assert made._result.full_text() == "Exported and proven"
    assert made.open_folder.isVisible()
    assert made.export.isVisible()


@pytest.fixture
def run_of_a_known_model(example, tmp_path, monkeypatch):
    """A run whose base lies here, on a machine without a llama.cpp."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SNUGTUNE_LLAMA_CPP", raising=False)
    return of_base(finished_run(example), tmp_path / "base")


def of_base(run: RunDirectory, folder: Path) -> RunDirectory:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(BASE), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    weights = torchless_weights(6_000_000)
    (folder / "model.safetensors").write_bytes(weights)
    recipe = run.read_recipe().with_value("model.name", str(folder))
    save_recipe(run.recipe_path, recipe)
    return run


def torchless_weights(entries: int) -> bytes:
    tensor = {"dtype": "F16", "shape": [entries], "data_offsets": [0, 2 * entries]}
    header = json.dumps({"weight": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(2 * entries)


def offered(page: ExportPage) -> dict[str, tuple[bool, str, str]]:
    """Each row of exporters: whether it can be had, what it says, its size."""
    parts = [part for _, part in page.view.made.forms._rows]
    return {
        part.box.text(): (part.box.isEnabled(), part.use.text(), part.figure.text())
        for part in parts
    }


@pytest.mark.usefixtures("run_of_a_known_model")
def test_that_each_form_has_a_row_and_one_that_can_t_be_had_says_why(
    qtbot, desk: TestDesk
):
    rows = offered(shown(qtbot, desk))
    assert list(rows) == [
        "GGUF Q8_0",
        "GGUF F16",
        "GGUF BF16",
        "GGUF Q6_K, GGUF Q5_K_M, GGUF Q4_K_M",
    ]
    can_be_had, use, size = rows["GGUF Q8_0"]
    assert (can_be_had, use) == (True, "for LM Studio, Ollama, llama.cpp")
    assert size == "up to 70 MiB"
    can_be_had, why, size = list(rows.values())[-1]
    assert (can_be_had, size) == (False, "")
    assert why == "K-quants need llama-quantize, which isn’t found on this machine."


@pytest.mark.usefixtures("run_of_a_known_model")
def test_that_k_quants_are_offered_where_llama_quantize_is_found(
    qtbot, desk: TestDesk, tmp_path
):
    tool = tmp_path / ("llama-quantize.exe" if os.name == "nt" else "llama-quantize")
    tool.write_text("#!/bin/sh\n", encoding="utf-8")
    tool.chmod(0o755)
    rows = offered(shown(qtbot, desk))
    assert len(rows) == 6
    assert all(can_be_had for can_be_had, _, _ in rows.values())


@pytest.mark.usefixtures("example")
def test_that_forms_of_a_model_that_is_gone_can_t_be_had(
    qtbot, desk: TestDesk, run_of_a_known_model
):
    run = run_of_a_known_model
    recipe = run.read_recipe().with_value("model.name", "nobody/gone")
    save_recipe(run.recipe_path, recipe)
    (row,) = offered(shown(qtbot, desk)).values()
    assert row[:2] == (
        False,
        "The model that it would be made of isn’t on this machine.",
    )


def test_that_ticked_forms_are_made_and_each_has_its_verdict(
    qtbot, desk: TestDesk, run_of_a_known_model
):
    page = shown(qtbot, desk)
    made, proof = page.view.made, page.view.proof
    before = made._need.text()
    made.forms.box_of("gguf:q8_0").click()
    made.forms.box_of("gguf:f16").click()
    assert made._need.text() != before
    exported(qtbot, page)
    out = page.target()
    assert {place.name for place in out.iterdir()} == {
        "adapter",
        "merged",
        "gguf-q8_0",
        "gguf-f16",
    }
    heads = ["Compared", "Trained", "Merged", "Q8_0", "F16"]
    cells = certificate(page)
    assert cells[:5] == heads
    assert cells[5:10] == ["Same next token", "100 %", "99.8 %", "99.8 %", "99.8 %"]
    assert verdicts(page) == {
        "Merged: Same",
        "GGUF Q8_0: Same",
        "GGUF F16: Same",
    }
    assert made._result.full_text() == "Exported and proven"
    assert made.forms.box_of("gguf:q8_0").isChecked()
    assert offered(page)["GGUF Q8_0"][2] == "1 MiB"
    page.opened.clear()
    for reader in proof.certificate._readers.buttons():
        reader.click()
    assert [place.parent.name for place in page.opened] == [
        "merged",
        "gguf-q8_0",
        "gguf-f16",
    ]


def verdicts(page: ExportPage) -> set[str]:
    grid = page.view.proof.certificate._grid_holder
    return {
        mark.accessibleName() for mark in grid.findChildren(FitMark) if mark.isVisible()
    }


@pytest.mark.parametrize("publishes", [False, True])
@pytest.mark.usefixtures("run_of_a_known_model")
def test_that_a_form_that_differs_is_asked_about(
    qtbot, desk: TestDesk, monkeypatch, publishes
):
    monkeypatch.setenv("PLAYED_EXPORT", "q8_0")
    page = shown(qtbot, desk)
    page.view.made.forms.box_of("gguf:q8_0").click()
    exported(qtbot, page)
    assert page.opened == []
    assert verdicts(page) == {"Merged: Same", "GGUF Q8_0: Differs"}
    wrong = page.view.proof.certificate._wrong.text()
    assert wrong == "GGUF Q8_0: It rounds too much."
    assert page.view.made._result.full_text() == "Kept aside: GGUF Q8_0"
    question = page.deed.question
    said = " ".join(cell.text() for cell in question.findChildren(QLabel))
    assert "GGUF Q8_0 was kept aside, in the folder gguf-q8_0-differs." in said
    (question.deed if publishes else question.back).click()
    settled(qtbot, page)
    kept = "gguf-q8_0" if publishes else "gguf-q8_0-differs"
    names = {place.name for place in page.target().iterdir()}
    assert names == {"adapter", "merged", kept}


@pytest.mark.usefixtures("run_of_a_known_model")
def test_that_a_form_that_lies_there_is_asked_about_before_it_is_replaced(
    qtbot, desk: TestDesk
):
    page = shown(qtbot, desk)
    page.view.made.adapter.click()
    page.view.made.merged.click()
    assert not page.view.made.export.isEnabled()
    page.view.made.forms.box_of("gguf:f16").click()
    exported(qtbot, page)
    assert [place.name for place in page.target().iterdir()] == ["gguf-f16"]
    assert page.view.proof.certificate.verdict.mark.words == "It says what was trained"
    page.view.made.export.click()
    assert page.deed.question.isVisible()
    page.deed.question.back.click()


def test_that_a_whole_model_can_be_had_in_another_form(qtbot, desk: TestDesk, example):
    run = whole_run(example)
    config = run.model_path / "config.json"
    config.write_text(json.dumps(BASE), encoding="utf-8")
    weights = run.model_path / "model.safetensors"
    weights.write_bytes(torchless_weights(1_000_000))
    page = shown(qtbot, desk)
    assert page.view.made._refused.text() == "Tick what shall be made."
    page.view.made.forms.box_of("gguf:q8_0").click()
    exported(qtbot, page)
    assert [place.name for place in page.target().iterdir()] == ["gguf-q8_0"]


def test_that_a_certificate_is_shown_again(qtbot, desk: TestDesk, example):
    finished_run(example)
    exported(qtbot, shown(qtbot, desk))
    again = shown(qtbot, desk)
    assert again.view.proof.choice.current() == "certificate"
    assert again.view.proof.certificate.verdict.isVisible()
    assert "BF16" in again.view.proof.note_label.text()
    again.view.proof.certificate.open_report.click()
    assert [place.name for place in again.opened] == ["parity.html"]
    again.view.proof.choice._choose("answers")
    assert again.view.proof.answers.before.isVisible()


def test_that_what_was_exported_can_be_pushed(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    assert not page.view.made.push.isVisible()
    exported(qtbot, page)
    page.view.made.push.click()
    dialog = page.findChildren(PushDialog)[-1]
    qtbot.waitUntil(lambda: dialog.form.artefact.count() == 2, timeout=PATIENCE_MS)
    assert dialog.isVisible()
    dialog.reject()


def test_that_a_second_export_asks_before_it_replaces(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    exported(qtbot, page)
    old = example.directory / "exports" / run.name / "merged" / "config.json"
    old.write_text("old", encoding="utf-8")
    page.view.made.export.click()
    page.deed.question.back.click()
    assert old.read_text(encoding="utf-8") == "old"
    page.view.made.export.click()
    page.deed.question.deed.click()
    settled(qtbot, page)
    assert old.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("publishes", [False, True])
def test_that_a_model_that_differs_is_asked_about(
    qtbot, desk: TestDesk, example, monkeypatch, publishes
):
    monkeypatch.setenv("PLAYED_EXPORT", "differs")
    run = finished_run(example)
    page = shown(qtbot, desk)
    exported(qtbot, page)
    assert page.opened == [], "nothing is handed on before it is decided"
    verdict = page.view.proof.certificate.verdict
    assert verdict.mark.words == "It differs from what was trained"
    assert page.view.proof.certificate._wrong.text() == "12.0% is lost again."
    question = page.deed.question
    (question.deed if publishes else question.back).click()
    settled(qtbot, page)
    out = example.directory / "exports" / run.name
    kept = "merged" if publishes else "merged-differs"
    assert {place.name for place in out.iterdir()} == {"adapter", kept}
    assert page.opened == ([out] if publishes else [])
    said = "Exported, though it differs" if publishes else "The model was kept aside"
    assert page.view.made._result.full_text() == said
    assert verdict.mark.words == "It differs from what was trained"


def test_that_it_can_be_exported_elsewhere_and_in_part(
    qtbot, desk: TestDesk, example, tmp_path
):
    finished_run(example)
    page = shown(qtbot, desk)
    made = page.view.made
    page._on_export_folder(str(tmp_path))
    settled(qtbot, page)
    made.number_format.set_value("fp32")
    assert made._need.text().startswith("Needs about 0.54 GiB")
    made.adapter.click()
    assert made._need.text().startswith("Needs about 0.53 GiB")
    exported(qtbot, page)
    out = tmp_path / "cheesemonger-1"
    assert [place.name for place in out.iterdir()] == ["merged"]
    assert page.view.made._result.toolTip() == str(out)
    made.merged.click()
    assert not made.export.isEnabled()
    assert made._refused.text() == "Tick what shall be made."


def held_in(precision: str, variant: str, folder: Path) -> str:
    run = finished_run(folder)
    recipe = run.read_recipe()
    chosen = {"model.precision": precision, "lora.variant": variant}
    save_recipe(run.recipe_path, recipe.with_values(chosen))
    return run.name


def ordered(page: ExportPage, monkeypatch) -> list[tuple[str, ...]]:
    """What the engine is told to do, instead of doing it."""
    told: list[tuple[str, ...]] = []
    begin = page.deed.exporting.job.begin

    def watched(verb: str, *arguments: str, log_path: Path) -> None:
        told.append((verb, *arguments))
        begin(verb, *arguments, log_path=log_path)

    monkeypatch.setattr(page.deed.exporting.job, "begin", watched)
    return told


def test_that_a_merge_as_trained_is_asked_for_where_4_bits_held_the_base(
    qtbot, desk: TestDesk, example, monkeypatch
):
    held_in("nf4", "lora", example)
    page = shown(qtbot, desk)
    told = ordered(page, monkeypatch)
    assert page.view.made.as_trained.isVisible()
    page.view.made.as_trained.click()
    exported(qtbot, page)
    assert "--as-trained" in told[0]


@pytest.mark.parametrize(
    ("precision", "variant"), [("bf16", "lora"), ("int8", "lora"), ("nf4", "pissa")]
)
def test_that_it_is_not_offered_where_it_can_t_be_had(
    qtbot, desk: TestDesk, example, precision, variant
):
    held_in(precision, variant, example)
    page = shown(qtbot, desk)
    assert not page.view.made.as_trained.isVisible()
    page.view.made.as_trained.setChecked(True)
    assert not page.view.made.is_as_trained


def test_that_a_failed_export_is_told_and_can_be_tried_again(
    qtbot, desk: TestDesk, example, monkeypatch
):
    monkeypatch.setenv("PLAYED_EXPORT", "fails")
    finished_run(example)
    page = shown(qtbot, desk)
    exported(qtbot, page)
    assert finding(page) == "It is there already."
    assert page.opened == []
    monkeypatch.delenv("PLAYED_EXPORT")
    exported(qtbot, page)
    assert len(page.opened) == 1


def test_that_an_export_can_be_cancelled(qtbot, desk: TestDesk, example, monkeypatch):
    monkeypatch.setenv("PLAYED_EXPORT", "waits")
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.made.export.click()
    qtbot.waitUntil(
        lambda: page.view.made._doing.full_text() == "Merging the weights",
        timeout=PATIENCE_MS,
    )
    page.view.made.cancel.click()
    settled(qtbot, page)
    assert finding(page) == "Stopped; nothing half-made was kept."
    assert page.view.made.export.isEnabled()


def test_that_a_disk_that_is_too_full_refuses_the_export(
    qtbot, desk: TestDesk, example, monkeypatch
):
    monkeypatch.setattr("studio.ui.pages.export.told.free_bytes_at", lambda _: 1 << 20)
    finished_run(example)
    page = shown(qtbot, desk)
    assert not page.view.made.export.isEnabled()
    assert page.view.made._refused.text().startswith("Short of ")


def test_that_a_whole_model_is_copied_into_a_chosen_folder(
    qtbot, desk: TestDesk, example, tmp_path
):
    run = whole_run(example)
    page = shown(qtbot, desk)
    assert not page.view.made.export.isVisible()
    page.view.made.save_copy.click()
    dialog = page.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path))
    dialog.reject()
    settled(qtbot, page)
    copy = tmp_path / f"{run.name}-model"
    assert (copy / "model.safetensors").stat().st_size == 3 << 20
    assert page.view.made.copied.toolTip() == str(copy)
    page._on_copy_folder(str(tmp_path))
    settled(qtbot, page)
    assert finding(page) == f"There is already a {run.name}-model in that folder."


def test_that_both_models_are_asked_in_turn(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "-- Brie?")
    trial = page.view.trial
    assert trial.tuned.note.text() == "Waits for the other"
    assert trial.cancel.isVisible()
    assert not page.view.made.export.isEnabled()
    settled(qtbot, page)
    assert trial.base.text.toPlainText() == "Base says -- Brie?"
    assert trial.tuned.text.toPlainText() == "Tuned says -- Brie?"
    assert trial.tuned.note.text() == "4 words"
    assert page.view.made.export.isEnabled()


def test_that_ctrl_enter_asks_and_an_empty_prompt_is_waited_for(
    qtbot, desk: TestDesk, example
):
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.trial.ask.click()
    assert not page.asking.job.is_running
    page.view.trial.prompt.setText("Feta?")
    QTest.keySequence(page.view.trial.prompt, "Ctrl+Return")
    assert page.asking.job.is_running
    settled(qtbot, page)
    assert page.view.trial.tuned.text.toPlainText() == "Tuned says Feta?"


def test_that_a_failure_keeps_the_answer_that_was_given(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "fail")
    settled(qtbot, page)
    assert finding(page) == "The model is gone."
    assert page.view.trial.base.text.toPlainText() == "Base says fail"
    assert page.view.trial.tuned.note.text() == "Not answered"
    assert page.view.trial.ask.isVisible()


def test_that_asking_can_be_cancelled(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "wait")
    qtbot.waitUntil(
        lambda: page.view.trial.base.note.text() == "Loading the weights",
        timeout=PATIENCE_MS,
    )
    page.view.trial.cancel.click()
    settled(qtbot, page)
    assert finding(page) == "Stopped; nothing half-made was kept."
    assert page.view.trial.ask.isEnabled()


def test_that_nothing_is_asked_while_a_run_trains(qtbot, desk: TestDesk, example):
    finished_run(example)
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    assert not page.view.trial.ask.isEnabled()
    assert page.view.trial.refused.text() == (
        "Training is running; one model is in memory at a time."
    )
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)
    settled(qtbot, page)
    assert page.view.trial.ask.isEnabled()


def test_that_a_closing_window_ends_the_engine(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "wait")
    page.asking.job.close()
    assert not page.asking.job.is_running


def test_that_another_project_has_its_own_results(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    desk.desk.projects.create("Another")
    qtbot.waitUntil(page.view.empty.isVisible)


def test_that_every_control_of_the_export_page_has_a_name(
    qtbot, desk: TestDesk, example
):
    finished_run(example)
    assert_reachable(shown(qtbot, desk))
