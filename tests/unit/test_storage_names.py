import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.storage.names import slug


@given(st.text(max_size=400))
def test_that_any_text_becomes_a_name_that_every_system_takes(name):
    made = slug(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", made)
    assert len(made) <= 60


@given(st.text(max_size=100))
def test_that_a_slug_is_its_own_slug(name):
    assert slug(slug(name)) == slug(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Cheesemonger", "cheesemonger"),
        ("Käse & Brot", "kase-brot"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本語", "project"),
        ("", "project"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("CON", "con-project"),
        ("Lpt1", "lpt1-project"),
        ('"; touch x #', "touch-x"),
        ("x" * 300, "x" * 60),
    ],
)
def test_that_a_slug_keeps_what_can_be_kept(name, expected):
    assert slug(name) == expected
