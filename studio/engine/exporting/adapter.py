"""The adapter as an artefact: its files, its card, and a zip of them beside it.

The run's own adapter stays as it is. What is written names no place of the machine and
holds nothing that could run code.
"""

import json
import shutil
import zipfile
from pathlib import Path

from studio.domain.run import Phase
from studio.domain.waypoints import passing
from studio.engine.adapter_files import card_of, refuse_without_adapter, write_card
from studio.engine.beside_files import change_config
from studio.engine.exporting.course import course_of
from studio.engine.exporting.loss_curve import loss_curve
from studio.engine.exporting.places import zip_of
from studio.engine.exporting.privacy import SHARED, refuse_private
from studio.engine.exporting.shared_card import (
    CURVE,
    base_section,
    loading_section,
    shared_card,
    training_section,
)
from studio.engine.merging.plan import ADAPTER_CONFIG
from studio.engine.session import Session
from studio.engine.staging import whole_file, whole_folder
from studio.protocol.export_events import ADAPTER, Artefact
from studio.storage.model_cards import licence_in
from studio.storage.run_directory import RunDirectory

_REST_BYTES = 8 << 20
# The earliest that a zip knows: the same files make the same zip.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


def adapter_export_bytes(run: RunDirectory) -> int:
    """What the artefact takes on the disk, with its zip.

    Raises:
        StudioError: The run has no adapter.
    """
    refuse_without_adapter(run.adapter_path)
    whole = sum(file.stat().st_size for file in _files(run.adapter_path))
    return 2 * (whole + _REST_BYTES)


def export_adapter(
    session: Session, run: RunDirectory, target: Path, licence: str
) -> Artefact:
    """Write the artefact, whole or not at all; what lies there makes room.

    Args:
        session: Where to report.
        run: Holds the adapter.
        target: The folder to make; the zip lies beside it.
        licence: Of the base; empty where unknown.

    Raises:
        StudioError: The disk refuses, or a file names a place of this machine.
    """
    session.enter(Phase.EXPORTING)
    beside = zip_of(target)
    with whole_folder(target, replace=True) as draft:
        for file in session.counted(_files(run.adapter_path), "Copying", "files"):
            shutil.copyfile(file, draft / file.name)
            passing("export.copied")
        _name_in_public(draft / ADAPTER_CONFIG)
        write_about(run, draft, licence)
        passing("export.card")
        refuse_private(draft, run.path)
        with whole_file(beside) as packed:
            _zip(draft, packed)
    size = sum(file.stat().st_size for file in (*target.iterdir(), beside))
    return Artefact(kind=ADAPTER, form="", path=str(target), size_bytes=size)


def write_about(run: RunDirectory, draft: Path, licence: str) -> None:
    """Write an adapter's card for others, with its picture, over what lies there."""
    course = course_of(run)
    picture = loss_curve(course)
    if picture:
        (draft / CURVE).write_text(picture, encoding="utf-8")
    config = json.loads((draft / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    sections = [
        base_section(config, licence or licence_in(run.adapter_path)),
        training_section(course, has_curve=bool(picture)),
        loading_section(config),
    ]
    card = card_of(run.adapter_path)
    # What was combined tells of its base by itself.
    has = set(card.splitlines())
    new = [each for each in sections if each.partition("\n")[0] not in has]
    write_card(draft, shared_card(card, run.read_recipe(), new))


def _files(adapter: Path) -> list[Path]:
    found = (file for file in adapter.iterdir() if file.suffix in SHARED)
    return sorted(file for file in found if file.is_file() and file.name[0] != ".")


def _name_in_public(config: Path) -> None:
    """Name the base by its hub id or its folder's name, whoever wrote the file."""
    told = json.loads(config.read_text(encoding="utf-8"))
    public = in_public(str(told.get("base_model_name_or_path") or ""))
    change_config(config, {"base_model_name_or_path": public})


def in_public(name: str) -> str:
    """A base by its hub id or its folder's name, as an adapter may name it to others.

    Args:
        name: That a configuration tells; a path of any machine, or a hub id.
    """
    is_hub_id = name.count("/") == 1 and name[0] not in "./~"
    return name if is_hub_id else name.replace("\\", "/").rpartition("/")[2]


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as packed:
        for file in sorted(folder.iterdir()):
            told = zipfile.ZipInfo(f"{ADAPTER}/{file.name}", _NO_TIME)
            told.external_attr = 0o644 << 16
            if file.suffix != ".safetensors":
                told.compress_type = zipfile.ZIP_DEFLATED
            with (
                file.open("rb") as source,
                packed.open(told, "w", force_zip64=True) as entry,
            ):
                shutil.copyfileobj(source, entry, _CHUNK)
            passing("export.zipped")
