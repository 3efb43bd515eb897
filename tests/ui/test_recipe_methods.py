"""The Recipe page offers the method that learns all that a file holds."""

import json

import pytest

from studio.domain.method_options import Method
from studio.ui.pages.recipe.page import RecipePage
from studio.ui.widgets.finding_card import FindingCard
from tests.ui.desks import TestDesk, desk, reading_with_card

__all__ = ["desk"]

PAIRS = [{"prompt": f"{n}?", "chosen": "Aye.", "rejected": "Nay."} for n in range(30)]
RATED = [
    {"prompt": f"{n}?", "completion": "Aye.", "label": n % 2 == 0} for n in range(30)
]


@pytest.fixture
def page_of(qtbot, desk: TestDesk, tmp_path):
    """The page of a project that learns from rows."""

    def make(rows):
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        desk.hardware.tell(reading_with_card())
        project = desk.desk.projects.create("Judged")
        project.set_value("model.name", "SmolLM2-135M-Instruct")
        project.set_value("data.path", str(file))
        page = RecipePage(desk.desk)
        qtbot.addWidget(page)
        page.resize(1072, 768)
        page.show()
        qtbot.waitUntil(lambda: page.undo_stack.count() == 1)
        return page

    return make


def offer(page):
    cards = [row for row in page.view.findings.rows() if isinstance(row, FindingCard)]
    return next(c for c in cards if c.text.fixes and "method:" in c.text.fixes[0].key)


@pytest.mark.parametrize(("rows", "method"), [(PAIRS, Method.DPO), (RATED, Method.KTO)])
def test_that_a_click_learns_from_all_that_is_there(page_of, desk, rows, method):
    page = page_of(rows)
    card = offer(page)
    card.fix_chosen.emit(card.text.fixes[0].key)
    recipe = desk.desk.projects.current.recipe
    assert recipe.train.method is method
    assert not recipe.contradictions()
    page.undo_stack.undo()
    assert desk.desk.projects.current.recipe.train.method is Method.SFT
