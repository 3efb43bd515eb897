"""What threatens a long run from outside, in words: told before it, and during it."""

from collections.abc import Mapping

from studio.domain.finding import Finding, warning
from studio.domain.time_words import duration
from studio.system.power import Battery, battery, reboot_is_pending

# From here on a battery may be empty before the next checkpoint is due.
_LOW_PERCENT = 10.0
_LOW_S = 900.0


def threats_now() -> Mapping[str, Finding]:
    """What threatens this machine now, by names of which each is a change for worse."""
    return threats(battery(), reboots=reboot_is_pending())


def threats(held: Battery | None, *, reboots: bool) -> Mapping[str, Finding]:
    """Doubts about a machine that may go down by itself.

    Args:
        held: The battery that it runs on; None on mains.
        reboots: Whether it waits for a restart.

    Returns:
        The findings by name; a battery that is nearly empty has a second one.
    """
    found: dict[str, Finding] = {}
    if held is not None:
        found["battery"] = _on_battery(held)
        if _is_low(held):
            found["low battery"] = found["battery"]
    if reboots:
        found["restart"] = _WAITS_FOR_RESTART
    return found


def outage_findings(held: Battery | None, *, reboots: bool) -> tuple[Finding, ...]:
    """The same without names, each finding once."""
    return tuple(dict.fromkeys(threats(held, reboots=reboots).values()))


def _is_low(held: Battery) -> bool:
    ends_soon = held.seconds is not None and held.seconds < _LOW_S
    return ends_soon or held.percent < _LOW_PERCENT


def _on_battery(held: Battery) -> Finding:
    left = "" if held.seconds is None else f", about {duration(held.seconds)} left"
    return warning(
        "power.battery",
        f"This machine runs on its battery ({held.percent:.0f} %{left}).",
        why="Training empties it fast; steps behind the last checkpoint would "
        "be done again.",
        fix="Plug it in for a long run.",
    )


_WAITS_FOR_RESTART = warning(
    "system.reboot-pending",
    "The system waits for a restart to finish an update.",
    why="It may restart by itself; the run then goes on from its last "
    "checkpoint when you say so.",
    fix="Restart before a long run; one under way can be paused for it.",
)
