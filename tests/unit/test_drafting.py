"""Which drafts pass the test, and how what a model says is tidied."""

import pytest

from studio.domain.drafting import (
    answer_prompt,
    is_supported,
    pairs_about,
    question_prompt,
    refusal_of,
    tidy_answer,
    tidy_question,
)
from studio.domain.drafts import Draft, Origin, Review, draft_of, review_of

PASSAGE = (
    "The lighthouse of Grauort was built in 1874 from grey granite. "
    "Its tower is 41 metres high, and 212 steps lead up to the lamp room."
)


FILLER = (
    "Visitors come from far away on every day of the week, and most of them stay in "
    "the village for the night. Some of them walk along the beach until it is dark, "
    "for the lamp is best seen from the dunes, where the wind is less strong as well."
)


@pytest.mark.parametrize(
    ("said", "tidy"),
    [
        ("Question: Who lived there?", "Who lived there?"),
        ("**Question 1:** Who lived there?", "Who lived there?"),
        ("1. Q: Who lived there? Answer: Hanne.", "Who lived there?"),
        ("“Who lived there?”", "Who lived there?"),
        ("\n\n- Question:\nWho lived there?\nAnother one?", "Who lived there?"),
        (
            "What a wonderful question! Here's one:\n\nQuestion: Who lived there?",
            "Who lived there?",
        ),
        ('Here it is: "Who lived there?"', "Who lived there?"),
        ("It was 3.5 m? Or not", "It was 3.5 m?"),
        ('A question: "Who lived there?"', "Who lived there?"),
        ("Name the keeper.", "Name the keeper."),
        ("A: tall tower stood where?", "tall tower stood where?"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_that_a_question_is_tidied(said, tidy):
    assert tidy_question(said) == tidy


@pytest.mark.parametrize(
    ("said", "tidy"),
    [
        ("Answer: In 1874.", "In 1874."),
        ('"In 1874."', "In 1874."),
        ("It is high. It has 212 steps and then", "It is high."),
        ("1874", "1874"),
        ("The answer to the question is: In 1874.", "In 1874."),
        ("A tower. ", "A tower."),
        ("Answer a call.", "Answer a call."),
        ("", ""),
    ],
)
def test_that_an_answer_is_tidied(said, tidy):
    assert tidy_answer(said) == tidy


@pytest.mark.parametrize(
    ("answer", "supported"),
    [
        ("It was built in 1874.", True),
        ("It was built in 1875.", False),  # a number that isn't there
        ("Its tower is 41 metres high.", True),
        ("41", True),
        ("The tower was painted white by sailors every spring.", False),
        ("The lighthouse was built from granite by monks.", True),  # 3 of 4 words
        ("Granite", True),
        ("Marble", False),
        ("is of in", True),
        ("", False),
        ("?!", False),
    ],
)
def test_that_support_is_an_overlap_of_words_and_numbers(answer, supported):
    assert is_supported(answer, PASSAGE) is supported


def test_that_scripts_without_spaces_are_compared_by_pairs():
    passage = "灯台は千八百七十四年に建てられた。塔の高さは四十一メートルである。"
    assert is_supported("千八百七十四年に建てられた。", passage)
    assert not is_supported("船員たちが毎年白く塗っている。", passage)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("When was it built?", "In 1874.", ""),
        ("", "In 1874.", "no question"),
        ("?", "In 1874.", "no question"),
        ("When was it built?", "", "no answer"),
        ("When was it built?", "...", "no answer"),
        ("Make one quiz question from this paragraph?", "In 1874.", "repeats what"),
        ("Here is a text about towers?", "In 1874.", "repeats what"),
        (f"{PASSAGE}?", "In 1874.", "repeats what"),
        ("Its tower is 41 metres high?", "41 metres.", "repeats what"),
        ("What a fine tower!", "41 metres.", "asks nothing"),
        ("When was it built?", "when was it BUILT", "instead of answering"),
        (
            "When was it built?",
            "Answer the question from the text, in one or two sentences.",
            "instead of answering",
        ),
        ("When was it built?", "By Napoleon, out of spite.", "support"),
        ("How high is it, really?", "41 metres.", "before"),
        ("What is the text about?", "The lighthouse.", "about the text"),
        ("What is the answer to this question?", "The lighthouse.", "about the text"),
    ],
)
def test_that_a_draft_is_refused_for_its_reason(question, answer, reason):
    why = refusal_of(question, answer, PASSAGE, ["How high is it really?"])
    assert (reason in why) if reason else (why == "")


class Played:
    """A model that says what it is told to, and remembers what it was asked."""

    def __init__(self, *rounds):
        self.rounds = list(rounds)
        self.asked = []

    def ask(self, prompts, most_tokens):
        self.asked.append((list(prompts), most_tokens))
        return self.rounds.pop(0)


def test_that_each_question_is_about_another_part_and_answered_from_the_whole():
    model = Played(["When?", "How high?"], ["In 1874.", "41 metres."])
    first, second = PASSAGE.split(". ")
    long = f"{first}. {FILLER} {FILLER} {second}"
    (pairs,) = pairs_about([long], ["Towers"], 2, model.ask)
    assert [(p.question, p.answer, p.refused) for p in pairs] == [
        ("When?", "In 1874.", ""),
        ("How high?", "41 metres.", ""),
    ]
    (asked, _), (answered, _) = model.asked
    assert "1874" in asked[0] and "212 steps" not in asked[0]  # noqa: PT018
    assert "212 steps" in asked[1] and "1874" not in asked[1]  # noqa: PT018
    assert all(long in prompt for prompt in answered)


def test_that_parts_of_a_short_passage_overlap_rather_than_say_too_little():
    model = Played(["When?", "How high?"], ["In 1874.", "41 metres."])
    pairs_about([PASSAGE], [""], 2, model.ask)
    assert all(PASSAGE in prompt for prompt in model.asked[0][0])


def test_that_no_answer_is_asked_for_without_a_question():
    model = Played(["", "How high?"], ["41 metres."])
    first, second = pairs_about([PASSAGE, PASSAGE], ["", ""], 1, model.ask)
    assert [first[0].refused, second[0].refused] == ["has no question", ""]
    assert len(model.asked[1][0]) == 1


def test_that_a_passage_with_too_few_sentences_is_asked_about_whole():
    model = Played(["When?", "When?"], ["In 1874.", "In 1874."])
    (pairs,) = pairs_about(["It was built in 1874."], [""], 2, model.ask)
    assert [p.refused for p in pairs] == ["", "asks what was asked before"]


def test_that_prompts_hold_the_text_and_the_question():
    assert PASSAGE in question_prompt(PASSAGE)
    assert "Towers" in question_prompt(PASSAGE, "Towers")
    prompt = answer_prompt(PASSAGE, "", "When?")
    assert PASSAGE in prompt
    assert "When?" in prompt


ORIGIN = Origin(
    file="docs/a.md", line=3, passage_sha256="ab", made_by="m", made_at="2026-01-01"
)


def test_that_a_draft_is_its_row_and_back():
    draft = Draft(question="Q?", answer="A.", origin=ORIGIN, rest={"mine": 1})
    row = draft.row()
    assert row == {
        "messages": [
            {"role": "user", "content": "Q?"},
            {"role": "assistant", "content": "A."},
        ],
        "source": {
            "file": "docs/a.md",
            "line": 3,
            "passage_sha256": "ab",
            "made_by": "m",
            "made_at": "2026-01-01",
        },
        "review": "open",
        "mine": 1,
    }
    assert draft_of(row) == draft


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {"messages": [], "source": {"passage_sha256": "x"}},
        {"messages": "hi", "source": {"passage_sha256": "x"}},
        {"messages": [{"role": "user", "content": 1}, 2], "source": {}},
        {"question": "a", "answer": "b", "review": "open", "source": "shop"},
    ],
)
def test_that_other_rows_are_no_drafts(row):
    assert draft_of(row) is None


def test_that_an_unknown_review_is_open():
    assert review_of({"source": {"passage_sha256": ""}, "review": 7}) is Review.OPEN
    assert review_of({"review": "rejected"}) is None
