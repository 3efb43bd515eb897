"""Data sets inspected beside the window, by the real engine without a model."""

import json

import pytest

from studio.domain.recipe import Recipe
from studio.services.data_inspector import DataInspector
from studio.services.launch import engine_command
from studio.storage.data_reading import RECOGNISE
from tests.services.conftest import fake_engine

PATIENCE_MS = 60_000


def row(question, answer="Aye."):
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def write(path, count, answer="Aye."):
    rows = (json.dumps(row(f"Number {n}?", answer)) + "\n" for n in range(count))
    path.write_text("".join(rows))
    return path


def recipe_for(path):
    recipe = Recipe().with_value("data.path", str(path))
    return recipe.with_value("model.name", "a model that is not here")


class Story:
    def __init__(self, **options):
        self.started = []
        self.scene = ""
        self.inspector = DataInspector(rest_ms=0, command_for=self.command, **options)
        self.reports, self.failed, self.told = [], [], []
        self.inspector.report_ready.connect(self.reports.append)
        self.inspector.inspection_failed.connect(self.failed.append)
        self.inspector.progress.connect(lambda *told: self.told.append(told))

    def command(self, verb, *arguments):
        self.started.append(verb)
        return (
            fake_engine(self.scene) if self.scene else engine_command(verb, *arguments)
        )

    def wait(self, qtbot):
        qtbot.waitUntil(lambda: not self.inspector.is_running, timeout=PATIENCE_MS)


@pytest.fixture
def story(qapp):
    told = Story()
    yield told
    told.inspector.close()


def test_that_a_report_comes_with_an_index_of_its_rows(qtbot, story, tmp_path):
    file = write(tmp_path / "chats.jsonl", 30)
    story.inspector.inspect(recipe_for(file))
    assert story.inspector.is_running
    story.wait(qtbot)
    (report,) = story.reports
    assert (report.rows, report.usable, report.lengths.counted) == (30, 30, False)
    assert story.inspector.report is report
    chats = story.inspector.index.chat_file(file, RECOGNISE).chats
    assert chats[29].question() == "Number 29?"


def test_that_the_same_is_inspected_once_until_the_file_changes(qtbot, story, tmp_path):
    file = write(tmp_path / "chats.jsonl", 30)
    recipe = recipe_for(file)
    story.inspector.inspect(recipe)
    story.wait(qtbot)
    story.inspector.inspect(recipe.with_value("train.learning_rate", 1e-5))
    assert not story.inspector.is_running
    story.inspector.inspect(recipe, again=True)
    story.wait(qtbot)
    assert story.started == ["inspect-data"]  # the second time from the disk
    write(file, 31)
    story.inspector.inspect(recipe, again=True)
    story.wait(qtbot)
    assert [report.rows for report in story.reports] == [30, 30, 31]
    assert len(story.started) == 2


def test_that_another_length_is_another_inspection(qtbot, story, tmp_path):
    recipe = recipe_for(write(tmp_path / "chats.jsonl", 30))
    story.inspector.inspect(recipe)
    story.wait(qtbot)
    story.inspector.inspect(recipe.with_value("train.sequence_length", 64))
    story.wait(qtbot)
    assert len(story.started) == 2


def test_that_only_the_newest_order_is_told(qtbot, story, tmp_path):
    large = write(tmp_path / "large.jsonl", 200_000)
    story.inspector.inspect(recipe_for(large))
    qtbot.waitUntil(lambda: bool(story.told), timeout=PATIENCE_MS)
    done, total = story.told[0]
    assert 0 < done < total
    story.inspector.inspect(recipe_for(write(tmp_path / "small.jsonl", 3)))
    assert story.inspector.report is None
    story.wait(qtbot)
    assert [report.rows for report in story.reports] == [3]
    assert story.failed == []


def test_that_nothing_is_told_of_what_is_cancelled(qtbot, story, tmp_path):
    story.inspector.inspect(recipe_for(write(tmp_path / "large.jsonl", 200_000)))
    qtbot.waitUntil(lambda: bool(story.told), timeout=PATIENCE_MS)
    story.inspector.cancel()
    assert not story.inspector.is_running
    qtbot.waitUntil(lambda: story.inspector._task is None, timeout=PATIENCE_MS)
    assert (story.reports, story.failed) == ([], [])


@pytest.mark.parametrize(
    ("scene", "code"), [("fails", "data.empty"), ("killed", "engine.ended")]
)
def test_that_a_failed_inspection_is_a_finding(qtbot, story, tmp_path, scene, code):
    story.scene = scene
    story.inspector.inspect(recipe_for(write(tmp_path / "chats.jsonl", 3)))
    story.wait(qtbot)
    assert [finding.code for finding in story.failed] == [code]
    assert story.reports == []


def test_that_an_inspector_closes_in_the_midst_of_its_work(qtbot, story, tmp_path):
    story.inspector.inspect(recipe_for(write(tmp_path / "large.jsonl", 200_000)))
    qtbot.waitUntil(lambda: bool(story.told), timeout=PATIENCE_MS)
    story.inspector.close()
    assert not story.inspector.is_running
