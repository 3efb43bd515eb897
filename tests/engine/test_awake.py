"""A run keeps its machine awake, and says so where it can't."""

import contextlib

import pytest

from studio.engine import awake as module
from studio.protocol.events import Warned
from tests.engine.helpers import Heard, of_kind


@pytest.mark.parametrize(
    ("granted", "sleeps", "codes"),
    [
        (True, True, []),
        (False, False, []),
        (False, True, ["power.may-sleep"]),
    ],
)
def test_that_only_a_desktop_that_may_sleep_is_told_of(
    monkeypatch, granted, sleeps, codes
):
    monkeypatch.setattr(module, "kept_awake", lambda: contextlib.nullcontext(granted))
    monkeypatch.setattr(module, "falls_asleep", lambda: sleeps)
    heard = Heard()
    with module.awake(heard.session):
        pass
    told = of_kind(heard.events(), Warned)
    assert [each.finding.code for each in told] == codes
