"""Reads what the project's runs left on disk, beside the window."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot
from studio.services.exporters import FormOffer, form_offers
from studio.services.exports import ExportedFiles, export_folder, exported_files
from studio.services.library import find_run
from studio.services.model_shelf import ModelShelf, ModelState
from studio.services.run_files import copy_result, folder_bytes, free_bytes_at
from studio.ui.pages.export.view_model import exportable
from studio.ui.pages.runs.told import recipe_of, told_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The runs that left a result, and the files of the one that is looked at.

    Attributes:
        runs: Newest first.
        run: The one looked at; None when there is none.
        recipe: It was started with; None when it can't be read.
        result_bytes: Of its files: the adapter's, or the trained model's.
        exported: What lies where the next export goes; None without a run.
        disk_free_bytes: Where the next export will be written.
    """

    runs: tuple[RunSnapshot, ...] = ()
    run: RunSnapshot | None = None
    recipe: Recipe | None = None
    result_bytes: int = 0
    exported: ExportedFiles | None = None
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """The forms of exporters, as one run can be had in them.

    Attributes:
        run: That run's folder; None without one.
        forms: Each form.
    """

    run: Path | None = None
    forms: tuple[FormOffer, ...] = ()


def read_results(
    project: Path | None, chosen: Path | None, parent: Path | None
) -> Results:
    """Read a project's results.

    Args:
        project: Its folder; None while none is open.
        chosen: The run to look at; the newest when it left nothing or is None.
        parent: The folder that the user chose for exports, if there is one.
    """
    runs = exportable([run.snapshot for run in told_runs(project).runs])
    run = next((run for run in runs if run.directory == chosen), None)
    run = run or next(iter(runs), None)
    if run is None or run.result is None:
        return Results(runs=runs)
    target = target_of(run, parent)
    return Results(
        runs=runs,
        run=run,
        recipe=recipe_of(run),
        result_bytes=folder_bytes(run.directory / run.result),
        exported=exported_files(target),
        disk_free_bytes=free_bytes_at(target),
    )


def read_offers(results: Results, models: ModelShelf) -> Offers:
    """Look at the forms of exporters with the model that a run's would be made of.

    Args:
        results: Of the run that is looked at.
        models: The models of this machine.
    """
    run = results.run
    if run is None:
        return Offers()
    return Offers(run=run.directory, forms=form_offers(_source(results, models)))


def _source(results: Results, models: ModelShelf) -> Path | None:
    run, recipe = results.run, results.recipe
    if run is not None and run.model is not None:
        model = run.directory / run.model
        return model if (model / "config.json").is_file() else None
    if recipe is None:
        return None
    try:
        place = models.look_up(recipe.model.name)
    except StudioError:
        return None
    return None if place.state is ModelState.MISSING else place.folder


def target_of(run: RunSnapshot, parent: Path | None) -> Path:
    """The folder that the next export of a run writes.

    Args:
        run: The run.
        parent: The folder that the user chose, if there is one.
    """
    return export_folder(run.directory) if parent is None else parent / run.name


def copy_of_result(directory: Path, parent: Path) -> Path:
    """Copy a run's adapter or trained model into a folder of its own below another.

    Raises:
        StudioError: The run is gone, a copy is there already, or the disk refuses.
    """
    return copy_result(find_run(str(directory)), parent)
