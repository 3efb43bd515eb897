import errno
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.cli import main
from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.data_checks.check import RowTokens
from studio.domain.data_checks.mended_codes import LEFT_OUT, MENDED, NOT_RENDERED
from studio.domain.data_fixes import FixSettings, fix_of
from studio.domain.dataset import RowError
from studio.domain.errors import StudioError
from studio.storage import documents
from studio.storage.chat_files import read_chats
from studio.storage.data_fixing import Fixes, fix
from studio.storage.data_inspection import (
    Inspection,
    checks_of,
    inspect_file,
    overlap_with,
)
from studio.storage.data_reading import RECOGNISE, Choice, open_data

SETTINGS = CheckSettings(sequence_length=20, held_out=0.3, seed=1)
SECRET = "gh" + "p_" + "q2" * 18


def _chat(*turns, **columns):
    return {"messages": [{"role": r, "content": c} for r, c in turns], **columns}


def _pair(question, answer, **columns):
    return _chat(("user", question), ("assistant", answer), **columns)


LONG = (
    "The keeper of the lighthouse walks down to the harbour every morning, buys two "
    "loaves of bread and a newspaper, and tells the children there how the night was."
)
BROKEN = {
    "data.unreadable-row": ["{broken", "[1"],
    "data.row-left-out": ["[1, 2]", '"text"'],
    "data.unknown-role": [_chat(("narrator", "x"), ("assistant", "y"))],
    "data.no-answer": [_chat(("user", "x"))],
    "data.no-content": [_pair(None, "x"), {"messages": []}],
    "data.not-text": [_pair(5, "x"), _pair([{"type": "image"}], "x")],
    "data.half-character": [],
    "data.encoding-damage": [_pair("fÃ¼r", "donâ€™t", source="MÃ¼ller")],
    "data.control-characters": [_pair("a\x00b", "c\x1b[0m"), _pair("q", "\x00")],
    "data.personal": [_pair("Who?", "jane@firm.org", mail="jane@firm.org")],
    "data.secret": [_pair(f"Use {SECRET}", "Used.")],
    "data.role-order": [
        _chat(("user", "a"), ("user", "b"), ("assistant", "c")),
        _chat(("user", "a"), ("system", "s"), ("assistant", "c"), ("user", "d")),
        _chat(("assistant", "a"), ("user", "b"), ("assistant", "c")),
        _chat(("assistant", "alone")),
        _chat(("assistant", "a"), ("user", "alone")),
    ],
    "data.empty-turn": [
        _pair(" ", "x"),
        _pair("x", ""),
        _chat(("system", ""), ("user", "u"), ("assistant", "a")),
    ],
    "data.not-rendered": [_pair("Refused", "x")],
    "data.too-long": [_pair("long " * 30, "x")],
    "data.all-masked": [_pair("long " * 30, "x"), _pair("w " * 20, "y")],
    "data.duplicate": [_pair("Why 1?", "so 1."), _pair(" WHY 1? ", "So  1.")],
    "data.overlap": [_pair(f"Why {n}?", f"So {n}.") for n in range(12)],
    "data.near-duplicate": [_pair(LONG, "A tale."), _pair(LONG + " Yes.", "A tale.")],
}
GOOD = [_pair(f"Why {n}?", f"So {n}.", id=n, group=f"g{n}") for n in range(12)]


def _words(chat):
    """Tokens of a tokenizer of words, an answer's in the first 20 trained."""
    if chat.question() == "Refused":
        raise RowError("is refused by the chat template", NOT_RENDERED)
    asked = sum(len(t.content.split()) for t in chat.turns if t.role != "assistant")
    count = sum(len(turn.content.split()) for turn in chat.turns)
    return RowTokens(count, max(0, min(count, 20) - asked), ends=True)


def _written(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _counted(row):
    if row.chat is None:
        return row
    try:
        return replace(row, tokens=_words(row.chat))
    except RowError as refused:
        return replace(row, fault=str(refused), code=refused.code)


def _codes_of(path):
    reading = open_data(path)
    inspection = Inspection(reading, checks_of(reading, SETTINGS))
    for _, row in inspection.rows():
        inspection.take(_counted(row))
    return {found.code: found for found in inspection.report().findings}


def _fixes(*codes):
    return Fixes(codes=codes, sequence_length=20, tokens_of=_words)


@pytest.mark.parametrize("code", [c for c in MENDED if BROKEN[c]])
def test_that_a_mended_finding_is_not_found_again_and_other_rows_are_as_they_were(
    tmp_path, code
):
    old = _written(tmp_path / "old.jsonl", [*GOOD, *BROKEN[code]])
    assert code in _codes_of(old)
    report = fix(old, RECOGNISE, _fixes(code), tmp_path / "new.jsonl")
    assert report.changed[code] + report.dropped[code] > 0
    assert code not in _codes_of(tmp_path / "new.jsonl")
    rows = _read(tmp_path / "new.jsonl")
    assert rows[: len(GOOD)] == GOOD
    assert report.kept == len(rows)
    assert report.rows == len(GOOD) + len(BROKEN[code])
    again = fix(
        tmp_path / "new.jsonl", RECOGNISE, _fixes(code), tmp_path / "again.jsonl"
    )
    assert again.dropped.total() + again.changed.total() == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (
        tmp_path / "new.jsonl"
    ).read_bytes()


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["user", "assistant", "system"]),
        st.sampled_from(
            ["a", "A ", "b c", " ", "fÃ¼r", "x\x00", "jane@firm.org", LONG, "w " * 25]
        ),
    ),
    max_size=4,
)


@given(
    st.lists(TURNS, min_size=1, max_size=25),
    st.sets(st.sampled_from(MENDED), min_size=1),
)
def test_that_any_fixes_of_any_rows_leave_nothing_of_theirs(
    tmp_path_factory, chats, codes
):
    folder = tmp_path_factory.mktemp("fix")
    old = _written(folder / "old.jsonl", [*GOOD, *[_chat(*turns) for turns in chats]])
    before = old.read_bytes()
    fix(old, RECOGNISE, _fixes(*codes), folder / "new.jsonl")
    assert not set(codes) & set(_codes_of(folder / "new.jsonl"))
    assert old.read_bytes() == before
    fix(folder / "new.jsonl", RECOGNISE, _fixes(*codes), folder / "again.jsonl")
    assert (folder / "again.jsonl").read_bytes() == (folder / "new.jsonl").read_bytes()


def test_that_what_is_mended_is_mended_in_other_columns_too(tmp_path):
    old = _written(tmp_path / "old.jsonl", [*GOOD, *BROKEN["data.personal"]])
    fix(old, RECOGNISE, _fixes("data.personal"), tmp_path / "new.jsonl")
    row = json.loads((tmp_path / "new.jsonl").read_text().splitlines()[-1])
    assert row["mail"] == "[e-mail]"


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": f"A text {n} of some words.", "id": n} for n in range(12)],
        [
            {
                "prompt": f"Why {n}, and what for?",
                "chosen": f"So it is, {n}.",
                "rejected": f"No idea, {n}.",
                "id": n,
            }
            for n in range(12)
        ],
        [
            {"prompt": f"Why {n}?", "completion": f"So {n}.", "label": n % 2 == 0}
            for n in range(12)
        ],
        [{"instruction": f"Do {n}", "input": "x", "output": f"{n}"} for n in range(12)],
        [
            {
                "conversations": [
                    {"from": "system", "value": "s"},
                    {"from": "human", "value": f"Why {n}?"},
                    {"from": "gpt", "value": f"So {n}."},
                ],
                "system": "other",
            }
            for n in range(12)
        ],
        [
            {
                "messages": [
                    {"role": "user", "content": f"Weather {n}?"},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "w", "arguments": {}}}],
                    },
                    {"role": "tool", "content": "sunny", "tool_call_id": "1"},
                    {"role": "assistant", "content": "Sunny."},
                ],
                "tools": [{"type": "function", "function": {"name": "w"}}],
            }
            for n in range(12)
        ],
    ],
    ids=["text", "preference", "rated", "alpaca", "sharegpt", "tools"],
)
def test_that_every_kind_of_row_is_written_so_that_it_reads_the_same(tmp_path, rows):
    old = _written(tmp_path / "old.jsonl", [*rows, rows[3]])
    report = fix(old, RECOGNISE, _fixes("data.duplicate"), tmp_path / "new.jsonl")
    assert report.dropped == {"data.duplicate": 1}
    was, now = read_chats(old), read_chats(tmp_path / "new.jsonl")
    assert now.kind is was.kind
    assert list(now.chats) == list(was.chats)[:-1]
    if "id" in rows[0]:
        new = _read(tmp_path / "new.jsonl")
        assert [row["id"] for row in new] == list(range(12))


def test_that_columns_assigned_by_hand_become_messages(tmp_path):
    old = tmp_path / "old.csv"
    rows = "".join(f"name[{n}],It is {n}.,s{n}\n" for n in range(12))
    old.write_text(f"mr,ref,split\n{rows}name[3],It is 3.,s9\n")
    choice = Choice("question-answer", ("question=Say {mr}!", "answer=ref"))
    fix(old, choice, _fixes("data.duplicate"), tmp_path / "new.jsonl")
    first, *others = _read(tmp_path / "new.jsonl")
    assert first == _pair("Say name[0]!", "It is 0.", split="s0")
    assert len(others) == 11


def test_that_a_folder_becomes_one_file_that_lies_outside(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        _written(tmp_path / "in" / f"{name}.jsonl", GOOD)
    with pytest.raises(StudioError) as refused:
        fix(
            tmp_path / "in",
            RECOGNISE,
            _fixes("data.duplicate"),
            tmp_path / "in" / "new.jsonl",
        )
    assert refused.value.finding.code == "data.fix-place"
    report = fix(
        tmp_path / "in", RECOGNISE, _fixes("data.duplicate"), tmp_path / "new.jsonl"
    )
    assert (report.rows, report.kept) == (24, 12)


def test_that_the_old_file_is_never_replaced(tmp_path):
    old = _written(tmp_path / "old.jsonl", GOOD)
    (tmp_path / "link.jsonl").symlink_to(old)
    (tmp_path / "hard.jsonl").hardlink_to(old)
    for name in ("old.jsonl", "link.jsonl", "hard.jsonl", "./old.jsonl"):
        with pytest.raises(StudioError) as refused:
            fix(
                old,
                RECOGNISE,
                _fixes("data.duplicate"),
                tmp_path / name,
                overwrite=True,
            )
        assert refused.value.finding.code == "data.fix-place"


def test_that_a_file_that_is_there_is_replaced_only_when_asked(tmp_path):
    old = _written(tmp_path / "old.jsonl", GOOD)
    new = _written(tmp_path / "new.jsonl", ["mine"])
    with pytest.raises(StudioError) as refused:
        fix(old, RECOGNISE, _fixes("data.duplicate"), new)
    assert refused.value.finding.code == "data.fix-exists"
    assert new.read_text() == "mine"
    fix(old, RECOGNISE, _fixes("data.duplicate"), new, overwrite=True)
    assert len(new.read_text().splitlines()) == 12


def test_that_a_full_disk_leaves_no_half_a_file(tmp_path, monkeypatch):
    old = _written(tmp_path / "old.jsonl", GOOD)

    def full(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(documents.os, "fsync", full)
    with pytest.raises(StudioError) as refused:
        fix(old, RECOGNISE, _fixes("data.duplicate"), tmp_path / "new.jsonl")
    assert refused.value.finding.code == "disk.full"
    assert [each.name for each in tmp_path.iterdir()] == ["old.jsonl"]


def test_that_a_file_without_a_row_left_is_not_written(tmp_path):
    old = _written(tmp_path / "old.jsonl", BROKEN["data.no-answer"] * 3)
    with pytest.raises(StudioError) as refused:
        fix(old, RECOGNISE, _fixes("data.no-answer"), tmp_path / "new.jsonl")
    assert refused.value.finding.code == "data.nothing-left"
    assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("fixes", "code"),
    [
        (Fixes(codes=()), "data.fix-unknown"),
        (Fixes(codes=("data.few-rows",)), "data.fix-unknown"),
        (Fixes(codes=("data.too-long",)), "data.fix-needs-model"),
    ],
)
def test_that_what_cannot_be_mended_is_refused(tmp_path, fixes, code):
    old = _written(tmp_path / "old.jsonl", GOOD)
    with pytest.raises(StudioError) as refused:
        fix(old, RECOGNISE, fixes, tmp_path / "new.jsonl")
    assert refused.value.finding.code == code


def test_that_rows_of_a_second_file_are_found_and_left_out(tmp_path):
    old = _written(tmp_path / "old.jsonl", GOOD)
    held = tmp_path / "test.csv"
    held.write_text("question,answer\nwhy 3?,So 3.\nWhy 5?,SO  5.\nWhy 7?,No.\n")
    found = overlap_with(old, RECOGNISE, held)
    assert found.rows == (4, 6)
    assert "stand in test.csv" in found.what
    fixes = Fixes(codes=("data.overlap", "data.near-duplicate"), against=held)
    report = fix(old, RECOGNISE, fixes, tmp_path / "new.jsonl")
    assert report.dropped == {"data.overlap": 2}
    assert overlap_with(tmp_path / "new.jsonl", RECOGNISE, held) is None
    assert _read(tmp_path / "new.jsonl") == [
        row for at, row in enumerate(GOOD) if at not in {3, 5}
    ]


def test_that_every_code_that_says_it_is_mended_has_a_fix():
    settings = FixSettings(length=20, tokens_of=_words)
    for code in MENDED:
        is_done_elsewhere = code in LEFT_OUT or code == "data.near-duplicate"
        assert (fix_of(code, settings) is None) == is_done_elsewhere


def test_that_the_command_says_what_it_did(tmp_path, capsys):
    rows = [*GOOD, GOOD[0], "{", *BROKEN["data.encoding-damage"]]
    old = _written(tmp_path / "old.jsonl", rows)
    new = tmp_path / "new.jsonl"
    codes = "data.duplicate, data.encoding-damage"
    told = ["data", "fix", str(old), "--codes", codes, "-o", str(new)]
    assert main([*told, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": str(old),
        "out": str(new),
        "rows": 15,
        "kept": 13,
        "changes": [
            {"code": "data.unreadable-row", "changed": 0, "dropped": 1},
            {"code": "data.encoding-damage", "changed": 1, "dropped": 0},
            {"code": "data.duplicate", "changed": 0, "dropped": 1},
        ],
    }
    assert main(told) == 10
    # The terminal breaks lines where it likes, by the length of the folder's name.
    assert "isafileofthisnamealready." in "".join(capsys.readouterr().err.split())
    assert main([*told, "--overwrite"]) == 0
    assert f"13of15rowsarein{new}." in "".join(capsys.readouterr().out.split())
    assert not inspect_file(new, RECOGNISE, SETTINGS).findings


def test_that_the_command_takes_a_second_file(tmp_path, capsys):
    old = _written(tmp_path / "old.jsonl", GOOD)
    held = _written(tmp_path / "held.jsonl", GOOD[2:4])
    told = ["data", "fix", str(old), "--codes", "data.overlap", "--json"]
    told += ["--against", str(held), "-o", str(tmp_path / "new.jsonl")]
    assert main(told) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 10
