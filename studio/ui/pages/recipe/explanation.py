"""Where each gigabyte goes, what each switch would save, and one step's memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from studio.domain.finding import Finding
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import (
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
    MemoryPhase,
)
from studio.domain.memory.switches import Saving, Switch, savings
from studio.domain.memory.timeline import Timeline
from studio.domain.recipe import option_for
from studio.ui.forms.option_rows import value_words
from studio.ui.pages.bar_states import GROUP_SEGMENTS
from studio.ui.pages.recipe.reasons import SEGMENTS, ReasonRow
from studio.ui.text import gib
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import (
    NAMES,
    MemoryBarState,
    Segment,
    rounded_hundredths,
)

_LEAST_BYTES: Final = GIB / 200
"""Switches that would read 0.00 GiB are not listed."""

_MADE: Final = {
    MemoryPhase.LOAD: "while loading",
    MemoryPhase.FORWARD: "in the forward pass",
    MemoryPhase.BACKWARD: "in the backward pass",
    MemoryPhase.OPTIMIZER_STEP: "in the optimizer step",
    MemoryPhase.EVALUATE: "while measuring the held-out loss",
    MemoryPhase.GENERATE: "while answering",
    MemoryPhase.SAVE: "while saving",
}


@dataclass(frozen=True, slots=True)
class PricedSwitch:
    """A switch of the recipe.

    Attributes:
        switch: What is turned.
        estimate: What its recipe takes on the best basis, or why that isn't known.
        formula: The same by formula; None where it knows no such model.
    """

    switch: Switch
    estimate: MemoryEstimate | Finding | None
    formula: MemoryEstimate | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A part of the memory bar with all that it holds.

    Attributes:
        segment: Its place in the bar.
        name: As in the bar's legend.
        figure: In GiB, as in the bar.
        parts: What it holds, the most first.
    """

    segment: Segment
    name: str
    figure: str
    parts: tuple[ReasonRow, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that the panel shows.

    Attributes:
        basis: What the figures rest on.
        groups: The parts of the peak, in the bar's order.
        switches: What each would do, those that save the most first.
        note: What is still to come of the switches.
        parts_note: Said in the place of the parts.
        switches_note: Said in the place of the switches.
        timeline: One training step; None until it was gone through.
        timeline_note: Said in its place.
    """

    basis: str
    groups: tuple[GroupRow, ...] = ()
    switches: tuple[ReasonRow, ...] = ()
    note: str = ""
    parts_note: str = ""
    switches_note: str = ""
    timeline: Timeline | None = None
    timeline_note: str = ""


def explanation(
    estimate: MemoryEstimate | Finding | None,
    formula: MemoryEstimate | None,
    priced: tuple[PricedSwitch, ...],
    *,
    bar: MemoryBarState | None,
    in_work: bool,
) -> Explanation:
    """Put an estimate's parts and the recipe's switches into words.

    Args:
        estimate: Of the recipe as it is.
        bar: Its picture, whose figures are told here too.
        formula: The same by formula.
        priced: Its switches. Two bases can't be subtracted, so a switch that isn't
            rehearsed yet is compared with the formula's figure.
        in_work: Whether the dry run of the recipe is still to come.
    """
    if not isinstance(estimate, MemoryEstimate) or bar is None:
        return _unexplained(in_work=in_work)
    exact = [
        (each.switch, each.estimate)
        for each in priced
        if isinstance(each.estimate, MemoryEstimate)
        and each.estimate.basis is estimate.basis
    ]
    note = _note(priced, len(exact)) if estimate.basis is Basis.DRY_RUN else ""
    rows = tuple(_switch_rows(estimate, formula, priced, exact))
    empty = "Shown as they are priced." if note else "No switch changes this peak."
    return Explanation(
        basis=estimate.basis.words,
        groups=tuple(_groups(estimate, bar)),
        switches=rows,
        note=note,
        switches_note="" if rows else empty,
        timeline=estimate.timeline,
        timeline_note="" if estimate.timeline else _no_timeline(in_work=in_work),
    )


def _unexplained(*, in_work: bool) -> Explanation:
    """What stands in the place of everything while the recipe has no figure."""
    if in_work:
        told = "Shown when the run has been rehearsed."
        return Explanation("", (), (), "", told, told, None, _no_timeline(in_work=True))
    told = "Shown once the recipe is priced."
    return Explanation("", (), (), "", told, told, None, told)


def _switch_rows(
    estimate: MemoryEstimate,
    formula: MemoryEstimate | None,
    priced: tuple[PricedSwitch, ...],
    exact: list[tuple[Switch, MemoryEstimate]],
) -> list[ReasonRow]:
    done = {switch for switch, _ in exact}
    rough = [
        (each.switch, each.formula)
        for each in priced
        if each.formula is not None
        and each.switch not in done
        and not isinstance(each.estimate, Finding)
    ]
    found = [*savings(estimate, exact), *(savings(formula, rough) if formula else ())]
    return [
        _switch_row(saving, "" if saving.switch in done else Basis.FORMULA.words)
        for saving in sorted(found, key=lambda saving: -saving.saves_bytes)
        if abs(saving.saves_bytes) >= _LEAST_BYTES
    ]


def _note(priced: tuple[PricedSwitch, ...], done: int) -> str:
    """How many of the switches are rehearsed, while some still are to be."""
    refused = sum(isinstance(each.estimate, Finding) for each in priced)
    waiting = len(priced) - done - refused
    return f"{done} of {len(priced) - refused} rehearsed" if waiting else ""


def _no_timeline(*, in_work: bool) -> str:
    if in_work:
        return "Drawn when the dry run has gone through a step."
    return "Only a dry run goes through a step that can be drawn."


def _groups(estimate: MemoryEstimate, bar: MemoryBarState) -> Iterator[GroupRow]:
    for group, held in estimate.by_group().items():
        if held:
            segment = GROUP_SEGMENTS[group]
            figure = bar.figure(segment)
            parts = tuple(_parts(estimate, group, segment, round(float(figure) * 100)))
            yield GroupRow(segment, NAMES[segment], figure, parts)


def _parts(
    estimate: MemoryEstimate, group: Group, segment: Segment, hundredths: int
) -> Iterator[ReasonRow]:
    """The parts of a group, whose figures add up to the group's."""
    merged: dict[str, list[Component]] = {}
    for part in estimate.components:
        if part.group is group and part.bytes:
            merged.setdefault(part.name, []).append(part)
    named = sorted(merged.items(), key=lambda item: -_sum(item[1]))
    figures = rounded_hundredths([_sum(parts) for _, parts in named], hundredths)
    for (name, parts), figure in zip(named, figures, strict=True):
        if figure:
            yield ReasonRow(
                name,
                name,
                _made(parts),
                f"{figure / 100:.2f} GiB",
                Tone.NORMAL,
                yours=False,
                segment=segment,
            )


def _made(parts: list[Component]) -> str:
    """In which phases of a run something was made; empty where none is known."""
    phases = {part.phase for part in parts}
    told = [words for phase, words in _MADE.items() if phase in phases]
    return f"made {' and '.join(told)}" if told else ""


def _sum(parts: list[Component]) -> int:
    return sum(part.bytes for part in parts)


def _switch_row(saving: Saving, basis: str) -> ReasonRow:
    switch = saving.switch
    saves = saving.saves_bytes > 0
    amount = f"{gib(abs(saving.saves_bytes))} GiB"
    return ReasonRow(
        switch.key,
        switch.words,
        " · ".join(filter(None, (_set_to(switch), basis))),
        f"saves {amount}" if saves else f"costs {amount}",
        Tone.SUCCESS if saves else Tone.NORMAL,
        yours=False,
        segment=SEGMENTS.get(switch.key),
    )


def _set_to(switch: Switch) -> str:
    """What is set to what, as far as the switch's own words don't say it."""
    option = option_for(switch.key)
    value = value_words(option, switch.value)
    if switch.words == f"{option.title} {value}":
        return ""
    if switch.words == option.title:
        return value
    return f"{option.title}: {value}"


def basis_words(estimate: MemoryEstimate, *, in_work: bool) -> str:
    """What a figure rests on, how far off it may be, and whether a better one comes."""
    words = f"{estimate.basis.words}, {_off(estimate)}"
    if in_work and estimate.basis is Basis.FORMULA:
        return f"{words} · exact figure in work"
    return words


def _off(estimate: MemoryEstimate) -> str:
    """How far off the device's peak may be, which is what is shown, in percent."""
    error = estimate.error(Level.DEVICE)
    low, high = (estimate.ratios or {}).get(Level.DEVICE, (1 - error, 1 + error))
    below, above = f"{(1 - low) * 100:.0f}", f"{(high - 1) * 100:.0f}"
    return f"± {above} %" if below == above else f"−{below} to +{above} %"
