"""How long a movement lasts, decided in one place.

Widgets move only on the user's own change, and not at all when motion is reduced; they
ask here instead of being told one by one.
"""

from typing import Final

from PySide6.QtCore import QCoreApplication

from studio.ui.tokens import MOTION_MS

_PROPERTY: Final = "snugtune_reduced_motion"


def set_reduced_motion(*, reduced: bool) -> None:
    """Switch all movement off or on."""
    application = QCoreApplication.instance()
    if application is not None:
        application.setProperty(_PROPERTY, reduced)


def motion_ms() -> int:
    """The duration of a movement in milliseconds; 0 when motion is reduced."""
    application = QCoreApplication.instance()
    reduced = application is not None and bool(application.property(_PROPERTY))
    return 0 if reduced else MOTION_MS
