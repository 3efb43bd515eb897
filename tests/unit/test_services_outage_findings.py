"""Doubts about a machine that may go down by itself."""

from studio.domain.recipe import Recipe
from studio.services.outage_findings import outage_findings
from studio.services.preflight import preflight
from studio.system.power import Battery


def test_that_a_machine_on_mains_raises_no_doubt():
    assert outage_findings(None, reboots=False) == ()


def test_that_battery_and_restart_are_told_with_their_figures():
    power, restart = outage_findings(Battery(62.6, 4_800.0), reboots=True)
    assert "63 %, about 1 h 20 min left" in power.what
    assert restart.code == "system.reboot-pending"
    (power,) = outage_findings(Battery(62.6, None), reboots=False)
    assert "(63 %)" in power.what


def test_that_they_stand_among_what_is_told_before_a_start():
    doubts = outage_findings(Battery(5.0, None), reboots=False)
    found = preflight(Recipe(), doubts[0], None, None, outages=doubts)
    assert doubts[0] in found
