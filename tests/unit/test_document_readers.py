"""Documents become passages: none lost, none too long, each with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import StudioError
from studio.plugin_api.document_readers import Passage
from studio.storage.document_readers.passages import LONGEST, passages_of
from studio.storage.document_readers.registry import (
    READERS,
    documents_in,
    passages_of_document,
    suffixes,
)

SENTENCE = "The lamp of the tower can be seen from far away. "


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(path):
    return list(passages_of_document(path))


def test_that_paragraphs_of_a_text_become_passages_with_their_lines(tmp_path):
    first, second = SENTENCE * 15, SENTENCE * 12
    passages = read(written(tmp_path / "a.txt", f"\n{first}\n\n{second}\n"))
    assert [(p.line, p.text) for p in passages] == [
        (2, first.strip()),
        (4, second.strip()),
    ]


def test_that_short_paragraphs_are_read_together(tmp_path):
    passages = read(written(tmp_path / "a.txt", f"{SENTENCE}\n\n" * 8))
    assert len(passages) == 1
    assert passages[0].text.count("lamp") == 8


def test_that_a_document_of_one_line_is_cut_at_its_sentences(tmp_path):
    passages = read(written(tmp_path / "a.txt", SENTENCE * 200))
    assert sum(p.text.count("lamp") for p in passages) == 200
    assert all(p.text.endswith("away.") for p in passages)
    assert all(p.line == 1 for p in passages)


@given(st.text(max_size=9000))
def test_that_no_passage_is_too_long_and_no_letter_is_lost(text):
    passages = list(passages_of(text, 1))
    assert all(0 < len(p.text) <= LONGEST for p in passages)
    if len(text.strip()) > LONGEST and len(text.split()) > 2000:
        kept = "".join("".join(p.text.split()) for p in passages)
        assert kept == "".join(text.split())


def test_that_scraps_are_no_passages(tmp_path):
    assert read(written(tmp_path / "a.txt", "Chapter one\n")) == []
    assert read(written(tmp_path / "b.txt", "")) == []


def test_that_a_script_without_spaces_is_read(tmp_path):
    (passage,) = read(
        written(tmp_path / "a.txt", "灯台は千八百七十四年に建てられた。" * 3)
    )
    assert passage.text.startswith("灯台")


def test_that_markdown_is_read_by_its_headings(tmp_path):
    text = (
        "# Light\n\nThe first lamp burned rapeseed oil.\n\n## Tower ##\n"
        "The tower is forty metres high.\n\n# Bread\nRye bread keeps for a week.\n"
    )
    assert read(written(tmp_path / "a.md", text)) == [
        Passage("The first lamp burned rapeseed oil.", 3, "Light"),
        Passage("The tower is forty metres high.", 6, "Light > Tower"),
        Passage("Rye bread keeps for a week.", 9, "Bread"),
    ]


def test_that_front_matter_is_passed_over_and_rules_are_not(tmp_path):
    front = "---\ntitle: One title of five words\n---\nOne two three four five.\n"
    (passage,) = read(written(tmp_path / "a.md", front))
    assert (passage.text, passage.line) == ("One two three four five.", 4)
    never_closed = "---\nOne two three four five.\n"
    (passage,) = read(written(tmp_path / "b.md", never_closed))
    assert "One two three four five." in passage.text


def test_that_a_hash_in_a_code_block_is_no_heading(tmp_path):
    text = "# Use\nRun this in the shell now:\n```sh\n# not a heading\nls\n```\n"
    (passage,) = read(written(tmp_path / "a.md", text))
    assert passage.heading == "Use"
    assert "# not a heading" in passage.text


def test_that_marks_of_markdown_leave_their_words(tmp_path):
    text = (
        "See [the **old** lens](http://example.org/x) and ![a lamp](lamp.png) "
        "here.<!-- not this --> It is __very__ heavy.\n"
    )
    (passage,) = read(written(tmp_path / "a.md", text))
    assert passage.text == "See the old lens and a lamp here. It is very heavy."


def test_that_a_folder_is_gone_through_in_order(tmp_path):
    for name in (
        "b.md",
        "a.txt",
        "deep/c.markdown",
        ".hidden.txt",
        ".git/d.md",
        "e.pdf",
    ):
        written(tmp_path / "docs" / name, SENTENCE)
    found = documents_in([tmp_path / "docs", tmp_path / "docs" / "a.txt"])
    assert [p.relative_to(tmp_path / "docs").as_posix() for p in found] == [
        "a.txt",
        "b.md",
        "deep/c.markdown",
    ]


def test_that_links_in_a_folder_are_not_followed(tmp_path):
    outside = written(tmp_path / "outside.txt", SENTENCE)
    written(tmp_path / "docs" / "a.txt", SENTENCE)
    (tmp_path / "docs" / "b.txt").symlink_to(outside)
    assert len(documents_in([tmp_path / "docs"])) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("none.txt", "documents.missing"),
        ("paper.pdf", "documents.kind"),
        ("empty", "documents.none"),
    ],
)
def test_that_what_is_no_document_is_refused_in_words(tmp_path, name, code):
    written(tmp_path / "paper.pdf", "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudioError) as refused:
        documents_in([tmp_path / name])
    assert refused.value.finding.code == code
    assert refused.value.finding.how_to_fix


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"caf\xe9 " * 9, b"\x89PNG\x00"])
def test_that_what_is_not_utf_8_is_refused_in_words(tmp_path, content):
    path = tmp_path / "a.md"
    path.write_bytes(content)
    with pytest.raises(StudioError, match="UTF-8"):
        read(path)


def test_that_readers_agree_with_the_plug_in_point():
    assert len(suffixes()) == len(set(suffixes()))
    assert len({reader.name for reader in READERS}) == len(READERS)
    assert all(s.startswith(".") and s == s.casefold() for s in suffixes())


def test_that_a_passage_is_known_by_its_text_alone():
    assert Passage("a", 1).sha256 == Passage("a", 2, "b").sha256
    assert Passage("a", 1).sha256 != Passage("b", 1).sha256
