"""Rows found by their text and lines, in memory and on the disk."""

import json

import pytest

from studio.domain.data_options import DataOptions
from studio.domain.dataset import Chat, ChatFile, Turn
from studio.services import data_search
from studio.services.data_search import DataSearch, last_line, places_of
from studio.storage import chat_files
from studio.storage.chat_files import read_chats


def write_rows(path, rows):
    lines = [json.dumps({"question": f"Q {n}?", "answer": f"A {n}."}) for n in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def search(qapp):
    made = DataSearch()
    yield made
    made.close()


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A file whose rows stay on the disk, one of them left out."""
    monkeypatch.setattr(chat_files, "KEPT_BYTES", 10)
    path = write_rows(tmp_path / "c.jsonl", range(1, 301))
    path.write_text("oops\n" + path.read_text())
    return read_chats(path)


def options(file: ChatFile) -> DataOptions:
    return DataOptions(path=file.path)


def test_that_rows_in_memory_are_found_at_once(qtbot, search):
    chats = tuple(Chat((Turn("user", f"Über {n}"),), n) for n in range(1, 5))
    file = ChatFile("/c.jsonl", chats, (), 1, "Chat rows")
    with qtbot.waitSignal(search.rows_found) as told:
        search.search(file, options(file), "über 3")
    result = told.args[0]
    assert list(result.places) == [2]
    assert result.is_over


def test_that_plain_texts_and_rejected_answers_are_searched(qtbot, search):
    plain = Chat((), 1, text="A long tale")
    pair = Chat((Turn("user", "Q"),), 2, rejected=(Turn("assistant", "A tale"),))
    file = ChatFile("/c.jsonl", (plain, pair), (), 1, "Rows")
    with qtbot.waitSignal(search.rows_found) as told:
        search.search(file, options(file), "TALE")
    assert list(told.args[0].places) == [0, 1]


def test_that_rows_on_the_disk_are_found_beside_the_window(qtbot, search, stored):
    with qtbot.waitSignal(search.rows_found) as told:
        search.search(stored, options(stored), "q 217")
    result = told.args[0]
    assert [stored.chats[at].question() for at in result.places] == ["Q 217?"]
    assert (result.searched, result.of) == (300, 300)


def test_that_a_search_that_finds_too_much_says_how_far_it_came(
    qtbot, search, stored, monkeypatch
):
    monkeypatch.setattr(data_search, "MOST_FOUND", 20)
    with qtbot.waitSignal(search.rows_found) as told:
        search.search(stored, options(stored), "q")
    result = told.args[0]
    assert len(result.places) == 20
    assert result.searched == 20 < result.of


def test_that_only_the_newest_search_is_told(qtbot, search, stored):
    told = []
    search.rows_found.connect(told.append)
    search.search(stored, options(stored), "q 1")
    search.search(stored, options(stored), "q 217")
    qtbot.waitUntil(lambda: bool(told))
    qtbot.wait(50)
    assert {result.text for result in told} == {"q 217"}


def test_that_no_text_finds_every_row(qtbot, search, stored):
    with qtbot.waitSignal(search.rows_found) as told:
        search.search(stored, options(stored), "")
    assert list(told.args[0].places) == list(range(300))


def test_that_rows_are_found_by_their_lines(stored):
    # The first line is none, so the row of line 3 is the second.
    assert places_of(stored.chats, {1, 3, 301}) == [1, 299]


def test_that_the_last_line_is_known_without_reading_rows(stored, tmp_path):
    assert last_line(stored.chats) == 301
    write_rows(tmp_path / "c.jsonl", range(1, 3))  # none of the old rows can be read
    assert last_line(stored.chats) == 301
    assert last_line(()) == 0
    folder = [Chat((), line) for line in (1, 2, 3, 1)]
    assert last_line(folder) >= 3
