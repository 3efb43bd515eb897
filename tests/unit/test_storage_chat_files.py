import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import StudioError
from studio.storage.chat_files import read_chats

GOOD = '{"messages": [{"role": "user", "content": "Hi"}, \
{"role": "assistant", "content": "Ahoy"}]}'


def chats_of(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_chats(path)


def code_of(path, content):
    with pytest.raises(StudioError) as refused:
        chats_of(path, content)
    return refused.value.finding.code


@pytest.fixture
def file(tmp_path):
    return tmp_path / "chats.jsonl"


def test_that_rows_keep_their_lines(file):
    read = chats_of(file, f"\n{GOOD}\n\n{GOOD}")
    assert [chat.line for chat in read.chats] == [2, 4]
    assert read.chats[0].answer() == "Ahoy"
    assert read.form == "Chat rows under “messages”"
    assert read.size_bytes == file.stat().st_size
    assert read.findings == ()


def test_that_an_array_is_read_with_the_lines_of_its_rows(file):
    read = chats_of(file, f"[\n  {GOOD},\n\n  {GOOD}\n]\n")
    assert [chat.line for chat in read.chats] == [2, 4]


def test_that_a_pretty_printed_array_is_read(file):
    rows = [json.loads(GOOD), json.loads(GOOD)]
    read = chats_of(file, json.dumps(rows, indent=2))
    assert len(read.chats) == 2
    assert read.chats[0].line == 2


def test_that_a_byte_order_mark_and_windows_lines_are_accepted(file):
    read = chats_of(file, b"\xef\xbb\xbf" + f"{GOOD}\r\n{GOOD}\r\n".encode())
    assert [chat.line for chat in read.chats] == [1, 2]
    array = chats_of(file, b"\xef\xbb\xbf" + f"[{GOOD}]".encode())
    assert len(array.chats) == 1


def test_that_rows_that_can_t_be_trained_on_are_told_and_the_others_kept(file):
    read = chats_of(
        file,
        "\n".join(
            [
                GOOD,
                "{broken",
                '{"messages": []}',
                '{"question": "Why?", "answer": ""}',
                '{"text": "x"}',
                "[1, 2]",
                "{also broken",
                '{"question": "Why?", "answer": "\\ud800"}',
                '{"question": "Why?", "answer": "Therefore."}',
            ]
        ),
    )
    assert [chat.line for chat in read.chats] == [1, 9]
    told = " ".join(finding.sentence() for finding in read.findings)
    assert "3 rows are left out: each is not valid JSON (2, 7, 8)" in told
    assert "Line 3 has no messages." in told
    assert "Line 4 has an empty answer." in told
    assert "Line 6 is not an object." in told
    assert "The other 2 rows are read and kept." in told
    assert read.left_out == 7


def test_that_half_a_character_is_left_out_not_trained_on(file):
    row = '{"messages": [{"role": "assistant", "content": "\\udfff"}]}'
    assert code_of(file, row) == "data.no-usable-row"


def test_that_many_bad_lines_are_counted_not_listed(file):
    read = chats_of(file, GOOD + "\n{" * 2000)
    assert len(read.findings) == 1
    assert "2,000 rows" in read.findings[0].what
    assert "and 1,990 more" in read.findings[0].what


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "data.empty"),
        ("\n \n", "data.empty"),
        ("[]", "data.empty"),
        ("{broken", "data.no-usable-row"),
        ('{"sum": 3}', "data.no-usable-row"),
        ("[" + GOOD, "data.json"),
        ("[" + GOOD + ",", "data.json"),
        ("[" + GOOD + "] and more", "data.json"),
        ("[" + GOOD + " " + GOOD + "]", "data.json"),
        ("[{broken]", "data.json"),
        ("\u00e9".encode("latin-1"), "data.encoding"),
        (GOOD.encode("utf-16"), "data.encoding"),
        (GOOD.encode("utf-32"), "data.encoding"),
        (b"[\n\n" + "Käse".encode("latin-1"), "data.encoding"),
        ("[" * 100_000, "data.json"),
        ('{"a":' * 100_000, "data.no-usable-row"),
    ],
)
def test_that_a_file_without_a_usable_row_is_refused(file, content, code):
    assert code_of(file, content) == code


def test_that_a_wrong_encoding_is_told_with_its_line(file):
    content = f"{GOOD}\n".encode() + "Käse".encode("latin-1")
    with pytest.raises(StudioError, match="line 2"):
        chats_of(file, content)
    with pytest.raises(StudioError, match="line 3"):
        chats_of(file, b"[\n\n" + "Käse".encode("latin-1"))


def test_that_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(StudioError, match="no such data file"):
        read_chats(tmp_path / "none.jsonl")
    with pytest.raises(StudioError, match="folder"):
        read_chats(tmp_path)


@given(st.binary(max_size=300))
def test_that_any_bytes_are_read_or_refused_with_words(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("data") / "any"
    refused = None
    try:
        read = chats_of(file, content)
    except StudioError as fault:
        refused = fault.finding
    if refused is None:
        assert read.chats
    else:
        assert refused.code.startswith("data.")
        assert refused.how_to_fix
