"""The simple form in words: four choices, what each means here, and what it costs."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.architecture import ModelArchitecture
from studio.domain.dataset import ChatFile
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.formula import adapter_weights, estimate_memory
from studio.domain.packing import rows_of_a_step
from studio.domain.recipe import OPTIONS, Recipe
from studio.services.pricing import lengths_of, trained_lengths
from studio.services.recommending import steps_over
from studio.ui.pages.recipe.ladders import (
    PASSES,
    RANKS,
    nearest,
    sequence_lengths,
)
from studio.ui.text import count, gib, percent

LENGTH, RANK, PASSES_KEY = "train.sequence_length", "lora.rank", "train.epochs"
HELD_OUT = "data.held_out"
_UNKNOWN_CONTEXT = 8192
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SliderRow:
    """A choice with a slider.

    Attributes:
        key: The option.
        title: Its name.
        value: Its value in words.
        caption: What it means here, in figures.
        steps: The values that the slider stops at.
        place: The stop that is nearest to the value.
    """

    key: str
    title: str
    value: str
    caption: str
    steps: tuple[float, ...]
    place: int


@dataclass(frozen=True, slots=True)
class HoldBackRow:
    """The choice to measure with rows that are never trained on."""

    title: str
    caption: str
    on: bool


@dataclass(frozen=True, slots=True)
class Split:
    """How many rows are trained on and how many are held back."""

    trained: int
    held_back: int

    @classmethod
    def of(cls, recipe: Recipe, chats: ChatFile) -> "Split":
        """Divide a file as the engine will."""
        share, seed = recipe.data.share_held_out, recipe.train.seed
        _, held = chats.split(share, seed)
        others = chats.held_out_file
        measured = len(held) if others is None else len(others.chats)
        return cls(chats.training_rows(share, seed), measured)


def length_row(
    recipe: Recipe,
    model: ModelArchitecture | None,
    device: TrainingDevice | None,
    chats: ChatFile | None,
) -> SliderRow:
    """The choice of the longest row."""
    length = recipe.train.sequence_length
    context = model.context if model is not None else _UNKNOWN_CONTEXT
    steps = sequence_lengths(max(context, length))
    parts = [_cut_words(length, chats)] if chats is not None else []
    if model is not None and device is not None:
        parts.append(_next_cost(recipe, model, device, steps))
    return SliderRow(
        LENGTH,
        OPTIONS[LENGTH].title,
        f"{length:,} tokens",
        " ".join(part for part in parts if part),
        tuple(map(float, steps)),
        nearest(steps, length),
    )


def rank_row(recipe: Recipe, model: ModelArchitecture | None) -> SliderRow:
    """The choice of the adapter's size."""
    caption = OPTIONS[RANK].help
    if model is not None:
        trained = adapter_weights(model, recipe)
        share = percent(trained / model.parameters, 1)
        caption = f"{trained / _MILLION:.1f} M trained numbers, {share} of the model."
    return SliderRow(
        RANK,
        "How much the model may change (rank)",
        f"rank {recipe.lora.rank:,}",
        caption,
        tuple(map(float, RANKS)),
        nearest(RANKS, recipe.lora.rank),
    )


def passes_row(recipe: Recipe, chats: ChatFile | None) -> SliderRow:
    """The choice of how long to train; a fixed number of steps says so."""
    passes, most = recipe.train.epochs, recipe.train.max_steps
    if most:
        value, caption = (
            count(most, "step"),
            "“Most steps” ends the run; moving this lets the passes decide.",
        )
        if chats is not None:
            rows = Split.of(recipe, chats).trained
            passes = most * _rows_of_a_step(recipe, chats) / max(1, rows)
            value = f"{value}, {passes:.1f} passes"
    else:
        value = f"{passes:g}"
        caption = ""
        if chats is not None:
            steps = steps_over(recipe, Split.of(recipe, chats).trained, chats)
            batch = f"{_rows_of_a_step(recipe, chats):.0f} rows"
            about = "about " if recipe.train.packing else ""
            caption = f"{count(steps, 'step')} of {about}{batch}."
    return SliderRow(
        PASSES_KEY,
        "Passes over the data (epochs)",
        value,
        caption,
        PASSES,
        nearest(PASSES, passes),
    )


def _rows_of_a_step(recipe: Recipe, chats: ChatFile) -> float:
    return rows_of_a_step(recipe, trained_lengths(recipe, chats))


def hold_back_row(recipe: Recipe, chats: ChatFile | None) -> HoldBackRow:
    """The choice whether to measure."""
    share = recipe.data.held_out
    if not recipe.data.measures:
        return HoldBackRow(
            "Hold back rows to measure with",
            "Nothing will show whether the run learns or learns by heart.",
            on=False,
        )
    caption = "These rows are never trained on."
    if chats is not None:
        held = Split.of(recipe, chats).held_back
        verb = "is" if held == 1 else "are"
        caption = f"{count(held, 'row')} {verb} never trained on."
    if recipe.data.held_out_file:
        name = Path(recipe.data.held_out_file).name
        return HoldBackRow(f"Measure with {name}", caption, on=True)
    return HoldBackRow(f"Hold back {share * 100:g} % to measure with", caption, on=True)


def _cut_words(length: int, chats: ChatFile) -> str:
    """How many rows are too long, or may be, when characters alone judge them."""
    lengths = lengths_of(chats)
    long, rows = lengths.longer_than(length), len(chats.chats)
    if lengths.counted:
        if long:
            return f"{long:,} of {rows:,} rows {'is' if long == 1 else 'are'} cut."
        return "All rows stay whole."
    if long:
        return f"By their characters, {long:,} of {rows:,} rows may be cut."
    return "By their characters, all rows stay whole."


def _next_cost(
    recipe: Recipe,
    model: ModelArchitecture,
    device: TrainingDevice,
    steps: tuple[int, ...],
) -> str:
    above = next((step for step in steps if step > recipe.train.sequence_length), None)
    if above is None:
        return f"This model reads at most {model.context:,} tokens."
    longer = recipe.with_value(LENGTH, above)
    now = estimate_memory(model, recipe, device).peak_bytes
    more = estimate_memory(model, longer, device).peak_bytes - now
    return f"{above:,} would cost {gib(more)} GiB more."
