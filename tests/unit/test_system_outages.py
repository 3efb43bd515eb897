"""Doubts about a machine that may go down by itself."""

import pytest

from studio.domain.recipe import Recipe
from studio.services.preflight import preflight
from studio.system.outages import outage_findings, threats
from studio.system.power import Battery


def test_that_a_machine_on_mains_raises_no_doubt():
    assert outage_findings(None, reboots=False) == ()


def test_that_battery_and_restart_are_told_with_their_figures():
    power, restart = outage_findings(Battery(62.6, 4_800.0), reboots=True)
    assert "63 %, about 1 h 20 min left" in power.what
    assert restart.code == "system.reboot-pending"
    (power,) = outage_findings(Battery(62.6, None), reboots=False)
    assert "(63 %)" in power.what


@pytest.mark.parametrize(
    ("held", "names"),
    [
        (Battery(60.0, None), ["battery"]),
        (Battery(60.0, 7_200.0), ["battery"]),
        (Battery(9.0, 7_200.0), ["battery", "low battery"]),
        (Battery(60.0, 600.0), ["battery", "low battery"]),
    ],
)
def test_that_a_battery_that_is_nearly_empty_is_a_change_of_its_own(held, names):
    assert list(threats(held, reboots=False)) == names
    assert len(outage_findings(held, reboots=False)) == 1


def test_that_they_stand_among_what_is_told_before_a_start():
    doubts = outage_findings(Battery(5.0, None), reboots=False)
    found = preflight(Recipe(), doubts[0], None, None, outages=doubts)
    assert doubts[0] in found
