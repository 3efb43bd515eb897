"""The Settings page's choices in words."""

from typing import Final

from studio.services.preferences import KeepRunning, Theme

THEMES: Final = (
    (Theme.SYSTEM.value, "System"),
    (Theme.LIGHT.value, "Light"),
    (Theme.DARK.value, "Dark"),
)
CLOSING: Final = (
    (KeepRunning.ASK.value, "Ask"),
    (KeepRunning.YES.value, "Keep running"),
    (KeepRunning.NO.value, "Stop"),
)


def closing_words(choice: KeepRunning) -> str:
    """What a choice means for a run."""
    match choice:
        case KeepRunning.ASK:
            return "You are asked each time."
        case KeepRunning.YES:
            return "The run goes on by itself and is shown again at the next start."
        case KeepRunning.NO:
            return "The run ends after the step under way; what it learned is kept."
