"""A date that a server writes of its own is told from another template."""

from datetime import date

import pytest

from studio.domain.dataset import Turn
from studio.engine.parity.dates import as_of_training
from studio.engine.parity.llama_server import LlamaServer
from studio.engine.parity.speakers import ServedFile
from studio.engine.parity.words import compare_prompts
from studio.engine.tokenizer_loading import load_tokenizer

NOW = date(2026, 11, 27)
DATED = (
    '{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}'
    '{%- endif %}{{- "Today Date: " + date_string + "\n" }}'
)


@pytest.mark.parametrize(
    ("served", "trained", "date_written"),
    [
        ("Today: 27 Nov 2026\nHi", "Today: 26 Jul 2024\nHi", "26 Jul 2024"),
        ("Today: 27 Nov 2026\nHi", "<s>Today: 26 Jul 2024\nHi", "26 Jul 2024"),
        ("Today: 26 Nov 2026\nHi", "Today: 26 Jul 2024\nHi", "26 Jul 2024"),
        ("On Nov 27 2026, Nov 27 2026", "On Jul 26 2024, Jul 26 2024", "Jul 26 2024"),
    ],
)
def test_that_a_date_of_the_day_is_told_from_the_rest(served, trained, date_written):
    found = as_of_training(served, trained, NOW)
    assert found is not None
    assert found.date == date_written
    assert trained.endswith(found.text)


@pytest.mark.parametrize(
    ("served", "trained"),
    [
        ("Today: 27 Nov 2026\nHi", "Today: 27 Nov 2026\nHi"),
        ("Today: 27 Nov 2026\nHi", "Day: 26 Jul 2024\nHi"),
        ("Today: 27 Nov 2026\nHi", "Today: 26 Jul 2024\nHello"),
        ("Today: 27 Nov 2026\nHi", "Today: no day\nHi"),
        ("Today: 01 Jan 2020\nHi", "Today: 26 Jul 2024\nHi"),
        ("27 Nov 2026, 27 Nov 2026", "26 Jul 2024, 25 Jul 2024"),
        ("Hi", "Hello"),
        ("27 Nov 2026", ""),
    ],
)
def test_that_more_than_a_date_is_no_date(served, trained):
    assert as_of_training(served, trained, NOW) is None


class Server(LlamaServer):
    """Renders and splits as llama-server does, by a tokenizer of this process."""

    def __init__(self, tokenizer, template):
        super().__init__("")
        object.__setattr__(self, "kept", (tokenizer, template))

    def rendered(self, turns):
        tokenizer, template = self.kept
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        return tokenizer.apply_chat_template(
            chat,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=True,
            date_string=f"{date.today():%d %b %Y}",  # noqa: DTZ011 - as llama.cpp does
        )

    def tokens(self, text, *, adds=True):
        return list(self.kept[0](text, add_special_tokens=False).input_ids)


@pytest.fixture
def dated(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = DATED + tokenizer.chat_template
    return tokenizer


def test_that_prompts_of_another_day_are_those_of_training(dated):
    server = ServedFile(Server(dated, dated.chat_template), frozenset())
    assert server.asked([Turn("user", "Hi")]) is not None
    found = compare_prompts(dated, server, ["Which cheese?", "On 26 Jul 2024?"])
    assert found.other == ()
    assert found.trained_date == "26 Jul 2024"


def test_that_another_template_of_another_day_is_another_one(dated):
    other = dated.chat_template.replace("<|im_start|>", "<|im_begin|>")
    server = ServedFile(Server(dated, other), frozenset())
    found = compare_prompts(dated, server, ["Which cheese?"])
    assert found.other == ("Which cheese?",)
    assert found.trained_date == ""
