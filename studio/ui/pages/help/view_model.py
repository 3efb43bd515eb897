"""The Help page's words: how it works, the shortcuts, versions, a diagnosis."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from studio import __version__
from studio.protocol.events import Diagnosed
from studio.ui.icon_names import IconName
from studio.ui.keys import PAGE_KEYS, PageKeys, key_of
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark

HOW_IT_WORKS: Final = (
    (
        "Choose",
        "Hardware says what is free, Model what fits in it, Data what is learned from.",
    ),
    (
        "Train",
        (
            "Recipe predicts a run’s memory before it starts; the run works beside the "
            "window in a process of its own and writes down all that happens."
        ),
    ),
    (
        "Keep",
        (
            "Only a small adapter is trained. It can be asked at once, and merged into "
            "the model when it is good."
        ),
    ),
)
_PACKAGES: Final = (
    ("PySide6", "PySide6-Essentials"),
    ("torch", "torch"),
    ("transformers", "transformers"),
    ("peft", "peft"),
    ("trl", "trl"),
    ("bitsandbytes", "bitsandbytes"),
)
PASSED: Final = Mark(IconName.CHECK_CIRCLE, "Passed", Tone.SUCCESS)
FAILED: Final = Mark(IconName.CROSS_CIRCLE, "Failed", Tone.DANGER)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A deed, the keys that do it, and the pages on which they do."""

    name: str
    text: str
    keys: str
    where: str = "Everywhere"


def page_shortcuts() -> tuple[Shortcut, ...]:
    """The keys that work on one page or a few."""
    return tuple(
        Shortcut(deed.name, deed.value, key_of(deed), _where(found))
        for deed, found in PAGE_KEYS.items()
    )


def _where(found: PageKeys) -> str:
    pages = ", ".join(page.capitalize() for page in found.pages)
    return f"{pages}, in the table" if found.in_table else pages


def versions() -> tuple[tuple[str, str], ...]:
    """What this program runs on, without importing any of it."""
    own = [("Snugtune", __version__), ("Python", platform.python_version())]
    return (*own, *((name, _version(package)) for name, package in _PACKAGES))


def mark_of(check: Diagnosed) -> Mark:
    """Whether a check passed."""
    return PASSED if check.passed else FAILED


def diagnosis_words(checks: Sequence[Diagnosed], *, running: bool) -> str:
    """How far the diagnosis is, and what it found."""
    failed = sum(not check.passed for check in checks)
    if running:
        return f"Checking; {len(checks)} checks are done."
    if not checks:
        return "Checks what training needs: libraries, the card, a 4-bit round trip."
    if failed:
        return f"{failed} of {len(checks)} checks failed."
    return f"All {len(checks)} checks passed."


def diagnosis_report(checks: Sequence[Diagnosed]) -> str:
    """The checks and versions as plain text, for whoever asks for them."""
    lines = [f"{name} {number}" for name, number in versions()]
    lines.append(platform.platform())
    for check in checks:
        outcome = "passed" if check.passed else "FAILED"
        lines.append(f"{check.check}: {outcome}. {check.detail}")
    return "\n".join(lines) + "\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
