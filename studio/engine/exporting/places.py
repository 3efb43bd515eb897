"""Where each artefact of an export lies, and what may make room for it."""

import zipfile
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.engine.merging.plan import ADAPTER_CONFIG
from studio.engine.merging.verb import check_target
from studio.storage.artefacts import ORIGIN
from studio.storage.run_directory import RunDirectory

_ASIDE = "differs"


def zip_of(adapter: Path) -> Path:
    """The zip beside an exported adapter."""
    return adapter.with_name(f"{adapter.name}.zip")


def aside_of(target: Path) -> Path:
    """Where an artefact is kept that doesn't say what was trained."""
    return target.with_name(f"{target.name}-{_ASIDE}")


def refuse_run_folder(run: RunDirectory, out: Path) -> None:
    """Refuse to write among a run's own files, which an export could replace.

    Raises:
        StudioError: It would.
    """
    own = (run.path, run.adapter_path, run.model_path)
    if out.resolve() in {each.resolve() for each in own}:
        raise refusal(
            "export.into-run",
            "This is the run’s own folder; an export would lie on its adapter.",
            fix="Choose another folder, such as one named exports beside it.",
            where=str(out),
        )


def refuse_file(out: Path) -> None:
    """Refuse a folder that can't be made, because a file has its name.

    Raises:
        StudioError: One has, or a part of the path is one.
    """
    there = next(each for each in (out, *out.parents) if each.exists())
    if not there.is_dir():
        raise refusal(
            "export.into-file",
            "This is a file; an export needs a folder.",
            fix="Choose another folder.",
            where=str(there),
        )


def check_adapter_place(target: Path, *, overwrite: bool) -> None:
    """Refuse a place that holds something else, or an adapter that shall stay.

    Raises:
        StudioError: It does.
    """
    beside = zip_of(target)
    if _is_there(target) and not (target / ADAPTER_CONFIG).is_file():
        raise _taken(target, "by something that is no adapter")
    if beside.exists() and not zipfile.is_zipfile(beside):
        raise _taken(beside, "by something that is no zip")
    for place in (target, beside):
        if _is_there(place) and not overwrite:
            raise _taken(place, "")


def check_model_place(target: Path, *, overwrite: bool) -> None:
    """Refuse places of a merged model that hold something else, or shall stay.

    Raises:
        StudioError: They do.
    """
    check_target(target, overwrite=overwrite)
    _check_aside(target)


def check_other_place(target: Path, *, overwrite: bool) -> None:
    """Refuse places of an exporter's files that hold something else, or shall stay.

    Raises:
        StudioError: They do.
    """
    if _is_there(target) and not (target / ORIGIN).is_file():
        raise _taken(target, "by something that Snugtune didn’t make")
    if _is_there(target) and not overwrite:
        raise _taken(target, "")
    _check_aside(target)


def _check_aside(target: Path) -> None:
    aside = aside_of(target)
    if _is_there(aside) and not (aside / ORIGIN).is_file():
        raise _taken(aside, "by something that Snugtune didn’t make")


def _is_there(place: Path) -> bool:
    return place.exists() and not (place.is_dir() and not any(place.iterdir()))


def _taken(place: Path, by: str) -> StudioError:
    what = f"This place is taken already {by}".strip() + "."
    fix = "Choose another folder" + ("." if by else ", or add --overwrite.")
    return refusal("export.place-taken", what, fix=fix, where=str(place))
