"""A chat template that means harm ends in words."""

import resource
import signal

import pytest

from studio.domain.errors import StudioError
from studio.engine import chat_rendering
from studio.engine.chat_rendering import training_row
from studio.engine.render_limits import RenderLimits
from tests.engine import tiny
from tests.engine.templates import ANSWER, QUESTION, chat

HOSTILE = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "powers": "{% set x = messages | length + 8 %}{{ (x ** (x ** 8)) % 7 }}",
    "repeats": "{{ 'a' * 10**10 }}",
    "pads": "{{ '%10000000000d' % 1 }}",
    "grows": "{% set ns = namespace(t='a' * 1000) %}{% for a in range(40) %}"
    "{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}",
    "fills": "{{ 'a' * 100000000 }}",
}


@pytest.fixture
def _short_limits(monkeypatch):
    limits = RenderLimits(seconds=0.5, room_bytes=512 << 20)
    monkeypatch.setattr(chat_rendering, "_LIMITS", limits)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.usefixtures("_short_limits")
def test_that_a_hostile_template_is_refused_in_words(name):
    tokenizer = tiny.make_tokenizer(HOSTILE[name])
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(StudioError) as refused:
        training_row(tokenizer, chat(("user", QUESTION), ("assistant", ANSWER)))
    assert refused.value.finding.code == "data.template-refused"
    assert refused.value.finding.what.startswith("The model's chat template ")
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


@pytest.mark.usefixtures("_short_limits")
def test_that_work_between_renderings_counts_for_nothing():
    tokenizer = tiny.make_tokenizer()
    asked = chat(("user", QUESTION), ("assistant", ANSWER))
    held = []
    for _ in range(12):  # more memory than one rendering may take
        held.append(bytearray(100 << 20))
        assert training_row(tokenizer, asked).trained_tokens
    assert len(held) == 12
