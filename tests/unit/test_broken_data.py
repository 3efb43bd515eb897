"""What is found in files that are broken, each named after its fault."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.data_checks.mended_codes import MENDED, TOKENS
from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.storage.chat_files import read_chats
from studio.storage.data_fixing import Fixes, fix
from studio.storage.data_inspection import inspect_file
from studio.storage.data_reading import RECOGNISE
from studio.storage.tables import text_lines

FILES = Path(__file__).with_name("broken_data")
SETTINGS = CheckSettings(sequence_length=512)
UNUSABLE = "data.no-usable-row"

EXPECTED = {
    "answer-first.jsonl": {"data.role-order"},
    "array-of-texts.json": {UNUSABLE, "data.row-left-out"},
    "blank-lines.jsonl": {"data.empty"},
    "byte-order-mark-in-the-middle.jsonl": {"data.duplicate", "data.unreadable-row"},
    "bytes-column.parquet": {UNUSABLE, "data.not-text"},
    "comments.jsonl": {"data.unreadable-row"},
    "concatenated-arrays.json": {"data.json"},
    "control-characters.jsonl": {"data.control-characters"},
    "deep-nesting.json": {"data.json"},
    "deep-nesting.jsonl": {"data.unreadable-row"},
    "empty-answer.jsonl": {"data.empty-turn"},
    "empty-answers.csv": {"data.empty-turn"},
    "empty-array.json": {"data.empty"},
    "empty-question.jsonl": {"data.empty-turn"},
    "empty-text.jsonl": {"data.no-content"},
    "empty.csv": {"data.empty"},
    "empty.jsonl": {"data.empty"},
    "empty.parquet": {"data.columnar"},
    "empty.txt": {"data.empty"},
    "excel.csv": {"data.kind"},
    "guessed-columns.csv": {"data.format-guessed"},
    "gzip.jsonl": {"data.kind"},
    "html-in-a-row.jsonl": {"data.markup"},
    "image-in-content.jsonl": {"data.not-text"},
    "invalid-byte.jsonl": {"data.encoding"},
    "latin-1.csv": {"data.encoding"},
    "messages-without-list.jsonl": {UNUSABLE, "data.row-left-out"},
    "lone-surrogate.json": {"data.half-character"},
    "lone-surrogate.jsonl": {"data.unreadable-row"},
    "messages-as-text.jsonl": {"data.row-left-out"},
    "missing-column.jsonl": {"data.no-content"},
    "missing-content.jsonl": {"data.no-content"},
    "mixed-forms.jsonl": {"data.mixed-forms"},
    "mojibake.jsonl": {"data.encoding-damage"},
    "nan.jsonl": {"data.unreadable-row"},
    "nearly-repeated-rows.jsonl": {"data.near-duplicate"},
    "nested-nulls.jsonl": {"data.no-content", "data.not-text", "data.unknown-role"},
    "no-answer.jsonl": {"data.no-answer"},
    "no-header.csv": {"data.format-guessed"},
    "no-messages.jsonl": {"data.no-content"},
    "no-rows.parquet": {"data.empty"},
    "nul-bytes.csv": {"data.control-characters"},
    "nul-bytes.jsonl": {"data.unreadable-row"},
    "null-column.parquet": {"data.no-content", UNUSABLE},
    "null-content.jsonl": {"data.no-content"},
    "number-in-content.jsonl": {"data.not-text"},
    "numbers.csv": {UNUSABLE, "data.unknown-form"},
    "numbers.jsonl": {UNUSABLE, "data.row-left-out"},
    "object-cut-off.json": {"data.json"},
    "object-with-two-lists.json": {"data.json"},
    "only-header.csv": {"data.empty"},
    "pdf.txt": {"data.kind"},
    "pickle-0.jsonl": {UNUSABLE, "data.unreadable-row"},
    "pickle-3.csv": {"data.kind"},
    "pickle-5.json": {"data.kind"},
    "pickle.jsonl": {"data.kind"},
    "picture.jsonl": {"data.encoding"},
    "question-last.jsonl": {"data.role-order"},
    "ragged.csv": {"data.unreadable-row"},
    "repeated-header.csv": {"data.header"},
    "repeated-rows.jsonl": {"data.duplicate"},
    "replacement-characters.csv": {"data.lost-characters"},
    "same-answers.jsonl": {"data.dominant-answer"},
    "same-chosen-and-rejected.jsonl": {"data.row-left-out"},
    "scrambled.parquet": {"data.columnar"},
    "single-quotes.jsonl": {"data.unreadable-row"},
    "sqlite.csv": {"data.kind"},
    "system-last.jsonl": {"data.role-order"},
    "text.arrow": {"data.columnar"},
    "text.parquet": {"data.columnar"},
    "tools-as-text.jsonl": {"data.row-left-out"},
    "trailing-comma.json": {"data.json"},
    "truncated-array.json": {"data.json"},
    "truncated-line.jsonl": {"data.unreadable-row"},
    "truncated.arrow": {"data.columnar"},
    "truncated.parquet": {"data.columnar"},
    "two-objects-on-a-line.jsonl": {"data.unreadable-row"},
    "two-questions-in-a-row.jsonl": {"data.role-order"},
    "unclosed-quote.csv": {"data.unreadable-row"},
    "unknown-columns.jsonl": {UNUSABLE, "data.unknown-form"},
    "unknown-role.jsonl": {"data.unknown-role"},
    "unnamed-columns.csv": {"data.header"},
    "utf-16-without-mark.csv": {"data.encoding"},
    "utf-16.jsonl": {"data.encoding"},
    "utf-32.csv": {"data.encoding"},
    "verdict-missing.jsonl": {"data.row-left-out"},
    "windows-1252-quotes.jsonl": {"data.encoding"},
    "word.txt": {"data.kind"},
    "zip.jsonl": {"data.kind"},
}
STOPS = {
    "data.columnar",
    "data.empty",
    "data.encoding",
    "data.header",
    "data.json",
    "data.kind",
    UNUSABLE,
}
"""What leaves nothing to train on."""


def _found(path):
    report = inspect_file(path, RECOGNISE, SETTINGS)
    return {f.code: f for f in report.findings if f.code != "data.few-rows"}


def test_that_every_broken_file_is_looked_at():
    assert {file.name for file in FILES.iterdir()} == set(EXPECTED)
    assert len(EXPECTED) > 40


@pytest.mark.parametrize("name", EXPECTED)
def test_that_a_broken_file_is_told_by_its_fault(name):
    found = _found(FILES / name)
    assert set(found) == EXPECTED[name]
    for code, finding in found.items():
        assert (finding.severity is Severity.ERROR) == (code in STOPS)
        assert finding.what.endswith((".", "!"))
        assert finding.fix
        assert finding.count == 0 or len(finding.rows) in {0, finding.count}


@pytest.mark.parametrize("name", EXPECTED)
def test_that_training_reads_what_is_found_to_be_usable(name):
    report = inspect_file(FILES / name, RECOGNISE, SETTINGS)
    if report.usable and not set(EXPECTED[name]) & STOPS:
        read = read_chats(FILES / name)
        assert (len(read.chats), read.left_out) == (
            report.usable,
            report.rows - report.usable,
        )
    else:
        with pytest.raises(StudioError):
            read_chats(FILES / name)


@pytest.mark.parametrize("name", EXPECTED)
def test_that_what_can_be_mended_in_a_broken_file_is(tmp_path, name):
    codes = [code for code in MENDED if code not in TOKENS]
    before = (FILES / name).read_bytes()
    fixes, new = Fixes(codes=codes), tmp_path / "new.jsonl"
    if EXPECTED[name] & STOPS:
        with pytest.raises(StudioError):
            fix(FILES / name, RECOGNISE, fixes, new)
        assert not list(tmp_path.iterdir())
    else:
        fix(FILES / name, RECOGNISE, fixes, new)
        assert not set(_found(new)) & set(codes)
    assert (FILES / name).read_bytes() == before


def _row(question, answer):
    return json.dumps(_chat(("user", question), ("assistant", answer))) + "\n"


def _chat(*turns):
    return {"messages": [{"role": role, "content": words} for role, words in turns]}


def test_that_a_line_without_an_end_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(text_lines, "LONGEST_ROW", 4096)
    file = tmp_path / "rows.jsonl"
    file.write_text(_row("Who?", "He.") + _row("Why?", "so " * 4000))
    assert set(_found(file)) == {"data.row-too-long"}


def test_that_personal_data_and_secrets_are_told(tmp_path):
    file = tmp_path / "rows.jsonl"
    secret = (
        "hf" + "_" + "aB3" * 12
    )  # put together, so that no scanner takes it for one
    file.write_text(_row("Who?", "jane@firm.org") + _row("How?", f"Use {secret}."))
    assert set(_found(file)) == {"data.personal", "data.secret"}


def test_that_folders_without_data_and_missing_files_are_told(tmp_path):
    assert set(_found(tmp_path)) == {"data.folder"}
    assert set(_found(tmp_path / "none.jsonl")) == {"data.missing"}


def test_that_a_broken_file_of_a_folder_is_told_with_its_name(tmp_path):
    (tmp_path / "a.jsonl").write_text(_row("Who?", "He."))
    (tmp_path / "b.jsonl").write_text("{\n")
    found = _found(tmp_path)["data.unreadable-row"]
    assert found.what == "Row b.jsonl 1 is left out: it is not valid JSON."
    (tmp_path / "c.jsonl").write_bytes("Wie heißt".encode("latin-1"))
    assert "data.encoding" in _found(tmp_path)


CALLING = {
    "messages": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "w"}}],
        },
        {"role": "tool", "content": "sun"},
        {"role": "assistant", "content": "Sunny."},
    ]
}


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + _row("Who?", "He."),
        _row("Who?", "He.").replace("\n", "\r\n"),
        _row("Who?", "He.").rstrip(),
        json.dumps(CALLING),
    ],
    ids=[
        "byte order mark",
        "line breaks of Windows",
        "no last break",
        "calls of tools",
    ],
)
def test_that_sound_files_that_look_odd_are_not_faulted(tmp_path, content):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content.encode())
    assert not _found(file)


def test_that_offsets_that_point_anywhere_do_not_end_the_process(tmp_path):
    table = pa.table({"question": ["abc", "def", "ghi"], "answer": ["x", "y", "z"]})
    file = tmp_path / "rows.arrow"
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, table.schema) as into:
        into.write_table(table)
    sound = b"".join(n.to_bytes(4, "little") for n in (0, 3, 6, 9))
    damaged = sound[:8] + b"\xff\xff\xff\x7f" + sound[12:]
    assert sound in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(sound, damaged))
    assert set(_found(file)) == {"data.columnar"}


def test_that_text_that_is_not_utf_8_in_a_parquet_file_is_told(tmp_path):
    broken = pa.array([b"caf\xe9", b"so"]).view(pa.string())
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"question": broken, "answer": ["a b", "c d"]}), file)
    assert set(_found(file)) == {"data.columnar"}
