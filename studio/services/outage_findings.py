"""What may end a long run from outside, told before it begins."""

import time
from functools import lru_cache

from studio.domain.finding import Finding
from studio.system.outages import outage_findings
from studio.system.power import battery, reboot_is_pending

_LOOK_EVERY_S = 10.0


def outages_now() -> tuple[Finding, ...]:
    """What threatens this machine, as of the last seconds."""
    return _outages(int(time.monotonic() // _LOOK_EVERY_S))


@lru_cache(maxsize=1)  # a window asks at every keystroke
def _outages(moment: int) -> tuple[Finding, ...]:
    del moment
    return outage_findings(battery(), reboots=reboot_is_pending())
