"""`snugtune estimate`: what a recipe will take, by formula or by a dry run."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from studio.cli import terminal
from studio.cli.devices import asked_device
from studio.cli.engine_run import run_engine
from studio.domain.architecture import ModelArchitecture, config_refusal
from studio.domain.errors import StudioError, refusal
from studio.domain.expert_findings import expert_refusal
from studio.domain.finding import Finding, Severity
from studio.domain.hardware import TrainingDevice, amount
from studio.domain.memory.estimate import Basis, Level, MemoryEstimate, Verdict
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.memory.switches import Saving, Switch, savings, switches
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention
from studio.domain.recommend.proposal import headroom_bytes
from studio.protocol.events import EngineEvent
from studio.services.dry_runs import VERB, Question, about_model
from studio.services.fitness_findings import length_findings
from studio.services.measured import measured, remarks, taught
from studio.services.model_findings import attention_findings, shape_findings
from studio.services.model_places import store
from studio.services.preflight import device_findings, raise_first_error

_Estimates = dict[Recipe, MemoryEstimate | Finding]


@dataclass(frozen=True, slots=True)
class Priced:
    """A recipe with its estimate.

    Attributes:
        recipe: What was priced.
        device: Where.
        estimate: What it will take there.
        savings: What its switches would do, on the same basis; None when that was not
            asked for.
    """

    recipe: Recipe
    device: TrainingDevice
    estimate: MemoryEstimate
    savings: tuple[Saving, ...] | None = None


def estimate(
    recipe: Recipe, gpu: str, basis: Basis, *, explain: bool = False
) -> Priced:
    """Predict the peak memory of a recipe.

    Args:
        recipe: Names its model.
        gpu: A card's name or its memory in GiB, or nothing for the device that a run
            would use.
        basis: What the numbers shall rest on.
        explain: Price the recipe's switches too.

    Raises:
        StudioError: The recipe contradicts itself, the model's shape is unknown, the
            card is, or nothing was measured.
    """
    raise_first_error(recipe.contradictions())
    config = _config_of(recipe)
    raise_first_error(shape_errors(recipe, config))
    device, said_of_it = asked_device(gpu)
    on_card = device.kind == "cuda"
    turned = switches(recipe, on_card=on_card) if explain else ()
    recipes = (recipe, *(switch.recipe for switch in turned))
    found = _taught(_PRICERS[basis](Question(config, device, recipes)), device)
    now = found[recipe]
    if isinstance(now, Finding):
        raise StudioError(now)
    saved = savings(now, _told(turned, found)) if explain else None
    told = (remark.sentence() for remark in said_of_it)
    notes = (*now.notes, *told, *_doubts(recipe, config, device))
    return Priced(recipe, device, replace(now, notes=notes), saved)


def _doubts(
    recipe: Recipe, config: Mapping[str, object], device: TrainingDevice
) -> Iterator[str]:
    """Why no run would begin or do well, however much memory the device has."""
    model = _shape_in(config)
    for finding in () if model is None else length_findings(recipe, model):
        yield replace(finding, where="").sentence()
    for finding in device_findings(recipe, device):
        if finding.severity is Severity.ERROR:
            yield f"No such run would begin there: {finding.what} {finding.how_to_fix}"


def with_possible_attention(recipe: Recipe) -> Recipe:
    """The recipe by the kernel that its model can be computed with.

    Raises:
        StudioError: No model is named, or nothing tells its shape.
    """
    model = _shape_in(_config_of(recipe))
    if model is not None and any(attention_findings(recipe, model)):
        return recipe.with_value("model.attention", Attention.EAGER)
    return recipe


def shape_errors(recipe: Recipe, config: Mapping[str, object]) -> list[Finding]:
    """What the model's shape says of a recipe; nothing where nobody describes it."""
    model = _shape_in(config)
    if model is not None:
        return list(shape_findings(recipe, model))
    refused = config_refusal(config)
    return [] if refused is None else [refused]


def _shape_in(config: Mapping[str, object]) -> ModelArchitecture | None:
    try:
        return ModelArchitecture.from_config(config)
    except StudioError:
        return None  # left to the engine


def document(priced: Priced) -> dict[str, object]:
    """The estimate for programs."""
    found, device = priced.estimate, priced.device
    peaks = {level.word: found.peak(level) for level in Level}
    told: dict[str, object] = {
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
        "device": {
            "name": device.name,
            "total_bytes": device.total_bytes,
            "free_bytes": device.free_bytes,
        },
        "verdict": found.verdict(device, headroom_bytes(device)).value,
        "notes": list(found.notes),
    }
    if priced.savings is not None:
        told["switches"] = [_switch_document(saving) for saving in priced.savings]
    return told


def say(priced: Priced) -> None:
    """Print the estimate for a person."""
    found, device = priced.estimate, priced.device
    for level in Level:
        peak = found.peak(level)
        between = f"{amount(peak.low_bytes)} to {amount(peak.high_bytes)}"
        shown = f"{amount(peak.bytes):>12}"
        terminal.say(f"{level.word.capitalize():<11}{shown}  ({between})")
    terminal.say(f"Peak phase   {found.phase}, {found.basis.words}")
    for note in found.notes:
        terminal.say_text(note)
    verdict = found.verdict(device, headroom_bytes(device))
    words = f"On {device.name} with {amount(device.free_bytes)} free it"
    terminal.say_text(f"{words} {_VERDICTS[verdict]}{_how(found, device, verdict)}.")


def _how(found: MemoryEstimate, device: TrainingDevice, verdict: Verdict) -> str:
    """How something can fit that takes more than is free, or how much is missing."""
    missing = found.peak_bytes - device.free_bytes
    if missing <= 0 or verdict is Verdict.FITS:
        return ""
    if verdict is Verdict.TIGHT:
        return ", once torch has given blocks back that it only keeps"
    return f": {amount(missing)} are missing"


_VERDICTS = {
    Verdict.FITS: "fits",
    Verdict.TIGHT: "fits tightly",
    Verdict.DOES_NOT_FIT: "does not fit",
}


def _config_of(recipe: Recipe) -> Mapping[str, object]:
    if recipe.model.name:
        return store().config_of(recipe.model.name)
    raise refusal(
        "model.none",
        "No model is named.",
        fix="Give a recipe that names one, or --model with a folder, a hub id or a "
        "name of the model list.",
        where="--model",
    )


def _told(
    turned: tuple[Switch, ...], found: _Estimates
) -> list[tuple[Switch, MemoryEstimate]]:
    """The switches that can be priced; the engine refuses some in words of its own."""
    pairs = ((switch, found[switch.recipe]) for switch in turned)
    return [(each, it) for each, it in pairs if isinstance(it, MemoryEstimate)]


def _switch_document(saving: Saving) -> dict[str, object]:
    value = saving.switch.recipe.to_values()[saving.switch.key]
    return {
        "key": saving.switch.key,
        "value": value,
        "saves_bytes": saving.saves_bytes,
    }


def _by_formula(asked: Question) -> _Estimates:
    try:
        model = ModelArchitecture.from_config(asked.config)
    except StudioError as unknown:
        if unknown.finding.code != "model.architecture":
            raise
        fix = "Take --basis dry-run, which goes through the model’s own code."
        raise StudioError(replace(unknown.finding, how_to_fix=fix)) from None
    found: _Estimates = {}
    for recipe in asked.recipes:
        began = perf_counter()
        refused = outside_formula(recipe) or expert_refusal(recipe, model)
        if refused is not None:
            raise StudioError(refused)
        it = estimate_memory(model, recipe, asked.device)
        found[recipe] = replace(it, seconds=perf_counter() - began)
    return found


def _by_dry_run(asked: Question) -> _Estimates:
    known = asked.known()
    left = asked.without(known)
    found: _Estimates = dict(known)
    if left.recipes:
        found |= _rehearsed(left)
    return found


def _rehearsed(asked: Question) -> _Estimates:
    found: _Estimates = {}
    total = len(asked.recipes)
    with tempfile.TemporaryDirectory() as name, terminal.ProgressDisplay() as display:

        def hear(event: EngineEvent) -> None:
            answer = asked.answer(event)
            if answer is not None:
                found[answer.recipe] = answer.estimate
                show(len(found))

        def show(done: int) -> None:
            shown = (done, total) if total > 1 else (0, 0)
            display.show("Rehearsing the run without its memory", *shown)

        show(0)
        try:
            run_engine(VERB, *asked.arguments(Path(name)), listener=hear)
        except StudioError as refused:
            finding = about_model(refused.finding, Path(name), asked.recipes[0])
            raise StudioError(finding, refused.exit_code) from None
    return found


def _measured(asked: Question) -> _Estimates:
    for remark in remarks():
        terminal.say_finding(remark)
    first, *others = asked.recipes
    found: _Estimates = {first: measured(first, asked.config, asked.device)}
    for recipe in others:
        try:
            found[recipe] = measured(recipe, asked.config, asked.device)
        except StudioError as refused:
            found[recipe] = refused.finding
    return found


def _taught(found: _Estimates, device: TrainingDevice) -> _Estimates:
    """Estimates with what measurements on the device taught."""
    return {
        recipe: it if isinstance(it, Finding) else taught(it, device)
        for recipe, it in found.items()
    }


_PRICERS = {
    Basis.FORMULA: _by_formula,
    Basis.DRY_RUN: _by_dry_run,
    Basis.MEASURED: _measured,
}
