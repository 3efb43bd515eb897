"""What the window's services show is what real engines count, on a tiny model."""

import shutil
from pathlib import Path

import pytest

from studio.domain.recipe import Recipe
from studio.domain.token_view import TokenUse
from studio.engine.chat_rendering import RowMaker
from studio.engine.tokenizer_loading import load_tokenizer
from studio.services.data_inspector import DataInspector
from studio.services.token_viewer import RowQuestion, TokenViewer
from studio.storage.chat_files import read_chats
from tests.engine.test_data_inspection import HOSTILE

PATIENCE_MS = 60_000


@pytest.fixture
def recipe(tiny_model, chat_file):
    recipe = Recipe().with_value("data.path", str(chat_file))
    return recipe.with_value("model.name", str(tiny_model))


@pytest.fixture
def viewer(qapp):
    viewer = TokenViewer()
    yield viewer
    viewer.close()


@pytest.fixture
def inspector(qapp):
    inspector = DataInspector(rest_ms=0)
    yield inspector
    inspector.close()


def test_that_a_row_in_the_window_is_the_row_that_is_trained(
    qtbot, viewer, recipe, tiny_model
):
    file = read_chats(Path(recipe.data.path))
    row = RowMaker(load_tokenizer(tiny_model)).row(file.chats[7])
    with qtbot.waitSignal(viewer.view_ready, timeout=PATIENCE_MS) as told:
        viewer.ask(RowQuestion.about(file, 7, recipe))
    (view,) = told.args
    assert [token.id for token in view.tokens] == list(row.ids)
    assert view.count(TokenUse.TRAINED) == row.training_row().trained_tokens


def test_that_lengths_in_the_window_are_counted(qtbot, inspector, recipe, tiny_model):
    with qtbot.waitSignal(inspector.report_ready, timeout=PATIENCE_MS) as told:
        inspector.inspect(recipe)
    (report,) = told.args
    chats = read_chats(Path(recipe.data.path)).chats
    rows = RowMaker(load_tokenizer(tiny_model)).rows(chats)
    assert report.lengths.counted
    assert report.lengths.tokens == tuple(sorted(len(row.ids) for row in rows))


def test_that_a_large_file_is_told_twice_first_without_tokens(qtbot, inspector, recipe):
    reports = []
    inspector.report_ready.connect(reports.append)
    inspector.inspect(recipe, quickly_first=True)
    qtbot.waitUntil(lambda: not inspector.is_running, timeout=PATIENCE_MS)
    assert [report.lengths.counted for report in reports] == [False, True]


def test_that_a_hostile_template_is_a_finding_in_the_window(
    qtbot, inspector, viewer, recipe, tiny_model, tmp_path
):
    folder = tmp_path / "hostile"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(HOSTILE)
    hostile = recipe.with_value("model.name", str(folder))
    with qtbot.waitSignal(inspector.inspection_failed, timeout=PATIENCE_MS) as told:
        inspector.inspect(hostile)
    assert told.args[0].code == "data.template-refused"
    file = read_chats(Path(recipe.data.path))
    with qtbot.waitSignal(viewer.view_failed, timeout=PATIENCE_MS) as told:
        viewer.ask(RowQuestion.about(file, 0, hostile))
    assert told.args[0].code == "data.template-refused"
