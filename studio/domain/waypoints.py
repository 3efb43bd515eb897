"""Named places that the work of an engine passes, for whoever watches.

Nobody watches unless a watcher is set, and then passing a place costs one comparison.
It lies down here because storage and engine pass places, and neither may know the
other, nor who watches.
"""

from collections.abc import Callable

FAULTS = "SNUGTUNE_FAULTS"
"""The variable that asks for faults; `studio.engine.faults` is loaded for it alone."""

Watcher = Callable[[str, int, object], None]

_watcher: Watcher | None = None


def watch(watcher: Watcher | None) -> None:
    """Tell somebody of each place from now on; None tells nobody any more.

    Args:
        watcher: Called with a place's name, its number and its subject, as `passing`
            got them. What it raises is raised where the place is passed.
    """
    global _watcher  # noqa: PLW0603 - one process, one watcher
    _watcher = watcher


def is_watched() -> bool:
    """Whether anybody is told."""
    return _watcher is not None


def passing(place: str, number: int = 0, subject: object = None) -> None:
    """Pass a place.

    Args:
        place: Such as ``save.manifest``; what stands before the point is its group.
        number: Of what is done there, such as a step; 0 where nothing is counted.
        subject: What a watcher may lay hands on.
    """
    if _watcher is not None:
        _watcher(place, number, subject)
