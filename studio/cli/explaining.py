"""`snugtune estimate --explain`: where each part goes, and what switches would save."""

from pathlib import Path

from studio.cli import terminal
from studio.cli.pricing import Priced
from studio.cli.timeline_svg import write_timeline
from studio.domain.errors import refusal
from studio.domain.hardware import GIB, amount, gib
from studio.domain.memory.estimate import Basis
from studio.domain.memory.switches import Saving
from studio.domain.recipe import option_for

_LEAST_SHARE = 0.001  # what is shown as 0.1 %
_LEAST_BYTES = GIB / 200  # what is shown as 0.01 GiB


def explain(priced: Priced) -> None:
    """Print where each part goes, each phase's peak, and what each switch would do."""
    _say_parts(priced)
    _say_phases(priced)
    _say_savings(priced)


def draw(priced: Priced, file: Path) -> None:
    """Write the picture of a training step.

    Raises:
        StudioError: The basis goes through no step, or the file can't be written.
    """
    timeline = priced.estimate.timeline
    if timeline is None:
        raise refusal(
            "timeline.none",
            "Only a dry run goes through a step that can be drawn.",
            fix=f"Take --basis {Basis.DRY_RUN}.",
            where="--timeline",
        )
    name = Path(priced.recipe.model.name).name or priced.recipe.model.name
    write_timeline(file, timeline, f"One training step of {name}")


def _say_parts(priced: Priced) -> None:
    found = priced.estimate
    rows = [
        (part.name, part.phase or "-", amount(part.bytes), f"{share:.1%}")
        for part in sorted(found.components, key=lambda part: -part.bytes)
        if (share := part.bytes / found.peak_bytes) >= _LEAST_SHARE
    ]
    terminal.say()
    terminal.say_table(("Part", "Made in", "Memory", "Share"), rows)


def _say_phases(priced: Priced) -> None:
    if priced.estimate.phase_peaks:
        peaks = priced.estimate.phase_peaks.items()
        phases = [(at, amount(held)) for at, held in peaks]
        terminal.say()
        terminal.say_table(("Phase", "Allocated at most"), phases)


def _say_savings(priced: Priced) -> None:
    rows = [
        _row(saving)
        for saving in priced.savings or ()
        if abs(saving.saves_bytes) >= _LEAST_BYTES
    ]
    if rows:
        header = ("Switch", f"Effect, {priced.estimate.basis.words}", "Set")
        terminal.say()
        terminal.say_table(header, rows)
    elif priced.savings is not None and priced.estimate.basis is not Basis.MEASURED:
        least = gib(_LEAST_BYTES)
        terminal.say()
        terminal.say(f"No switch that can be priced saves or costs as much as {least}.")


def _row(saving: Saving) -> tuple[str, str, str]:
    switch, moved = saving.switch, gib(abs(saving.saves_bytes))
    effect = f"saves {moved}" if saving.saves_bytes > 0 else f"costs {moved}"
    shown = option_for(switch.key).show(switch.value)
    return switch.words, effect, f"{switch.key}={shown}"
