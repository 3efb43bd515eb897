"""The Model page's rows and details, made from places, predictions and the device.

A model that can't be priced says why in its row; nothing is guessed for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.finding import Finding
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.recommend.marks import FRUGAL, SHORT_RECIPE_WORDS, judge
from studio.services.model_marks import texts_that_fit
from studio.services.model_shelf import ModelPlace, ModelState
from studio.ui.pages.bar_states import (
    peak_range,
    predicted_bar,
    short_by_bytes,
    verdict_of,
)
from studio.ui.pages.window_words import in_window
from studio.ui.text import count, gib, size
from studio.ui.widgets.marks import NOT_PRICED, Mark, mark_for
from studio.ui.widgets.memory_bar_state import (
    MemoryBarState,
    Segment,
    Verdict,
    rounded_hundredths,
)

Price = MemoryEstimate | Finding

LONGEST_TEXT: Final = "Longest text (QLoRA, one row at a time)"

_BILLION: Final = 1_000_000_000
_MILLION: Final = 1_000_000
_FITS_ABOUT: Final = {
    Verdict.MUCH_ROOM: 0,
    Verdict.FITS: 0,
    Verdict.TIGHT: 1,
    Verdict.SHORT: 2,
    Verdict.NOT_PRICED: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model in the list.

    Attributes:
        name: What a recipe calls it.
        title: What people call it.
        hub_id: Its owner and name on the hub; empty when it has none.
        caption: Where it lies; of one that isn't here its licence.
        weights: How many weights, such as ``135 M``; empty when unknown.
        bar: Its predicted peak on the device; None when it isn't priced.
        peak: The peak's range in GiB; empty when it isn't priced.
        mark: Whether it fits.
        verdict: The same, for the order of the list.
        reason: Why it has its mark, and for which recipe, in a sentence.
        hint: Its whole title, name and licence, which a narrow column cuts.
        in_use: Whether the project's recipe names it.
        is_here: Whether a run could load it.
        parameters, licence, gated: As its place tells.
    """

    name: str
    title: str
    hub_id: str
    caption: str
    weights: str
    bar: MemoryBarState | None
    peak: str
    mark: Mark
    verdict: Verdict
    reason: str
    hint: str
    in_use: bool
    is_here: bool
    parameters: int
    licence: str
    gated: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A row of the details: a segment, its name, what decides it, its GiB."""

    segment: Segment
    name: str
    note: str
    figure: str


@dataclass(frozen=True, slots=True)
class TextRow:
    """How long a text may be: its tokens, its peak in GiB, and whether that fits."""

    tokens: str
    figure: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDetails:
    """All that the details card shows of one model.

    Attributes:
        title: What people call it.
        description: One sentence; empty when there is none.
        mark: Whether it fits.
        bar: Its predicted peak; None when it isn't priced.
        parts: What makes the peak.
        peak: The peak with its unit; empty when it isn't priced.
        peak_range: The range of the peak.
        why_not_priced: The sentence in its place.
        texts: How long one row may be; empty when it isn't priced.
        facts: Name and value pairs.
        preparation: What has to happen before the first run; empty when nothing.
        folder: Where the files lie; empty when they are not here.
        can_use: Whether a run could load it.
    """

    title: str
    description: str
    mark: Mark
    bar: MemoryBarState | None
    parts: tuple[Part, ...]
    peak: str
    peak_range: str
    why_not_priced: str
    texts: tuple[TextRow, ...]
    facts: tuple[tuple[str, str], ...]
    preparation: str
    folder: str
    can_use: bool


def model_row(
    place: ModelPlace, price: Price | None, device: TrainingDevice, in_use: str
) -> ModelRow:
    """Put a model into a row.

    Args:
        place: The model and where it lies.
        price: Its predicted peak, why there is none, or None before it was asked: of
            the model in use by the project's recipe, of others by that of the marks.
        device: What it is priced for.
        in_use: The name in the project's recipe.
    """
    estimate = price if isinstance(price, MemoryEstimate) else None
    is_in_use = place.name == in_use
    return ModelRow(
        name=place.name,
        title=place.title,
        hub_id=place.hub_id,
        caption=_caption(place, in_use=is_in_use),
        weights=weights_words(place.parameters),
        bar=predicted_bar(estimate, device) if estimate else None,
        peak=peak_range(estimate) if estimate else "",
        mark=_mark(estimate, device),
        verdict=verdict_of(estimate, device) if estimate else Verdict.NOT_PRICED,
        reason=_reason(price, device, in_use=is_in_use),
        hint=_hint(place),
        in_use=is_in_use,
        is_here=place.state is not ModelState.MISSING,
        parameters=place.parameters,
        licence=place.licence,
        gated=place.gated,
    )


def in_order(rows: Sequence[ModelRow]) -> list[ModelRow]:
    """The one in use; what fits, largest first; what is short of least; the rest."""

    def key(row: ModelRow) -> tuple[bool, int, int, str]:
        peak = row.bar.peak_bytes if row.bar is not None else None
        size = row.parameters if peak is None else peak
        if _FITS_ABOUT[row.verdict] == 0:
            size = -size
        return not row.in_use, _FITS_ABOUT[row.verdict], size, row.title.casefold()

    return sorted(rows, key=key)


def model_details(
    place: ModelPlace, price: Price | None, device: TrainingDevice, recipe: Recipe
) -> ModelDetails:
    """Put a model into the details card.

    Args:
        place: The model and where it lies.
        price: As `model_row` takes it.
        device: What it is priced for.
        recipe: The project's; it names the model in use.
    """
    estimate = price if isinstance(price, MemoryEstimate) else None
    in_use = place.name == recipe.model.name
    return ModelDetails(
        title=place.title,
        description=place.description,
        mark=_mark(estimate, device),
        bar=predicted_bar(estimate, device) if estimate else None,
        parts=_parts(estimate, recipe if in_use else FRUGAL) if estimate else (),
        peak=f"{gib(estimate.peak_bytes)} GiB" if estimate else "",
        peak_range=peak_range(estimate) if estimate else "",
        why_not_priced=_said(price) if isinstance(price, Finding) else "",
        texts=_texts(place, device) if estimate else (),
        facts=(*_facts(place), _priced_for(in_use=in_use)),
        preparation=_preparation(place),
        folder=str(place.folder) if place.state is ModelState.READY else "",
        can_use=place.state is not ModelState.MISSING,
    )


def list_facts(shown: int, models: int, device: TrainingDevice) -> str:
    """The line below the page's title."""
    free = gib(device.free_bytes)
    whose = "main memory" if device.kind == "cpu" else "the card"
    listed = count(models, "model")
    some = f"{shown} of {listed}" if shown < models else listed
    return f"{some}, marked for {SHORT_RECIPE_WORDS} and {free} GiB free in {whose}"


def weights_words(parameters: int) -> str:
    """A number of weights as people say it: ``135 M``, ``7.62 B``; empty for 0."""
    if parameters >= _BILLION - _MILLION / 2:  # else rounded to 1000 M
        return f"{parameters / _BILLION:.3g} B"
    return f"{parameters / _MILLION:.0f} M" if parameters else ""


def _mark(estimate: MemoryEstimate | None, device: TrainingDevice) -> Mark:
    if estimate is None:
        return NOT_PRICED
    return mark_for(verdict_of(estimate, device), short_by_bytes(estimate, device))


def _reason(price: Price | None, device: TrainingDevice, *, in_use: bool) -> str:
    if price is None:
        return "Its memory is being worked out."
    if isinstance(price, Finding):
        return _said(price)
    return f"{judge(price, device).reason} For {_recipe_words(in_use=in_use)}."


def _said(finding: Finding) -> str:
    return in_window(finding).sentence()


def _priced_for(*, in_use: bool) -> tuple[str, str]:
    rows, tokens = FRUGAL.train.micro_batch, FRUGAL.train.sequence_length
    marked = f"QLoRA, {rows} × {tokens:,} tokens"
    return "Priced for", "this project’s recipe" if in_use else marked


def _hint(place: ModelPlace) -> str:
    consent = " (asks for consent)" if place.gated else ""
    licence = f"{place.licence}{consent}" if place.licence else ""
    told = (place.title, place.hub_id or place.name, licence, place.description)
    return " · ".join(each for each in told if each)


def _recipe_words(*, in_use: bool) -> str:
    return "this project’s recipe" if in_use else SHORT_RECIPE_WORDS


def _caption(place: ModelPlace, *, in_use: bool) -> str:
    match place.state, place.source:
        case (ModelState.MISSING, _):
            where = place.licence or "Not on this disk"
            where += ", gated" if place.gated else ""
        case (_, "wheel"):
            where = "Comes with Snugtune"
        case (_, "hub"):
            where = "Hugging Face cache"
        case _:
            where = "A folder of yours"
    return f"In use · {where[0].lower()}{where[1:]}" if in_use else where


def _preparation(place: ModelPlace) -> str:
    if place.state is ModelState.CONVERTIBLE:
        return "Its weights are unpacked once, when the first run begins."
    if place.state is not ModelState.MISSING or not place.hub_id:
        return ""
    consent = ""
    if place.gated:
        consent = "Agree to its licence on the hub, then log in: hf auth login. "
    return f"{consent}Fetch it: hf download {place.hub_id}"


def _parts(price: MemoryEstimate, recipe: Recipe) -> tuple[Part, ...]:
    tokens = recipe.train.micro_batch * recipe.train.sequence_length
    notes = {
        Group.WEIGHTS: (Segment.WEIGHTS, "Weights", _weights_note(recipe)),
        Group.ADAPTER: (
            Segment.ADAPTER,
            "Adapter + optimizer",
            f"rank {recipe.lora.rank}",
        ),
        Group.ACTIVATIONS: (
            Segment.ACTIVATIONS,
            "Activations",
            f"{tokens:,} tokens at a time",
        ),
        Group.LOSS: (Segment.LOSS, "Loss", "in tiles"),
        Group.OVERHEAD: (Segment.OVERHEAD, "Overhead", "libraries and context"),
    }
    held = price.by_group()
    # Rounded together, so that the figures add up to the peak below them.
    rounded = rounded_hundredths([held[group] for group in notes])
    return tuple(
        Part(*notes[group], f"{hundredths / 100:.2f}")
        for group, hundredths in zip(notes, rounded, strict=True)
    )


def _texts(place: ModelPlace, device: TrainingDevice) -> tuple[TextRow, ...]:
    return tuple(
        TextRow(count(length, "token"), gib(found.peak_bytes), _mark(found, device))
        for length, found in texts_that_fit(place, device)
    )


def _weights_note(recipe: Recipe) -> str:
    if recipe.model.precision.is_four_bit:
        return "linear layers in 4 bit"
    return f"in {recipe.model.precision.value.upper()}"


def _facts(place: ModelPlace) -> tuple[tuple[str, str], ...]:
    facts = [("Name", place.hub_id or place.name)]
    if place.licence:
        consent = ", asks for consent" if place.gated else ""
        facts.append(("Licence", f"{place.licence}{consent}"))
    if place.context:
        facts.append(("Reads at most", count(place.context, "token")))
    if place.parameters:
        facts.append(("Weights", weights_words(place.parameters)))
    if place.size_bytes:
        facts.append(("Files", f"{_file_size(place.size_bytes)}, on this disk"))
    return tuple(facts)


def _file_size(size_bytes: int) -> str:
    return size(size_bytes) if size_bytes < GIB else f"{size_bytes / GIB:.1f} GiB"
