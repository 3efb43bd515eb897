"""Spans of time in words, the same for the window and the terminal."""

from typing import Final

_TENTHS_BELOW_S: Final = 5.0
_SECONDS_BELOW_S: Final = 120.0
_MINUTES_BELOW_S: Final = 7200.0


def duration(seconds: float) -> str:
    """A span that was measured, in its two largest units: ``24 min 31 s``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {left} s"
    return f"{left} s"


def duration_range(low_seconds: float, high_seconds: float) -> str:
    """A span that is estimated, in the one unit that suits its end: ``12 to 15 min``.

    Tenths of a second below five seconds, seconds below two minutes, minutes below two
    hours, then hours and minutes: ``2 h 40 min to 3 h 10 min``.
    """
    low, high = sorted((max(0.0, low_seconds), max(0.0, high_seconds)))
    if high < _TENTHS_BELOW_S:
        return _joined(f"{low:.1f}", f"{high:.1f}", " s")
    if high < _SECONDS_BELOW_S:
        return _joined(f"{low:.0f}", f"{high:.0f}", " s")
    if high < _MINUTES_BELOW_S:
        return _joined(f"{low / 60:.0f}", f"{high / 60:.0f}", " min")
    return _joined(_hours(low), _hours(high), "")


def _joined(first: str, last: str, unit: str) -> str:
    return f"{last}{unit}" if first == last else f"{first} to {last}{unit}"


def _hours(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
