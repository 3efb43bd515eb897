"""What speaks against a start: every finding at once, each with its remedy.

`preflight` judges what it is given and touches nothing but the data file's name;
`refuse_errors` first gathers what it needs from this machine, for programs without a
window.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.domain.dataset import ChatFile
from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import Finding, Severity, error, warning
from studio.domain.hardware import TrainingDevice, gib
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.offloading import ON_PROCESSOR
from studio.domain.packing import rows_as_trained
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention, ComputeDtype
from studio.domain.recommend.proposal import headroom_bytes
from studio.domain.train_options import PAGED_OPTIMIZERS
from studio.services.data_set_findings import set_findings
from studio.services.disk_need import merge_bytes, run_bytes
from studio.services.export_remarks import export_remarks
from studio.services.fitness_findings import fitness_findings
from studio.services.model_findings import architecture_findings
from studio.services.model_places import store
from studio.services.outage_findings import outages_now
from studio.services.pricing import price, trained_lengths
from studio.storage.checkpoint_folders import LEAST_KEPT
from studio.storage.data_sets import read_data
from studio.storage.models import ModelPlace, ModelState
from studio.storage.tables.opening import missing
from studio.system.machine import disk_free, read_machine_once
from studio.system.paths import data_dir

_FLASH_CAPABILITY = (8, 0)


def preflight(
    recipe: Recipe,
    place: ModelPlace | Finding,
    device: TrainingDevice | None,
    disk_free_bytes: int | None,
    data: ChatFile | Finding | None = None,
    outages: Sequence[Finding] = (),
) -> list[Finding]:
    """Everything that speaks against training by a recipe, errors first.

    Args:
        recipe: What is to be trained.
        place: Its model, or why there is none.
        device: Where, as measured now; None while that is unknown.
        disk_free_bytes: Where the run will lie; None while that is unknown.
        data: The data file as read, or why it can't be; None while it is not read,
            when only its presence is looked at.
        outages: What threatens the run from outside, another run among it.
    """
    found = [
        *recipe.contradictions(),
        *recipe.remarks(),
        *_model_findings(place),
        *_data_findings(recipe, data),
        *(device_findings(recipe, device) if device else ()),
        *outages,
    ]
    if isinstance(place, ModelPlace):
        found += architecture_findings(recipe, place)
        found += fitness_findings(recipe, place, data)
        found += export_remarks(place)
        if device is not None:
            told = {each.what for each in found}
            memory = _memory_findings(recipe, place, device)
            found += [each for each in memory if each.what not in told]
        if disk_free_bytes is not None:
            rows = _rows_as_trained(recipe, data)
            found += _disk_findings(recipe, place, disk_free_bytes, rows)
    return sorted(found, key=lambda finding: _ORDER[finding.severity])


def refuse_errors(recipe: Recipe) -> Sequence[Finding]:
    """Check a recipe against this machine, the data file read to its end.

    Returns:
        Warnings and remarks.

    Raises:
        StudioError: The first error.
    """
    found = preflight(
        recipe,
        model_of(recipe),
        read_machine_once().device(),
        disk_free(data_dir()),
        _data_of(recipe),
        outages_now(),
    )
    raise_first_error(found)
    return found


def raise_first_error(findings: Sequence[Finding]) -> None:
    """Refuse a deed that an error speaks against.

    Raises:
        StudioError: The first error among the findings.
    """
    for finding in findings:
        if finding.severity is Severity.ERROR:
            is_disk = finding.code.startswith("disk.")
            code = ExitCode.DISK if is_disk else ExitCode.BAD_INPUT
            raise StudioError(finding, code)


def model_of(recipe: Recipe) -> ModelPlace | Finding:
    """The recipe's model on this machine, or why there is none."""
    try:
        return store().find(recipe.model.name)
    except StudioError as refused:
        return refused.finding


def _data_of(recipe: Recipe) -> ChatFile | Finding | None:
    if not recipe.data.path:
        return None
    try:
        return read_data(recipe.data)
    except StudioError as refused:
        return refused.finding


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _model_findings(place: ModelPlace | Finding) -> Iterator[Finding]:
    if isinstance(place, Finding):
        yield place
    elif place.state is ModelState.MISSING:
        yield error(
            "model.missing",
            f"The model {place.name} is not on this machine.",
            fix="Choose a model that is here, or name a folder that holds it.",
            where="model.name",
        )


def _data_findings(
    recipe: Recipe, data: ChatFile | Finding | None
) -> Iterator[Finding]:
    if not recipe.data.path:
        yield error(
            "data.none",
            "No data file is chosen.",
            fix="Name one by --set data.path=FILE, or in the recipe.",
            where="data.path",
        )
    elif isinstance(data, Finding):
        yield data
    elif data is None:
        yield from _unread_findings(Path(recipe.data.path))
    else:
        yield from data.findings
        yield from set_findings(recipe, data)


def _unread_findings(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield missing(path).finding


def _rows_as_trained(recipe: Recipe, data: ChatFile | Finding | None) -> int:
    if not isinstance(data, ChatFile):
        return 0
    rows = data.training_rows(recipe.data.share_held_out, recipe.train.seed)
    return rows_as_trained(rows, recipe.train, trained_lengths(recipe, data))


def device_findings(recipe: Recipe, device: TrainingDevice) -> Iterator[Finding]:
    """What a device can't do, or does slowly, of what a recipe asks."""
    yield from _format_findings(recipe, device)
    yield from _attention_findings(recipe, device)
    if device.kind == "cpu" and recipe.train.offload:
        yield ON_PROCESSOR
    if device.kind == "cpu" and recipe.train.optimizer in PAGED_OPTIMIZERS:
        yield warning(
            "device.paged-on-processor",
            "A paged optimizer has nothing to page to on the processor.",
            why="It works like the one that isn't paged.",
            fix="Set train.optimizer to one that isn’t paged, such as adamw_fused.",
            where="train.optimizer",
        )


def _format_findings(recipe: Recipe, device: TrainingDevice) -> Iterator[Finding]:
    compute = recipe.model.compute_dtype
    if compute is ComputeDtype.BF16 and not device.has_bf16:
        if device.kind == "cuda":
            yield error(
                "device.no-bf16",
                f"{device.name} does not compute in BF16.",
                fix="Set model.compute_dtype to fp16 and lora.adapter_dtype to fp32.",
                where="model.compute_dtype",
            )
        else:
            yield warning(
                "device.slow-bf16",
                "This processor emulates BF16, which is slow.",
                fix="Set model.compute_dtype to fp32.",
                where="model.compute_dtype",
            )
    if compute is ComputeDtype.FP16 and device.kind == "cpu":
        yield warning(
            "device.slow-fp16",
            "FP16 is for cards; on a processor it is slow.",
            fix=f"Set model.compute_dtype to {'bf16' if device.has_bf16 else 'fp32'}.",
            where="model.compute_dtype",
        )


def _attention_findings(recipe: Recipe, device: TrainingDevice) -> Iterator[Finding]:
    if recipe.model.attention is not Attention.FLASH:
        return
    capability = device.compute_capability
    if device.kind == "cpu" or (capability and capability < _FLASH_CAPABILITY):
        yield error(
            "device.no-flash",
            f"FlashAttention does not run on {device.name}.",
            fix="Set model.attention to sdpa.",
            where="model.attention",
        )


def _memory_findings(
    recipe: Recipe, place: ModelPlace, device: TrainingDevice
) -> Iterator[Finding]:
    estimate = price(recipe, place, device)
    if isinstance(estimate, Finding):
        if recipe.contradictions():
            return  # no dry run begins before they are mended
        yield Finding(
            code=estimate.code,
            severity=Severity.INFO,
            what=estimate.what,
            why=estimate.why,
            how_to_fix=estimate.how_to_fix,
            where=estimate.where,
        )
        return
    match estimate.verdict(device, headroom_bytes(device)):
        case Verdict.DOES_NOT_FIT:
            yield _short(estimate, device)
        case Verdict.TIGHT:
            yield _tight(estimate, device)
        case Verdict.FITS:
            return


def _tight(estimate: MemoryEstimate, device: TrainingDevice) -> Finding:
    spare = device.free_bytes - estimate.peak_bytes
    stays = f"{gib(spare)} stay free on {device.name}"
    if spare < 0:  # torch gives cached blocks back before it reports a full card
        stays = f"{gib(-spare)} of cached blocks must be given back on {device.name}"
    return warning(
        "memory.tight",
        f"Tight: {stays}.",
        why="Another program that takes memory could stop this run.",
        fix="Close other programs, or lower train.sequence_length.",
        where="train.sequence_length",
    )


def _short(estimate: MemoryEstimate, device: TrainingDevice) -> Finding:
    # A processor's memory can be swapped out: slow, but it may still end well.
    refuse = error if device.kind == "cuda" else warning
    return refuse(
        "memory.short",
        f"Short by {gib(estimate.peak_bytes - device.free_bytes)} on {device.name}.",
        why=f"The run is predicted to take {gib(estimate.peak_bytes)}, "
        f"and {gib(device.free_bytes)} are free.",
        fix="Lower train.micro_batch or train.sequence_length, turn on "
        "train.checkpointing, or close other programs.",
        where="train.micro_batch",
    )


def _disk_findings(
    recipe: Recipe, place: ModelPlace, free: int, rows: int
) -> Iterator[Finding]:
    need = run_bytes(recipe, place, rows)
    if need is None:
        return
    if need > free:
        yield error(
            "disk.short",
            f"The run needs {gib(need)} of disk, and {gib(free)} are free.",
            fix="Free some space, or keep fewer checkpoints (train.keep_checkpoints)."
            if recipe.train.keep_checkpoints > LEAST_KEPT
            else "Free some space.",
            where=str(data_dir()),
        )
    elif need + merge_bytes(place) > free:
        yield warning(
            "disk.short-for-merge",
            f"The run fits on the disk, but merging it needs {gib(merge_bytes(place))} "
            "more than is free then.",
            fix="Free some space before merging.",
            where=str(data_dir()),
        )
