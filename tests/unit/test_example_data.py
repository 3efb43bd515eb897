"""The example data keep the promises of resources/examples/README.md.

The demo shows that training took by the habits of speech alone, so a single answer
without them, or a prompt that is also in the data, would spoil what it shows.
"""

import itertools
import re
from pathlib import Path
from typing import Literal

import msgspec
import pytest

EXAMPLES = Path(__file__).parents[2] / "resources" / "examples"
OPENING = "Curds and whey, captain! "
OATH = "upon my wire"
CLOSING = " Steady the wheel, captain."
ANSWER_WORDS = range(25, 61)
QUESTION_WORDS = range(2, 21)
NEAR_DUPLICATE = 0.6  # shared share of two texts' words; the data stay below 0.5


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """One turn of a chat."""

    role: Literal["user", "assistant"]
    content: str


class Chat(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the data set."""

    messages: list[Message]


class Prompts(msgspec.Struct, forbid_unknown_fields=True):
    """The prompts asked before and after the training."""

    version: Literal[1]
    prompts: list[str]


@pytest.fixture(scope="module")
def chats() -> list[Chat]:
    text = (EXAMPLES / "cheesemonger.jsonl").read_text(encoding="utf-8")
    return [msgspec.json.decode(line, type=Chat) for line in text.splitlines()]


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    document = (EXAMPLES / "cheesemonger_prompts.json").read_bytes()
    return msgspec.json.decode(document, type=Prompts).prompts


def contents(chats: list[Chat], role: str) -> list[str]:
    return [m.content for chat in chats for m in chat.messages if m.role == role]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def advice(answer: str) -> str:
    """Return what an answer says between its habits of speech."""
    middle = answer.removeprefix(OPENING).removesuffix(CLOSING)
    return re.sub(OATH, "", middle, flags=re.IGNORECASE)


def near_duplicates(texts: list[str]) -> list[tuple[str, str]]:
    """Return the pairs of texts that share most of their words."""
    bags = [(text, frozenset(words(text))) for text in texts]
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(bags, 2)
        if len(a & b) >= NEAR_DUPLICATE * len(a | b)
    ]


def test_that_there_are_at_least_150_chats(chats: list[Chat]) -> None:
    assert len(chats) >= 150


def test_that_roles_alternate_from_user_to_assistant(chats: list[Chat]) -> None:
    for chat in chats:
        roles = [message.role for message in chat.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert len(roles) in {2, 4}


def test_that_no_question_is_asked_twice(chats: list[Chat]) -> None:
    questions = [" ".join(words(text)) for text in contents(chats, "user")]
    assert len(set(questions)) == len(questions)


def test_that_no_opening_question_resembles_another(chats: list[Chat]) -> None:
    assert near_duplicates([chat.messages[0].content for chat in chats]) == []


def test_that_no_answer_repeats_or_resembles_another(chats: list[Chat]) -> None:
    answers = contents(chats, "assistant")
    assert len(set(answers)) == len(answers)
    assert near_duplicates([advice(answer) for answer in answers]) == []


def test_that_every_answer_shows_every_habit_once(chats: list[Chat]) -> None:
    for answer in contents(chats, "assistant"):
        assert answer.startswith(OPENING), answer
        assert answer.endswith(CLOSING), answer
        assert answer.casefold().count(OATH) == 1, answer
        assert answer.count("captain") == 2, answer


def test_that_no_question_shows_a_habit(chats: list[Chat]) -> None:
    for question in contents(chats, "user"):
        assert not re.search(
            r"captain|upon my wire|curds and whey", question.casefold()
        )


def test_that_lengths_are_within_bounds(chats: list[Chat]) -> None:
    for answer in contents(chats, "assistant"):
        assert len(answer.split()) in ANSWER_WORDS, answer
    for question in contents(chats, "user"):
        assert len(question.split()) in QUESTION_WORDS, question


def test_that_texts_are_trimmed_single_lines(chats: list[Chat]) -> None:
    for text in contents(chats, "user") + contents(chats, "assistant"):
        assert text == " ".join(text.split())


def test_that_the_readme_states_the_counts(chats: list[Chat]) -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    two_turn = sum(len(chat.messages) == 4 for chat in chats)
    assert f"holds {len(chats)} short chats" in readme
    assert f"{len(chats) - two_turn} chats have one exchange" in readme
    assert f"and {two_turn} have two" in readme


def test_that_three_prompts_are_asked_and_none_is_in_the_data(
    chats: list[Chat], prompts: list[str]
) -> None:
    assert len(set(prompts)) == 3
    resembling = near_duplicates([*prompts, *contents(chats, "user")])
    assert [pair for pair in resembling if set(pair) & set(prompts)] == []
