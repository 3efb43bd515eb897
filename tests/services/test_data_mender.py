"""Findings mended in a new file, one by one, and taken back one by one."""

import json
from pathlib import Path

import pytest

from studio.domain.recipe import Recipe
from studio.services import inspections
from studio.services.data_mender import DataMender
from studio.storage.chat_files import read_chats
from tests.services.conftest import fake_engine

ROWS = [("Q1", "A1"), ("Q2", "A2"), ("Q2", "A2"), ("Q3", "Write to a.b@firma-nord.de.")]


@pytest.fixture
def mender(qapp):
    made = DataMender()
    yield made
    made.close()


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "rows.csv"
    lines = ["mr,ref", *(f"{question},{answer}" for question, answer in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = Recipe().with_value("data.path", str(path))
    return recipe.with_value("data.columns", ("question=mr", "answer=ref"))


def mended(qtbot, mender, deed, *arguments):
    with qtbot.waitSignal(mender.data_mended) as told:
        deed(*arguments)
    return told.args[0]


def taking(recipe, made):
    return recipe.with_values(
        {
            "data.path": made.data.path,
            "data.format": made.data.format,
            "data.columns": made.data.columns,
        }
    )


def text_of(names_data):
    return Path(names_data.data.path).read_text(encoding="utf-8")


def answers(made):
    return [chat.answer() for chat in read_chats(Path(made.data.path)).chats]


def test_that_a_new_file_is_written_and_the_old_one_stays(qtbot, mender, recipe):
    before = text_of(recipe)
    made = mended(qtbot, mender, mender.mend, recipe, "data.duplicate", "Twice.")
    assert made.data.path.endswith("rows-mended.jsonl")
    assert made.data.columns == ()
    assert answers(made) == ["A1", "A2", "Write to a.b@firma-nord.de."]
    assert text_of(recipe) == before
    assert made.mends[0].rows == 1


def test_that_mends_add_up_and_any_is_taken_back(qtbot, mender, recipe):
    first = mended(qtbot, mender, mender.mend, recipe, "data.duplicate", "Twice.")
    now = taking(recipe, first)
    both = mended(qtbot, mender, mender.mend, now, "data.personal", "An address.")
    assert [m.code for m in mender.mends_in(both.data.path)] == [
        "data.duplicate",
        "data.personal",
    ]
    assert len(answers(both)) == 3
    assert "firma-nord" not in "".join(answers(both))
    now = taking(recipe, both)
    left = mended(qtbot, mender, mender.take_back, now, "data.duplicate")
    assert len(answers(left)) == 4
    assert "firma-nord" not in "".join(answers(left))
    now = taking(recipe, left)
    none = mended(qtbot, mender, mender.take_back, now, "data.personal")
    assert none.data == recipe.data
    assert none.mends == ()


def test_that_a_file_of_that_name_is_never_replaced(qtbot, mender, recipe, tmp_path):
    (tmp_path / "rows-mended.jsonl").write_text("mine")
    made = mended(qtbot, mender, mender.mend, recipe, "data.duplicate", "Twice.")
    assert made.data.path.endswith("rows-mended-2.jsonl")
    assert (tmp_path / "rows-mended.jsonl").read_text() == "mine"


def test_that_a_refusal_is_told_and_changes_nothing(qtbot, mender, recipe, tmp_path):
    (tmp_path / "rows.csv").unlink()
    with qtbot.waitSignal(mender.mending_failed) as told:
        mender.mend(recipe, "data.duplicate", "Twice.")
    assert told.args[0].code == "data.missing"
    assert mender.mends_in(recipe.data.path) == ()
    assert not mender.is_busy


def test_that_what_is_kept_of_a_row_is_kept(qtbot, mender, tmp_path):
    path = tmp_path / "c.jsonl"
    row = {"question": "Q", "answer": "A", "source": "book"}
    path.write_text("\n".join([json.dumps(row)] * 2) + "\n")
    recipe = Recipe().with_value("data.path", str(path))
    made = mended(qtbot, mender, mender.mend, recipe, "data.duplicate", "Twice.")
    (line,) = text_of(made).splitlines()
    assert json.loads(line)["source"] == "book"


class CountingMender(DataMender):
    """A mender whose engine is played."""

    def __init__(self, scene="mends"):
        super().__init__(command_for=self.command)
        self.scene, self.started, self.counted = scene, [], []
        self.progress.connect(self.counted.append)

    def command(self, verb, *arguments):
        assert verb == "fix-data"
        options = arguments[arguments.index("--codes") :]
        self.started.append(dict(zip(options[::2], options[1::2], strict=True)))
        return [*fake_engine(self.scene), *options]


@pytest.fixture
def counting(qapp, monkeypatch):
    monkeypatch.setattr(inspections, "_is_here", bool)
    made = CountingMender()
    yield made
    made.close()


@pytest.fixture
def modelled(recipe):
    return recipe.with_value("model.name", "a model")


def test_that_what_needs_tokens_is_mended_by_the_engine(qtbot, counting, modelled):
    before = text_of(modelled)
    made = mended(qtbot, counting, counting.mend, modelled, "data.too-long", "Long.")
    assert counting.started[0]["--codes"] == "data.too-long"
    assert made.data.path.endswith("rows-mended.jsonl")
    assert answers(made) == ["A1"]
    assert (made.mends[0].rows, counting.counted) == (3, [4])
    assert text_of(modelled) == before
    assert not counting.is_busy


def test_that_all_of_several_mends_are_the_engine_s_when_one_needs_it(
    qtbot, counting, modelled
):
    made = mended(qtbot, counting, counting.mend, modelled, "data.duplicate", "Twice.")
    assert counting.started == []
    now = taking(modelled, made)
    made = mended(qtbot, counting, counting.mend, now, "data.too-long", "Long.")
    assert counting.started[0]["--codes"] == "data.duplicate,data.too-long"
    now = taking(modelled, made)
    made = mended(qtbot, counting, counting.take_back, now, "data.too-long")
    assert [mend.code for mend in made.mends] == ["data.duplicate"]
    assert len(counting.started) == 1
    assert len(answers(made)) == 3


def test_that_what_is_found_again_is_mended_again(qtbot, counting, modelled):
    made = mended(qtbot, counting, counting.mend, modelled, "data.too-long", "Long.")
    now = taking(modelled, made)
    made = mended(qtbot, counting, counting.mend, now, "data.too-long", "Longer.")
    assert [mend.what for mend in made.mends] == ["Longer."]
    assert made.data.path.endswith("rows-mended-2.jsonl")
    assert made.original == modelled.data


def test_that_a_stopped_engine_changes_nothing_and_is_no_failure(
    qtbot, counting, modelled
):
    counting.scene = "prices-slowly"
    failed = []
    counting.mending_failed.connect(failed.append)
    counting.mend(modelled, "data.too-long", "Long.")
    assert counting.is_busy
    assert counting.can_stop
    with qtbot.waitSignal(counting.busy_changed, timeout=20_000):
        counting.stop()
    assert not counting.is_busy
    assert failed == []
    assert counting.mends_in(modelled.data.path) == ()


def test_that_a_model_that_is_not_here_is_said(qtbot, mender, recipe):
    away = recipe.with_value("model.name", "nowhere/none")
    with qtbot.waitSignal(mender.mending_failed) as told:
        mender.mend(away, "data.too-long", "Long.")
    assert told.args[0].code == "data.fix-needs-model"
    assert not mender.is_busy
