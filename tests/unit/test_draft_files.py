"""Drafts on the disk: made passage by passage, resumed, reviewed one at a time."""

import json
import multiprocessing

import pytest

from studio.domain.drafts import Draft, Origin, Review
from studio.domain.errors import StudioError
from studio.storage.chat_files import read_chats
from studio.storage.draft_files import DraftFile
from studio.storage.draft_making import (
    DraftMaking,
    DraftOrder,
    passage_of,
)

TEXT = "The lamp number {n} of the tower can be seen from far away at night. "


def draft(question="Q?", **changes):
    origin = Origin(
        file="a.md", line=1, passage_sha256="ab", made_by="m", made_at="2026-01-01"
    )
    return Draft(**{"question": question, "answer": "A.", "origin": origin, **changes})


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n:02}.txt").write_text(TEXT.format(n=n))
    return folder


class Model:
    """Answers by what the passage says; ends after some passages when told to."""

    def __init__(self, ends_after=None):
        self.asked = 0
        self.ends_after = ends_after

    def ask(self, prompts, most_tokens):
        if self.ends_after is not None and self.asked >= self.ends_after:
            raise KeyboardInterrupt
        self.asked += len(prompts)
        if "Question:" in prompts[0]:
            return ["The lamp can be seen from far away."] * len(prompts)
        return [
            f"What of lamp {p.partition('number ')[2].split()[0]}?" for p in prompts
        ]


def making(documents, tmp_path, questions=1):
    order = DraftOrder([documents], tmp_path / "drafts.jsonl", questions)
    return DraftMaking(order, "Played")


def always(_):
    return True


def test_that_drafts_tell_where_they_came_from_and_can_be_trained_on(
    documents, tmp_path
):
    count = making(documents, tmp_path).make(Model().ask, always)
    assert (count.passages, count.done, count.drafts, count.left) == (12, 12, 12, 0)
    stored = DraftFile(tmp_path / "drafts.jsonl").read()
    origin = stored[3].draft.origin
    assert (origin.file, origin.line, origin.made_by) == ("docs/03.txt", 1, "Played")
    assert origin.made_at.endswith("+00:00")
    assert passage_of(stored[3].draft, tmp_path).text == TEXT.format(n=3).strip()
    file = read_chats(tmp_path / "drafts.jsonl")
    assert len(file.chats) == 12
    assert file.chats[3].question() == "What of lamp 3?"
    assert [f.code for f in file.findings] == ["data.unreviewed"]


def test_that_a_making_that_was_ended_keeps_what_it_has_and_goes_on(
    documents, tmp_path
):
    first = making(documents, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        first.make(Model(ends_after=16).ask, always)
    assert first.count.done == 8
    kept = (tmp_path / "drafts.jsonl").read_bytes()
    again = making(documents, tmp_path)
    assert (again.count.known, again.count.left) == (8, 4)
    model = Model()
    again.make(model.ask, always)
    assert model.asked == 8
    assert (tmp_path / "drafts.jsonl").read_bytes().startswith(kept)
    assert len(DraftFile(tmp_path / "drafts.jsonl").read()) == 12
    assert making(documents, tmp_path).count.left == 0


def test_that_it_ends_between_rounds_when_told_to(documents, tmp_path):
    count = making(documents, tmp_path).make(Model().ask, lambda count: count.done == 0)
    assert count.done == 8
    assert count.left == 4


def test_that_refused_drafts_are_kept_as_rejected_with_their_reason(
    documents, tmp_path
):
    def ask(prompts, _):
        asks = "Question:" not in prompts[0]
        return ["What is it?" if asks else "Penguins, obviously."] * len(prompts)

    count = making(documents, tmp_path).make(ask, always)
    assert count.drafts == 0
    assert count.refused == {"has an answer that the passage doesn't support": 12}
    first = DraftFile(tmp_path / "drafts.jsonl").read()[0].draft
    assert first.review is Review.REJECTED
    assert "support" in first.origin.refused
    with pytest.raises(StudioError, match="was rejected in review"):
        read_chats(tmp_path / "drafts.jsonl")


def test_that_a_passage_that_comes_twice_is_asked_about_once(documents, tmp_path):
    (documents / "copy.txt").write_text(TEXT.format(n=1))
    assert making(documents, tmp_path).count.passages == 12


def test_that_documents_elsewhere_are_named_whole(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.txt").write_text(TEXT)
    order = DraftOrder([elsewhere / "a.txt"], tmp_path / "sets" / "d.jsonl", 1)
    DraftMaking(order, "m").make(Model().ask, always)
    (stored,) = DraftFile(tmp_path / "sets" / "d.jsonl").read()
    assert stored.draft.origin.file == str(elsewhere / "a.txt")
    assert passage_of(stored.draft, tmp_path / "sets") is not None


def test_that_a_passage_that_was_changed_is_not_shown(documents, tmp_path):
    making(documents, tmp_path).make(Model().ask, always)
    first = DraftFile(tmp_path / "drafts.jsonl").read()[0].draft
    (documents / "00.txt").write_text("Something else stands here now, all new.")
    assert passage_of(first, tmp_path) is None
    (documents / "00.txt").unlink()
    assert passage_of(first, tmp_path) is None


@pytest.mark.parametrize("questions", [0, -1, 21])
def test_that_a_senseless_number_of_questions_is_refused(
    documents, tmp_path, questions
):
    with pytest.raises(StudioError, match="from 1 to 20"):
        making(documents, tmp_path, questions)


def test_that_documents_without_a_sentence_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("Hm.")
    with pytest.raises(StudioError, match="no passage"):
        DraftMaking(DraftOrder([tmp_path / "a.txt"], tmp_path / "d.jsonl", 1), "m")


def test_that_nothing_is_added_to_somebody_s_own_data(documents, tmp_path):
    mine = tmp_path / "drafts.jsonl"
    mine.write_text('{"question": "a", "answer": "b"}\n')
    with pytest.raises(StudioError, match="holds no drafts"):
        making(documents, tmp_path)
    assert mine.read_text() == '{"question": "a", "answer": "b"}\n'


# --- the file


def test_that_a_torn_line_costs_only_itself(tmp_path):
    file = DraftFile(tmp_path / "d.jsonl")
    file.append([draft("one?"), draft("two?")])
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-20])
    file.append([draft("three?")])
    assert [each.draft.question for each in file.read()] == ["one?", "three?"]


def test_that_a_decision_changes_its_own_line_alone(tmp_path):
    file = DraftFile(tmp_path / "d.jsonl")
    file.append([draft(f"{n}?", rest={"mine": n}) for n in range(3)])
    with file.path.open("a") as raw:
        raw.write('{"foreign":   1}\n')
    before = file.path.read_bytes().splitlines()
    second = file.read()[1]
    changed = draft("1 indeed?", review=Review.ACCEPTED, rest={"mine": 1})
    stored = file.replace(second, changed)
    after = file.path.read_bytes().splitlines()
    assert [after[at] == before[at] for at in range(4)] == [True, False, True, True]
    assert json.loads(after[1])["review"] == "accepted"
    assert json.loads(after[1])["mine"] == 1
    file.replace(stored, draft("once more?"))
    assert file.read()[1].draft.question == "once more?"


def test_that_a_line_that_changed_meanwhile_is_not_overwritten(tmp_path):
    file = DraftFile(tmp_path / "d.jsonl")
    file.append([draft("one?")])
    (stored,) = file.read()
    file.replace(stored, draft("somebody else's?"))
    with pytest.raises(StudioError, match="changed by another program"):
        file.replace(stored, draft("mine?"))
    assert file.read()[0].draft.question == "somebody else's?"


def test_that_a_decision_that_can_not_be_written_leaves_the_file(tmp_path, monkeypatch):
    file = DraftFile(tmp_path / "d.jsonl")
    file.append([draft("one?")])
    (stored,) = file.read()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studio.storage.documents._replace", full)
    with pytest.raises(StudioError, match="no space left"):
        file.replace(stored, draft("two?"))
    assert file.read() == [stored]


def _append_many(path, name):
    for n in range(20):
        DraftFile(path).append([draft(f"{name} {n}?")])


def test_that_making_and_reviewing_at_once_lose_nothing(tmp_path):
    path = tmp_path / "d.jsonl"
    file = DraftFile(path)
    file.append([draft(f"first {n}?") for n in range(20)])
    other = multiprocessing.get_context("spawn").Process(
        target=_append_many, args=(path, "second")
    )
    other.start()
    for stored in file.read()[:20]:
        file.replace(stored, draft("decided?", review=Review.ACCEPTED))
    other.join(60)
    found = [each.draft.question for each in file.read()]
    assert found.count("decided?") == 20
    assert sorted(found[20:]) == sorted(f"second {n}?" for n in range(20))


def test_that_a_missing_file_is_told(tmp_path):
    with pytest.raises(StudioError, match="no such file of drafts"):
        DraftFile(tmp_path / "none.jsonl").read()


def test_that_words_with_line_breaks_of_other_kinds_stay_one_line(tmp_path):
    file = DraftFile(tmp_path / "d.jsonl")
    file.append([draft("one\u2028two\u0085three\x0bfour\rfive?"), draft("next?")])
    first, second = file.read()
    assert first.draft.question == "one\u2028two\u0085three\x0bfour\rfive?"
    file.replace(second, draft("changed?"))
    assert [each.draft.question for each in file.read()][1] == "changed?"
