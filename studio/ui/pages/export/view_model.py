"""The Export page's words: what a run left, what can be made of it, what it answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB
from studio.domain.recipe import Recipe
from studio.domain.run import Phase, RunSnapshot, RunState
from studio.ui.pages.run.endings import measured_change
from studio.ui.pages.run.samples import PromptAnswers, prompts_of
from studio.ui.text import count, gib, size

NOTHING_YET: Final = (
    "Nothing to export yet",
    "A run that has saved its result can be copied, merged into its model, and asked.",
)
_PARTS_SHOWN: Final = 3
_REST_OF_A_MODEL: Final = 32 * (1 << 20)
"""Tokenizer, config and template beside the weights, generously."""


class MergedFormat(StrEnum):
    """The number format of a merged model's weights."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"

    @property
    def words(self) -> str:
        """The choice's text."""
        bits = 32 if self is MergedFormat.FP32 else 16
        return f"{self.value.upper()}, {bits} bit"

    @property
    def bytes_a_weight(self) -> int:
        """Of one number."""
        return 4 if self is MergedFormat.FP32 else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportInputs:
    """What is known when the page is drawn.

    Attributes:
        run: The run whose result is shown; None when there is none.
        recipe: It was started with.
        model: Its base model's shape; None when that isn't known.
        result_bytes: Of the adapter's files, or the trained model's.
        merged_bytes: Of the merged model's files in the run; None without one.
        merged_format: Chosen for the next merge.
        target: The folder that the next merge writes.
        disk_free_bytes: Where that folder lies; None while unknown.
        is_training: Whether a run is going on in this window.
        is_busy: Whether the engine is merging or answering.
    """

    run: RunSnapshot | None = None
    recipe: Recipe | None = None
    model: ModelArchitecture | None = None
    result_bytes: int = 0
    merged_bytes: int | None = None
    merged_format: MergedFormat = MergedFormat.BF16
    target: Path | None = None
    disk_free_bytes: int | None = None
    is_training: bool = False
    is_busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportView:
    """All that the page shows of a run.

    Attributes:
        facts: The line below the title.
        measured: Held-out loss before and after.
        is_whole: Whether all weights were trained, so that the result is a model.
        result_path: Where the result lies.
        result_size: Of its files.
        merged_path: Where the merged model lies in the run; empty without one.
        merged_size: Of its files.
        need: What a merge takes of the disk, and what is free.
        target: Where it would be written.
        merge_refused: Why no merge can begin; empty when one can.
        ask_refused: Why nothing can be asked; empty when it can.
        samples: The run's own prompts, answered before and after.
    """

    facts: str
    measured: str
    is_whole: bool
    result_path: str
    result_size: str
    merged_path: str
    merged_size: str
    need: str
    target: str
    merge_refused: str
    ask_refused: str
    samples: tuple[PromptAnswers, ...]


def export_view(inputs: ExportInputs) -> ExportView | None:
    """Put a run's result into words; None when there is nothing to export."""
    run = inputs.run
    if run is None or run.result is None:
        return None
    merged = run.directory / run.merged if run.merged is not None else None
    return ExportView(
        facts=_facts(run, inputs.recipe),
        measured=measured_change(run),
        is_whole=run.model is not None,
        result_path=str(run.directory / run.result),
        result_size=size(inputs.result_bytes) if inputs.result_bytes else "",
        merged_path="" if merged is None else str(merged),
        merged_size="" if inputs.merged_bytes is None else size(inputs.merged_bytes),
        need="" if run.model is not None else _need(inputs),
        target="" if inputs.target is None else str(inputs.target),
        merge_refused=_merge_refused(inputs),
        ask_refused=_busy(inputs),
        samples=tuple(_answered(run)),
    )


def exportable(runs: Sequence[RunSnapshot]) -> tuple[RunSnapshot, ...]:
    """The runs that left a result, in the order given."""
    return tuple(run for run in runs if run.state.is_over and run.result is not None)


def merge_bytes(inputs: ExportInputs) -> int | None:
    """What a merge will write; None when the model's shape isn't known."""
    if inputs.model is None:
        return None
    weights = inputs.model.parameters * inputs.merged_format.bytes_a_weight
    return weights + _REST_OF_A_MODEL


def short_path(path: str) -> str:
    """The last three parts of a path, which name project, run and what it is."""
    parts = Path(path).parts
    if len(parts) <= _PARTS_SHOWN:
        return path
    return "…/" + "/".join(parts[-_PARTS_SHOWN:])


def phase_words(phase: str) -> str:
    """What the engine is doing, in words; its own word for an unknown phase."""
    return Phase(phase).words if phase in set(Phase) else phase


def _facts(run: RunSnapshot, recipe: Recipe | None) -> str:
    parts = [run.name]
    if recipe is not None:
        parts.append(Path(recipe.model.name).name)
    done = "stopped after" if run.state is RunState.STOPPED else "after"
    parts.append(f"{done} {count(run.step, 'step')}")
    return " · ".join(parts)


def _need(inputs: ExportInputs) -> str:
    need = merge_bytes(inputs)
    free = inputs.disk_free_bytes
    parts = []
    if need is not None:
        parts.append(f"Needs about {gib(need)} GiB")
    if free is not None:
        parts.append(f"{free / GIB:,.0f} GiB free")
    return ", ".join(parts)


def _merge_refused(inputs: ExportInputs) -> str:
    if inputs.run is not None and inputs.run.model is not None:
        return "All weights were trained: the result is a whole model already."
    if busy := _busy(inputs):
        return busy
    need, free = merge_bytes(inputs), inputs.disk_free_bytes
    if need is not None and free is not None and need > free:
        return f"Short of {gib(need - free)} GiB on the disk."
    return ""


def _busy(inputs: ExportInputs) -> str:
    if inputs.is_training:
        return "Training is running; one model is in memory at a time."
    if inputs.is_busy:
        return "The engine is at work; one model is in memory at a time."
    return ""


def _answered(run: RunSnapshot) -> Iterator[PromptAnswers]:
    for prompt in prompts_of(run):
        if prompt.before is not None or prompt.now is not None:
            yield prompt
