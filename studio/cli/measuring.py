"""`snugtune estimate --measure`: what a recipe takes, by taking it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from studio.cli import terminal
from studio.cli.devices import own_device
from studio.cli.engine_run import run_engine
from studio.cli.pricing import Priced, shape_errors
from studio.domain.errors import refusal
from studio.domain.memory.measured import measured_estimate
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.protocol.codec import heard, heard_comparison, heard_measurement
from studio.protocol.events import (
    EngineEvent,
    MemoryMeasured,
    ModelPrepared,
    PhaseChanged,
    Progress,
    Warned,
)
from studio.services.measured import does_not_fit, subject_here
from studio.services.model_places import store
from studio.services.preflight import raise_first_error
from studio.storage.models import ModelState
from studio.storage.recipes import save_recipe


def measure(recipe: Recipe, *, is_random: bool) -> Priced:
    """Measure a recipe on the device that a run would use.

    Args:
        recipe: Names its model.
        is_random: Weights are made up, so that the model's config is enough.

    Raises:
        StudioError: The recipe contradicts itself, its model is not here, or it does
            not fit.
    """
    raise_first_error(recipe.contradictions())
    config = store().config_of(recipe.model.name)
    raise_first_error(shape_errors(recipe, config))
    device, remarks = own_device()
    with terminal.ProgressDisplay() as display, _model(recipe, is_random) as folder:
        said = _measured(recipe, folder, display, is_random=is_random)
    row = heard_measurement(said, subject_here(device, config, recipe))
    if row.ran_out is not None:
        raise does_not_fit(row.ran_out)
    found = replace(measured_estimate([row]), seconds=said.seconds)
    compared = heard_comparison(said)
    told = [remark.sentence() for remark in remarks]
    notes = (*found.notes, *([compared.sentence()] if compared else []), *told)
    return Priced(recipe, device, replace(found, notes=notes))


def _measured(
    recipe: Recipe, folder: Path, display: terminal.ProgressDisplay, *, is_random: bool
) -> MemoryMeasured:
    def hear(event: EngineEvent) -> None:
        match event:
            case PhaseChanged(phase=phase):
                display.show(Phase(phase).words, 0, 0)
            case Progress(stage=stage, done=done, total=total, unit=unit):
                display.show(stage, done, total, f"{done:,.0f} {unit}")
            case Warned(finding=finding):
                terminal.say_finding(heard(finding))

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "recipe.toml"
        save_recipe(file, recipe)
        options = ["--random-weights"] if is_random else []
        said = run_engine(
            "measure-memory", str(file), str(folder), *options, listener=hear
        )
    assert isinstance(said, MemoryMeasured)
    return said


@contextmanager
def _model(recipe: Recipe, is_random: bool) -> Iterator[Path]:
    """The model's folder; for random weights one that holds the config alone."""
    if not is_random:
        yield _weights(recipe)
        return
    config = store().config_of(recipe.model.name)
    with tempfile.TemporaryDirectory() as name:
        described = json.dumps(dict(config))
        (Path(name) / "config.json").write_text(described, encoding="utf-8")
        yield Path(name)


def _weights(recipe: Recipe) -> Path:
    place = store().find(recipe.model.name)
    if place.state is ModelState.MISSING:
        raise refusal(
            "model.missing",
            f"The model {place.name} is not on this machine.",
            fix="Fetch it, or measure with --random-weights.",
            where="model.name",
        )
    if place.state is ModelState.CONVERTIBLE:
        prepared = run_engine("prepare-model", place.name, listener=lambda _event: None)
        assert isinstance(prepared, ModelPrepared)
        return Path(prepared.path)
    assert place.folder is not None
    return place.folder
