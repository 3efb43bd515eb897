"""Rows of this machine's table: what was taken, beside what each basis says of it."""

from collections.abc import Mapping
from pathlib import Path

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import Basis
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.measurement import Measurement, Prediction
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import OPTIONS, Recipe
from studio.engine.session import Session
from studio.protocol.codec import told_measurement
from studio.storage.estimates import KeptEstimates
from studio.storage.measurements import MeasurementTable
from studio.storage.models import ModelStore
from studio.system.paths import estimates_dir, measurements_path, models_dir
from studio.system.resources import resource_root
from studio.system.versions import deciding_an_estimate


def config_for(recipe: Recipe, folder: Path | None) -> Mapping[str, object]:
    """The config by which a model is known: that of its name, else of its folder.

    Raises:
        StudioError: Neither tells one.
    """
    store = ModelStore(resource_root() / "models", models_dir())
    try:
        return store.config_of(recipe.model.name)
    except StudioError:
        if folder is None:
            raise
        return store.config_of(str(folder))


def like(recipe: Recipe, tokens: int, rows: int) -> Recipe:
    """A recipe whose longest batch is the one that was measured."""
    shortest = OPTIONS["train.sequence_length"].low or 1
    length = max(int(shortest), tokens)
    batch = max(1, min(recipe.train.micro_batch, rows))
    return recipe.with_value("train.sequence_length", length).with_value(
        "train.micro_batch", batch
    )


def known_predictions(
    config: Mapping[str, object], recipe: Recipe, device: TrainingDevice
) -> dict[str, Prediction]:
    """What the formula says, and a dry run that was made before."""
    found = by_formula(config, recipe, device)
    kept = KeptEstimates(estimates_dir(), deciding_an_estimate()).find(
        config, recipe, device
    )
    if kept is not None:
        found[Basis.DRY_RUN.value] = Prediction.of(kept)
    return found


def by_formula(
    config: Mapping[str, object], recipe: Recipe, device: TrainingDevice
) -> dict[str, Prediction]:
    """What the formula says; nothing where it knows no such model or recipe."""
    if outside_formula(recipe) is not None:
        return {}
    try:
        model = ModelArchitecture.from_config(config)
    except StudioError:
        return {}
    return {Basis.FORMULA.value: Prediction.of(estimate_memory(model, recipe, device))}


def keep_row(session: Session, row: Measurement, seconds: float) -> None:
    """Say a row, and add it to the table; a table that refuses is warned of."""
    try:
        MeasurementTable(measurements_path()).add(row)
    except StudioError as refused:
        session.warn(refused.finding)
    session.say(told_measurement(row, seconds))
