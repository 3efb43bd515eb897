"""The verbs inspect-data and show-rows: what they find, and in what process."""

import json
import shutil
import time

import pytest

from studio.domain.dataset import RowError
from studio.domain.errors import ExitCode
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import RowMaker
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.commands import ShowRow
from studio.protocol.data_events import DataInspected, RowNotShown, RowShown
from studio.protocol.data_words import heard_view
from studio.protocol.events import Hello, Progress, RunFailed
from studio.storage.chat_files import read_chats
from studio.storage.data_index import DataIndex, find_index, key_of, let_old_go
from studio.storage.data_reading import RECOGNISE
from studio.storage.models import ModelPlace, ModelState
from studio.storage.recipes import save_recipe
from studio.system.paths import data_indexes_dir
from tests.engine import tiny
from tests.engine.helpers import Process, carry_out, engine, of_kind

HOSTILE = "{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2


def inspect(data, model=""):
    code, events = carry_out("inspect-data", data=data, model=str(model))
    return code, events


def found_by(event):
    return {each.code: each for each in event.findings}


def test_that_a_data_set_is_counted_as_it_is_trained(tiny_model, tmp_path):
    rows = tiny.chats(30)
    rows[4] = {"messages": [{"role": "user", "content": "No answer?"}]}
    file = tiny.write_chats(tmp_path / "chats.jsonl", rows)
    recipe = (
        Recipe()
        .with_value("data.path", str(file))
        .with_value("train.sequence_length", 24)
    )
    save_recipe(tmp_path / "recipe.toml", recipe)
    code, events = inspect(tmp_path / "recipe.toml", tiny_model)
    assert code is ExitCode.OK
    told = events[-1]
    assert isinstance(told, DataInspected)
    chats = read_chats(file).chats
    trained = RowMaker(load_tokenizer(tiny_model)).rows(chats)
    assert (told.rows, told.usable, told.counted) == (30, 29, True)
    assert told.all_tokens == sum(len(row.ids) for row in trained)
    labels = [row.training_row().cut(24) for row in trained]
    assert told.trained_tokens == sum(row.trained_tokens for row in labels)
    assert found_by(told)["data.no-answer"].rows == [5]
    longer = [c.line for c, r in zip(chats, trained, strict=True) if len(r.ids) > 24]
    assert found_by(told)["data.too-long"].rows == longer
    index = DataIndex(data_indexes_dir() / key_of(recipe, place_of(tiny_model)))
    assert str(index.folder) == told.index
    assert index.report().lengths.tokens == tuple(sorted(len(r.ids) for r in trained))
    assert list(index.tokens()) == [len(row.ids) for row in trained]


def place_of(folder):
    return ModelPlace(
        name=str(folder),
        title=folder.name,
        state=ModelState.READY,
        folder=folder,
    )


def test_that_the_file_of_an_index_is_the_file_as_read(tmp_path):
    rows = tiny.chats(30)
    rows[4] = {"messages": []}
    file = tiny.write_chats(tmp_path / "chats.jsonl", rows)
    code, events = inspect(file)
    assert code is ExitCode.OK
    read = read_chats(file)
    indexed = DataIndex(data_indexes_dir() / events[-1].index.split("/")[-1])
    indexed = indexed.chat_file(file, RECOGNISE)
    assert list(indexed.chats) == list(read.chats)
    assert indexed.lengths == read.lengths
    assert indexed.findings == read.findings
    assert (indexed.is_whole, indexed.left_out) == (True, 1)


def test_that_a_row_that_the_template_refuses_is_told_and_counted_out(tmp_path):
    folder = tmp_path / "model"
    strict = (
        "{% if messages[0]['content'] == 'Which cheese is number 3?' %}"
        "{{ raise_exception('No threes') }}{% endif %}"
    ) + tiny.CHATML
    tiny.make_tokenizer(strict).save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    file = tiny.write_chats(tmp_path / "chats.jsonl", tiny.chats(5))
    made = RowMaker(load_tokenizer(folder)).rows(read_chats(file).chats)
    assert isinstance(made[3], RowError)
    from studio.engine.data_inspection import Subject, inspect_data
    from tests.engine.helpers import Heard

    heard = Heard()
    recipe = Recipe().with_value("data.path", str(file))
    told = inspect_data(heard.session, Subject(recipe, place_of(folder)))
    heard.close()
    assert (told.rows, told.usable) == (5, 4)
    assert "No threes" in found_by(told)["data.not-rendered"].what


def test_that_a_file_that_is_none_is_a_result(tmp_path):
    code, events = inspect(tmp_path / "nowhere.jsonl")
    assert code is ExitCode.OK
    assert found_by(events[-1])["data.missing"].severity == "error"
    assert events[-1].index == ""


@pytest.fixture
def hostile_model(tiny_model, tmp_path):
    folder = tmp_path / "hostile"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(HOSTILE)
    return folder


def test_that_a_hostile_template_ends_in_words(hostile_model, chat_file):
    with engine("inspect-data", chat_file, "--model", hostile_model) as process:
        failed = process.listen_until(RunFailed)
        code, _ = process.end()
    assert failed.kind == "data.template-refused"
    assert code == ExitCode.BAD_INPUT


def test_that_no_model_needs_no_torch(chat_file, tmp_path):
    # An import of either would fail.
    for library in ("torch", "transformers"):
        (tmp_path / f"{library}.py").write_text("raise RuntimeError('not needed')")
    path = f"{tmp_path}:."
    with engine("inspect-data", chat_file, PYTHONPATH=path) as process:
        code, log = process.end()
    assert (code, log) == (0, "")
    assert isinstance(process.events[-1], DataInspected)


def test_that_a_model_needs_no_torch(tiny_model, chat_file, tmp_path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('not needed')")
    path = f"{tmp_path}:."
    arguments = ("inspect-data", chat_file, "--model", tiny_model)
    with engine(*arguments, PYTHONPATH=path) as process:
        code, log = process.end()
    assert code == 0, log
    assert process.events[-1].counted


def test_that_it_tells_how_far_it_is_and_ends_when_told(tmp_path):
    line = json.dumps(tiny.chats(1)[0]) + "\n"
    file = tmp_path / "many.jsonl"
    file.write_text(line * 300_000)
    before = set(data_indexes_dir().glob("*"))
    with engine("inspect-data", file) as process:
        progress = process.listen_until(Progress)
        process.popen.terminate()
        code, _ = process.end()
    assert 0 < progress.done < 300_000
    assert progress.total == pytest.approx(300_000, rel=0.01)
    assert code == ExitCode.STOPPED
    assert [event.kind for event in of_kind(process.events, RunFailed)] == [
        "interrupted"
    ]
    assert set(data_indexes_dir().glob("*")) == before


def ask(process: Process, order, line, place, length=512):
    process.order(ShowRow(order=order, line=line, place=place, length=length))
    return process.listen_until(RowShown | RowNotShown)


def test_that_rows_are_shown_as_they_are_asked_for(tiny_model, tmp_path):
    rows = tiny.chats(3)
    rows[1] = {"messages": []}
    file = tiny.write_chats(tmp_path / "chats.jsonl", rows)
    second = len(file.read_bytes().split(b"\n")[0]) + 1
    with engine("show-rows", file, "--model", tiny_model) as process:
        shown = ask(process, 1, 1, 0)
        refused = ask(process, 2, 2, second)
        cut = ask(process, 3, 1, 0, length=12)
        file.write_text("changed\n")
        changed = ask(process, 4, 1, 0)
        process.popen.stdin.close()
        code, log = process.end()
    view = heard_view(shown)
    text = "".join(token.text for token in view.tokens)
    assert "Which cheese is number 0?" in text
    assert text.startswith("<|im_start|>user\n")
    trained = "".join(t.text for t in view.tokens if t.use == "trained")
    assert trained == "Aye, number 0 is a fine Brie.<|im_end|>"
    assert [t.text for t in view.tokens if t.is_mark] == [
        "<|im_start|>",
        "<|im_end|>",
    ] * 2
    assert refused.finding.code == "data.row-left-out"
    assert [t.use for t in heard_view(cut).tokens[11:13]] == ["read", "cut"]
    assert changed.finding.code == "data.changed"
    assert code == ExitCode.ORPHANED, log


def test_that_only_the_newest_of_several_orders_is_answered():
    from studio.engine.orders import Orders

    orders = Orders()
    assert orders.newest_row(0.01) is None
    for number in range(3):
        orders.take(ShowRow(order=number, line=1, place=0, length=8))
    assert orders.newest_row(0.01).order == 2
    assert orders.newest_row(0.01) is None


def test_that_the_engine_greets_without_a_device(chat_file):
    _, events = inspect(chat_file)
    (hello,) = of_kind(events, Hello)
    assert hello.device == ""


def test_that_few_indexes_are_kept(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "report.json").write_text("{}")
        time.sleep(0.01)
    assert find_index(tmp_path, "0") is not None  # which makes it the newest
    let_old_go(tmp_path, kept=2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0", "4"]
