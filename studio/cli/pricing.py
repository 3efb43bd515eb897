"""`snugtune estimate`: what a recipe will take, and where it goes."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError, refusal
from studio.domain.hardware import GIB, TrainingDevice, gib
from studio.domain.memory.estimate import Basis, Level, MemoryEstimate, Verdict
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recommend.propose import headroom_bytes
from studio.protocol.codec import heard_estimate
from studio.protocol.events import MemoryEstimated
from studio.services.model_places import store
from studio.services.preflight import raise_first_error
from studio.storage.recipes import save_recipe
from studio.system.machine import read_machine_once

# Options whose other value is often worth its price, with that value.
_SWITCHES: Mapping[str, object] = {
    "model.precision": "nf4",
    "model.double_quant": True,
    "model.attention": "sdpa",
    "lora.adapter_dtype": "bf16",
    "train.micro_batch": 1,
    "train.optimizer": "adamw_8bit",
    "train.checkpointing": True,
}


@dataclass(frozen=True, slots=True)
class Priced:
    """A recipe with its estimate.

    Attributes:
        recipe: What was priced.
        config: Of its model.
        device: Where.
        estimate: What it will take there.
    """

    recipe: Recipe
    config: Mapping[str, object]
    device: TrainingDevice
    estimate: MemoryEstimate


def estimate(recipe: Recipe, gpu: str, basis: Basis) -> Priced:
    """Predict the peak memory of a recipe.

    Args:
        recipe: Names its model.
        gpu: A card's memory in GiB, a card of this machine, or nothing for the device
            that a run would use.
        basis: What the numbers shall rest on.

    Raises:
        StudioError: The recipe contradicts itself, the model's shape is unknown, the
            card is, or nothing was measured.
    """
    raise_first_error(recipe.contradictions())
    config = store().config_of(recipe.model.name)
    device = _device(gpu)
    if basis is Basis.MEASURED:
        raise refusal(
            "estimate.not-measured",
            "Nothing was measured for this recipe on this machine yet.",
            fix="Take --basis dry-run.",
            where="--basis",
        )
    if basis is Basis.FORMULA:
        found = _by_formula(recipe, config, device)
    else:
        found = _by_dry_run(recipe, config, device, is_named=bool(gpu))
    return Priced(recipe, config, device, found)


def document(priced: Priced) -> dict[str, object]:
    """The estimate for programs."""
    found = priced.estimate
    peaks = {level.word: found.peak(level) for level in Level}
    return {
        "basis": found.basis.value,
        "phase": found.phase,
        "peak_bytes": {word: peak.bytes for word, peak in peaks.items()},
        "range_bytes": {
            word: [peak.low_bytes, peak.high_bytes] for word, peak in peaks.items()
        },
        "phase_peaks": dict(found.phase_peaks or {}),
        "components": [
            {"name": part.name, "bytes": part.bytes, "phase": part.phase}
            for part in found.components
        ],
        "seconds": found.seconds,
    }


def say(priced: Priced, *, explain: bool) -> None:
    """Print the estimate for a person."""
    found, device = priced.estimate, priced.device
    for level in Level:
        peak = found.peak(level)
        between = f"{gib(peak.low_bytes)} to {gib(peak.high_bytes)}"
        terminal.say(f"{level.word.capitalize():<11}{gib(peak.bytes):>12}  ({between})")
    terminal.say(f"Peak phase   {found.phase}, by {found.basis}")
    verdict = _VERDICTS[found.verdict(device, headroom_bytes(device))]
    terminal.say(f"On {device.name} with {gib(device.free_bytes)} free it {verdict}.")
    if explain:
        _explain(priced)


_VERDICTS = {
    Verdict.FITS: "fits",
    Verdict.TIGHT: "fits tightly",
    Verdict.DOES_NOT_FIT: "does not fit",
}


def _explain(priced: Priced) -> None:
    found = priced.estimate
    terminal.say()
    rows = [
        (part.name, part.phase or "-", gib(part.bytes), f"{share:.1%}")
        for part in sorted(found.components, key=lambda part: -part.bytes)
        if (share := part.bytes / found.peak_bytes) >= 0.001  # noqa: PLR2004 - shown as 0.1 %
    ]
    terminal.say_table(("Part", "Made in", "Memory", "Share"), rows)
    if found.phase_peaks:
        terminal.say()
        phases = [(phase, gib(held)) for phase, held in found.phase_peaks.items()]
        terminal.say_table(("Phase", "Allocated at most"), phases)
    saved = list(_savings(priced))
    if saved:
        terminal.say()
        terminal.say_table(("Setting", "Saves, by formula"), saved)


def _savings(priced: Priced) -> Iterator[tuple[str, str]]:
    """What each switch would save; nothing where the formula knows no such model."""
    try:
        model = ModelArchitecture.from_config(priced.config)
    except StudioError:
        return
    now = estimate_memory(model, priced.recipe, priced.device).peak_bytes
    for key, value in _SWITCHES.items():
        changed = priced.recipe.with_value(key, value)
        if changed == priced.recipe or changed.contradictions():
            continue
        less = now - estimate_memory(model, changed, priced.device).peak_bytes
        if less > 0:
            yield f"{key} = {value}", gib(less)


def _by_formula(
    recipe: Recipe, config: Mapping[str, object], device: TrainingDevice
) -> MemoryEstimate:
    model = ModelArchitecture.from_config(config)
    began = perf_counter()
    found = estimate_memory(model, recipe, device)
    return replace(found, seconds=perf_counter() - began)


def _by_dry_run(
    recipe: Recipe,
    config: Mapping[str, object],
    device: TrainingDevice,
    *,
    is_named: bool,
) -> MemoryEstimate:
    options = ["--card-bytes", str(device.total_bytes)] if is_named else []
    if is_named and device.compute_capability:
        major, minor = device.compute_capability
        options += ["--capability", f"{major}.{minor}"]
    with tempfile.TemporaryDirectory() as name, terminal.ProgressDisplay() as display:
        display.show("Rehearsing the run without its memory", 0, 0)
        folder = Path(name)
        save_recipe(folder / "recipe.toml", recipe)
        described = json.dumps(config)
        (folder / "config.json").write_text(described, encoding="utf-8")
        said = run_engine(
            "estimate-memory",
            str(folder / "recipe.toml"),
            name,
            *options,
            listener=lambda _event: None,
        )
    assert isinstance(said, MemoryEstimated)
    return heard_estimate(said)


def _device(gpu: str) -> TrainingDevice:
    here = read_machine_once().device()
    is_here = here.kind == "cuda" and gpu.casefold() in here.name.casefold()
    if not gpu or is_here:
        return here
    try:
        size = round(float(gpu.casefold().removesuffix("gib").strip()) * GIB)
    except ValueError:
        size = 0
    if size <= 0:
        raise refusal(
            "card.unknown",
            f"“{gpu}” is no card of this machine.",
            fix="Give a card’s memory in GiB, such as --gpu 24.",
            where="--gpu",
        )
    return TrainingDevice(
        kind="cuda",
        name=f"a card of {gib(size)}",
        total_bytes=size,
        free_bytes=size,
        has_bf16=True,
    )
