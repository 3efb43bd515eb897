"""The dry run against a real card: predicted and actual, for many recipes.

Each recipe runs in a process of its own on random weights of a real shape. The table
goes to tests/gpu/measured/<card>.csv, whether or not the targets are met.
"""

from pathlib import Path

import pytest

from tests.gpu.campaign import measure_cases
from tests.gpu.cases import CASES
from tests.gpu.truth import misses, write_table

pytestmark = [pytest.mark.gpu, pytest.mark.torch, pytest.mark.slow]

MEASURED = Path(__file__).parent / "measured"


@pytest.fixture(scope="module")
def outcomes(request, card, tmp_path_factory):
    """By case, what measuring it told; all that is asked for is measured at once."""
    named = [getattr(item, "callspec", None) for item in request.session.items]
    asked = [each.params["case"] for each in named if each and "case" in each.params]
    found = {}
    measure_cases(asked, tmp_path_factory.mktemp("truth"), found.__setitem__)
    rows = rows_of(found)
    if rows:
        write_table(rows, MEASURED)
    return found


def rows_of(outcomes):
    return [each[0] for each in outcomes.values() if not isinstance(each, Exception)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_a_recipe_is_measured_on_the_card(case, outcomes, card):
    outcome = outcomes[case]
    if isinstance(outcome, Exception):
        raise outcome
    row, said = outcome
    assert row["card"] == card
    if said.ran_out is not None:
        needed = said.predicted["dry-run"].allocated
        assert needed > 0.9 * read_total(), "the dry run said that it fits"
        pytest.skip(f"{card} is too small for it, as the dry run said")


def read_total():
    import torch

    return torch.cuda.get_device_properties(0).total_memory


def test_that_the_dry_run_meets_its_targets(outcomes):
    # Of one part of the cases, chosen by -k, the targets are not asked.
    rows = rows_of(outcomes)
    if len(rows) < len(CASES):
        pytest.skip(f"{len(rows)} of {len(CASES)} recipes were measured")
    assert misses(rows) == []
