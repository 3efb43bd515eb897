"""What may end a long run from outside, told before it begins."""

import time
from functools import lru_cache

from studio.domain.finding import Finding, warning
from studio.domain.time_words import duration
from studio.system.power import Battery, battery, reboot_is_pending

_LOOK_EVERY_S = 10.0


def outages_now() -> tuple[Finding, ...]:
    """What threatens this machine, as of the last seconds."""
    return _outages(int(time.monotonic() // _LOOK_EVERY_S))


@lru_cache(maxsize=1)  # a window asks at every keystroke
def _outages(moment: int) -> tuple[Finding, ...]:
    del moment
    return outage_findings(battery(), reboots=reboot_is_pending())


def outage_findings(held: Battery | None, *, reboots: bool) -> tuple[Finding, ...]:
    """Doubts about a machine that may go down by itself.

    Args:
        held: The battery that it runs on; None on mains.
        reboots: Whether it waits for a restart.
    """
    found: list[Finding] = []
    if held is not None:
        left = "" if held.seconds is None else f", about {duration(held.seconds)} left"
        found.append(
            warning(
                "power.battery",
                f"This machine runs on its battery ({held.percent:.0f} %{left}).",
                why="Training empties it fast; steps behind the last checkpoint would "
                "be done again.",
                fix="Plug it in before a long run.",
            )
        )
    if reboots:
        found.append(
            warning(
                "system.reboot-pending",
                "The system waits for a restart to finish an update.",
                why="It may restart by itself; the run then goes on from its last "
                "checkpoint when you say so.",
                fix="Restart before a long run.",
            )
        )
    return tuple(found)
