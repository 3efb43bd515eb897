"""What is remembered of one chat holds for the others: the same rows, and no fewer."""

import random

import pytest

from studio.domain.dataset import RowError
from studio.engine.answer_places import common_length
from studio.engine.chat_rendering import RowMaker
from tests.engine.templates import FAMILIES, QUESTION, Family, chat
from tests.engine.tiny import CHATML

WORDS = [
    "Aye",
    "user",
    "assistant",
    "think",
    "number 7",
    " padded ",
    "\n\nlines\n",
    "<think>\nwell\n</think>\n\nBrie",
    "<|im_end|>",
    "[INST]",
    "ein Käse 🧀",
    "x",
    "",
    "A" * 300,
]
PATTERNS = [("u", "a"), ("u", "a", "u", "a"), ("s", "u", "a"), ("a", "u", "a")]
ROLES = {"u": "user", "a": "assistant", "s": "system"}


def random_chats(seed, count=240):
    chance = random.Random(seed)
    for line in range(1, count + 1):
        turns = []
        for short in chance.choice(PATTERNS):
            words = " ".join(chance.choices(WORDS, k=chance.randint(1, 3)))
            turns.append((ROLES[short], words if words.strip() else "Brie"))
        yield chat(*turns, line=line)


def told(row):
    return str(row) if isinstance(row, RowError) else row


@pytest.mark.parametrize("name", FAMILIES)
def test_that_remembering_changes_no_row(name):
    tokenizer = FAMILIES[name].tokenizer()
    chats = list(random_chats(name))
    slow = RowMaker(tokenizer, remembers=False).rows(chats)
    quick = RowMaker(tokenizer).rows(chats)
    assert list(map(told, quick)) == list(map(told, slow))
    assert sum(not isinstance(row, RowError) for row in slow) > 20


class Counted:
    """A tokenizer that counts how often its template is rendered."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.renderings = 0

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)

    def __call__(self, *given, **named):
        return self._tokenizer(*given, **named)

    def apply_chat_template(self, *given, **named):
        self.renderings += 1
        return self._tokenizer.apply_chat_template(*given, **named)


@pytest.mark.parametrize("name", FAMILIES)
def test_that_most_chats_are_rendered_once(name):
    counted = Counted(FAMILIES[name].tokenizer())
    chats = [
        chat(("user", f"{QUESTION} {n}"), ("assistant", f"Aye, {n}."), line=n)
        for n in range(200)
    ]
    RowMaker(counted).rows(chats)
    assert counted.renderings < 1.1 * len(chats)


def test_that_a_template_that_looks_at_words_is_found_out():
    # Longer questions are asked with another prompt, which only the whole rendering
    # of each chat tells.
    sly = CHATML.replace(
        "{{ '<|im_start|>assistant\n' }}",
        "{% if messages[0].content | length > 40 %}{{ '<|im_start|>' }}{% else %}"
        "{{ '<|im_start|>assistant\n' }}{% endif %}",
    )
    counted = Counted(Family(sly, ("<|im_start|>", "<|im_end|>")).tokenizer())
    maker = RowMaker(counted)
    short = [chat(("user", "Brie?"), ("assistant", f"Aye {n}.")) for n in range(20)]
    long = chat(("user", "Brie?" * 10), ("assistant", "Aye."))
    maker.rows(short)
    maker.rows([long] * 300)
    before = counted.renderings
    slow = RowMaker(counted, remembers=False).row(long)
    assert maker.row(long) == slow
    assert counted.renderings - before == 4


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("", "a", 0), ("abc", "abd", 2), ("ab", "abc", 2), ("b", "a", 0), ("a", "a", 1)],
)
def test_that_texts_are_compared_to_the_first_difference(one, other, alike):
    assert common_length(one, other) == alike
    assert common_length("x" * 1000 + one, "x" * 1000 + other) == 1000 + alike
