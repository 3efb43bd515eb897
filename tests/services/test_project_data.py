"""The project's data: first rows at once, all of them later, and their tokens."""

import pytest

from studio.services.data_inspector import DataInspector
from studio.services.data_reader import DataReader
from studio.services.projects import Projects
from studio.storage import data_sets
from studio.ui.pages.project_data import ProjectData
from tests.services.conftest import fake_engine
from tests.services.test_data_inspector import write

PATIENCE_MS = 60_000
LARGE = 2_000


@pytest.fixture
def _large_from_little(monkeypatch):
    monkeypatch.setattr(data_sets, "KEPT_BYTES", 10_000)
    monkeypatch.setattr(data_sets, "FIRST_ROWS", 50)


class Story:
    def __init__(self, **options):
        self.projects = Projects()
        self.inspector = DataInspector(rest_ms=0, **options)
        self.data = ProjectData(self.projects, DataReader(), self.inspector)
        self.files, self.checking = [], []
        self.data.progress_changed.connect(
            lambda: self.checking.append(self.data.is_checking)
        )
        self.data.data_changed.connect(self._note)

    def _note(self):
        if self.data.chat_file is not None:
            self.files.append(self.data.chat_file)

    def use(self, path):
        project = self.projects.current or self.projects.create("Cheese")
        recipe = project.recipe.with_value("data.path", str(path))
        # A model that isn't here is none to count by.
        project.set_recipe(recipe.with_value("model.name", "nowhere/none"))

    def wait(self, qtbot, rows):
        def is_there():
            file = self.data.chat_file
            return file is not None and file.is_whole and len(file.chats) == rows

        qtbot.waitUntil(is_there, timeout=PATIENCE_MS)


@pytest.fixture
def story(qapp):
    told = Story()
    yield told
    told.data.close()


@pytest.mark.usefixtures("_large_from_little")
def test_that_a_large_files_first_rows_are_there_before_the_others(
    qtbot, story, tmp_path
):
    story.use(write(tmp_path / "large.jsonl", LARGE))
    story.wait(qtbot, LARGE)
    first = story.files[0]
    assert (first.is_whole, len(first.chats)) == (False, 50)
    whole = story.data.chat_file
    assert whole.chats[LARGE - 1].question() == f"Number {LARGE - 1}?"
    assert whole.lengths.rows == LARGE
    assert story.data.report.rows == LARGE
    assert story.data.finding is None


@pytest.mark.usefixtures("_large_from_little")
def test_that_a_large_file_is_read_even_when_it_cannot_be_checked(qtbot, tmp_path):
    story = Story(command_for=lambda *_: fake_engine("killed"))
    story.use(write(tmp_path / "large.jsonl", LARGE))
    story.wait(qtbot, LARGE)
    assert story.data.trouble.code == "engine.ended"
    assert story.data.report is None
    story.data.close()


@pytest.mark.usefixtures("_large_from_little")
def test_that_a_stopped_check_leaves_all_rows_to_see(qtbot, tmp_path):
    story = Story(command_for=lambda *_: fake_engine("deaf"))
    story.use(write(tmp_path / "large.jsonl", LARGE))
    qtbot.waitUntil(lambda: bool(story.files), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: story.inspector._task is not None, timeout=PATIENCE_MS)
    assert story.data.is_checking
    assert True in story.checking  # and that was told
    story.data.stop_checking()
    assert not story.data.is_checking
    story.wait(qtbot, LARGE)
    assert story.data.is_stopped
    assert not story.data.is_checking  # the rest was read, and nothing begun anew
    story.data.check_again()
    assert story.data.is_checking
    assert not story.data.is_stopped
    story.data.close()


def test_that_a_report_of_an_old_file_is_never_shown_for_a_new_one(
    qtbot, story, tmp_path
):
    story.use(write(tmp_path / "first.jsonl", 30))
    qtbot.waitUntil(lambda: story.data.report is not None, timeout=PATIENCE_MS)
    story.use(write(tmp_path / "second.jsonl", 40))
    assert story.data.report is None
    qtbot.waitUntil(lambda: story.data.report is not None, timeout=PATIENCE_MS)
    assert story.data.report.rows == 40


def test_that_a_file_that_was_changed_is_checked_again(qtbot, story, tmp_path):
    file = write(tmp_path / "first.jsonl", 30)
    story.use(file)
    qtbot.waitUntil(lambda: story.data.report is not None, timeout=PATIENCE_MS)
    write(file, 35)
    story.data.read_again()
    qtbot.waitUntil(lambda: story.data.report is not None, timeout=PATIENCE_MS)
    assert (story.data.report.rows, len(story.data.chat_file.chats)) == (35, 35)


def test_that_a_file_without_a_usable_row_is_a_finding(qtbot, story, tmp_path):
    file = tmp_path / "empty.jsonl"
    file.write_text("\n")
    story.use(file)
    qtbot.waitUntil(lambda: story.data.finding is not None, timeout=PATIENCE_MS)
    assert story.data.chat_file is None
    assert not story.data.is_checking
