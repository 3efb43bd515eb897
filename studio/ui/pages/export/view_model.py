"""The Export page's words: what a run left, what can be made of it, what it answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.domain.run import Phase, RunSnapshot, RunState
from studio.protocol.export_events import ADAPTER, MERGED
from studio.services.exporters import FormOffer
from studio.services.exports import ExportedFiles
from studio.ui.pages.export.artefacts import (
    CertificateView,
    FormRow,
    certificates,
    form_rows,
    is_doubtful,
    made_words,
)
from studio.ui.pages.run.endings import measured_change
from studio.ui.pages.run.samples import PromptAnswers, prompts_of
from studio.ui.text import count, gib, size

NOTHING_YET: Final = (
    "Nothing to export yet",
    "A run that has saved its result can be exported, proven, and asked.",
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
        merged_format: Chosen for the next merge.
        as_trained: Whether that merges into the base as 4 bits held it.
        kinds: What is ticked.
        target: The folder that the next export writes.
        exported: What lies there already.
        offers: The forms of exporters; empty until they are looked at.
        disk_free_bytes: Where that folder lies; None while unknown.
        is_training: Whether a run is going on in this window.
        is_busy: Whether the engine is at work for this page.
    """

    run: RunSnapshot | None = None
    recipe: Recipe | None = None
    model: ModelArchitecture | None = None
    result_bytes: int = 0
    merged_format: MergedFormat = MergedFormat.BF16
    as_trained: bool = False
    kinds: tuple[str, ...] = ()
    target: Path | None = None
    exported: ExportedFiles | None = None
    offers: tuple[FormOffer, ...] = ()
    disk_free_bytes: int | None = None
    is_training: bool = False
    is_busy: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all weights were trained, so that there is nothing to merge."""
        return self.run is not None and self.run.model is not None

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is ticked, of what can be made of this run."""
        if not self.is_whole:
            return self.kinds
        return tuple(kind for kind in self.kinds if kind not in {ADAPTER, MERGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportView:
    """All that the page shows of a run.

    Attributes:
        facts: The line below the title.
        measured: Held-out loss before and after.
        is_whole: Whether all weights were trained, so that the result is a model.
        result_size: Of the adapter's files, or the trained model's.
        merged_size: Of the merged model's files, or what they will take.
        can_be_as_trained: Whether the run's base was held in 4 bits that a merge can
            be made into.
        need: What an export takes of the disk, and what is free.
        target: Where it would be written.
        exported: Where an earlier one lies; empty without one.
        made: What lies there, in words.
        is_doubtful: Whether its model differs from what was trained.
        forms: Of exporters, as rows.
        certificates: One for each artefact that lies there.
        export_refused: Why no export can begin; empty when one can.
        ask_refused: Why nothing can be asked; empty when it can.
        samples: The run's own prompts, answered before and after.
    """

    facts: str
    measured: str
    is_whole: bool
    result_size: str
    merged_size: str
    can_be_as_trained: bool
    need: str
    target: str
    exported: str
    made: str
    is_doubtful: bool
    forms: tuple[FormRow, ...]
    certificates: tuple[CertificateView, ...]
    export_refused: str
    ask_refused: str
    samples: tuple[PromptAnswers, ...]


def export_view(inputs: ExportInputs) -> ExportView | None:
    """Put a run's result into words; None when there is nothing to export."""
    run, lies = inputs.run, inputs.exported
    if run is None or run.result is None:
        return None
    return ExportView(
        facts=_facts(run, inputs.recipe),
        measured=measured_change(run),
        is_whole=inputs.is_whole,
        result_size=size(inputs.result_bytes) if inputs.result_bytes else "",
        merged_size=_merged_size(inputs),
        can_be_as_trained=_can_be_as_trained(inputs),
        need=_need(inputs) if inputs.wanted or not inputs.is_whole else "",
        target="" if inputs.target is None else str(inputs.target),
        exported="" if lies is None or lies.is_empty else str(lies.folder),
        made=made_words(lies),
        is_doubtful=is_doubtful(lies),
        forms=form_rows(inputs.offers, lies),
        certificates=certificates(lies),
        export_refused=_export_refused(inputs),
        ask_refused=_busy(inputs),
        samples=tuple(_answered(run)),
    )


def exportable(runs: Sequence[RunSnapshot]) -> tuple[RunSnapshot, ...]:
    """The runs that left a result, in the order given."""
    return tuple(run for run in runs if run.state.is_over and run.result is not None)


def export_bytes(inputs: ExportInputs) -> int | None:
    """What an export will write; None when a part of it isn't known."""
    parts: list[int | None] = [
        2 * inputs.result_bytes if ADAPTER in inputs.wanted else 0
    ]
    parts += [_merged_bytes(inputs) if _needs_merge(inputs) else _REST_OF_A_MODEL]
    most = {offer.kind: offer.most_bytes for offer in inputs.offers}
    parts += [most.get(kind) for kind in _others(inputs)]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _others(inputs: ExportInputs) -> tuple[str, ...]:
    return tuple(kind for kind in inputs.wanted if kind not in {ADAPTER, MERGED})


def _needs_merge(inputs: ExportInputs) -> bool:
    """Whether weights are merged, if only for an exporter, which takes a proven one."""
    if MERGED in inputs.wanted:
        return True
    lies = inputs.exported
    has_one = (
        lies is not None
        and not lies.is_aside
        and lies.is_as_trained is inputs.as_trained
        and lies.certificate is not None
        and lies.certificate.is_proven
    )
    return bool(_others(inputs)) and not inputs.is_whole and not has_one


def _can_be_as_trained(inputs: ExportInputs) -> bool:
    recipe = inputs.recipe
    if recipe is None or inputs.is_whole:
        return False
    starts_apart = recipe.lora.variant is LoraVariant.PISSA
    return recipe.model.precision.is_four_bit and not starts_apart


def _merged_bytes(inputs: ExportInputs) -> int | None:
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


def _merged_size(inputs: ExportInputs) -> str:
    lies = inputs.exported
    if lies is not None and lies.merged_bytes is not None:
        return size(lies.merged_bytes)
    will_be = _merged_bytes(inputs)
    return "" if will_be is None else f"about {size(will_be)}"


def _need(inputs: ExportInputs) -> str:
    need = export_bytes(inputs)
    free = inputs.disk_free_bytes
    parts = []
    if need is not None:
        parts.append(f"Needs about {gib(need)} GiB")
    if free is not None:
        parts.append(f"{free / GIB:,.0f} GiB free")
    return ", ".join(parts)


def _export_refused(inputs: ExportInputs) -> str:
    if inputs.is_whole and all(offer.refused for offer in inputs.offers):
        return "All weights were trained: the result is a whole model already."
    if busy := _busy(inputs):
        return busy
    if not inputs.wanted:
        return "Tick what shall be made."
    need, free = export_bytes(inputs), inputs.disk_free_bytes
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
