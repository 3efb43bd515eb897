"""Where runs are exported to from the window, and what lies there."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.protocol.export_events import ADAPTER, FORM_MARK, MERGED
from studio.services.certificates import Certificate, certificate_in
from studio.services.exporters import form_title, installed_exporters
from studio.services.run_files import folder_bytes
from studio.storage.artefacts import ORIGIN, read_origin
from studio.storage.disk import disk_refusal

_ZIP = f"{ADAPTER}.zip"
_DIFFERS = "-differs"
_ASIDE = f"{MERGED}{_DIFFERS}"
_REPORT = "*parity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFiles:
    """What an exporter made of a run.

    Attributes:
        kind: As the engine's ``--to`` names it, such as ``gguf:q8_0``.
        title: For people.
        folder: It lies in.
        size_bytes: Of its files.
        is_aside: Whether it was kept aside, because it differs.
        certificate: Of it; None where it was only read back.
    """

    kind: str
    title: str
    folder: Path
    size_bytes: int
    is_aside: bool
    certificate: Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFiles:
    """What an export left in a folder.

    Attributes:
        folder: The one looked at.
        adapter_bytes: Of the adapter with its zip; None where it isn't there.
        merged: The merged model, or the one that was kept aside, if that is newer.
        merged_bytes: Of its files; None without one.
        is_aside: Whether it was kept aside, because it differs.
        is_as_trained: Whether it was merged into the base as 4 bits held it.
        certificate: Of the merged model; None where it has none.
        others: What exporters made.
    """

    folder: Path
    adapter_bytes: int | None = None
    merged: Path | None = None
    merged_bytes: int | None = None
    is_aside: bool = False
    is_as_trained: bool = False
    certificate: Certificate | None = None
    others: tuple[OtherFiles, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was exported to it."""
        return self.adapter_bytes is None and self.merged is None and not self.others


def export_folder(run: Path) -> Path:
    """Where a run of a project is exported to, unless the user says otherwise.

    It lies beside the project's runs, so that it stays when the run is deleted.

    Args:
        run: The run's folder.
    """
    return run.parent.parent / "exports" / run.name


def exported_files(folder: Path) -> ExportedFiles:
    """What lies in a folder of an export."""
    adapter = folder / ADAPTER
    has_adapter = (adapter / "adapter_config.json").is_file()
    merged = _newest(folder, MERGED, "config.json")
    return ExportedFiles(
        folder=folder,
        adapter_bytes=_adapter_bytes(folder) if has_adapter else None,
        merged=merged,
        merged_bytes=None if merged is None else folder_bytes(merged),
        is_aside=merged is not None and merged.name == _ASIDE,
        is_as_trained=merged is not None and _is_as_trained(merged),
        certificate=None if merged is None else certificate_in(merged),
        others=tuple(_others(folder)),
    )


def would_replace(folder: Path, kinds: tuple[str, ...]) -> bool:
    """Whether an export of these kinds finds an earlier one of the same."""
    names = {ADAPTER: (ADAPTER, _ZIP)}
    return any(
        (folder / name).exists()
        for kind in kinds
        for name in names.get(kind, (_place(kind),))
    )


def published_name(aside: str) -> str:
    """The name that an artefact gets whose folder says that it was kept aside."""
    return aside.removesuffix(_DIFFERS)


def publish_aside(folder: Path, name: str = MERGED) -> Path:
    """Give an artefact its name that was kept aside, because the user wishes it.

    Args:
        folder: Of the export.
        name: That it gets.

    Returns:
        The artefact's folder.

    Raises:
        StudioError: One lies there already, or the disk refuses.
    """
    target = folder / name
    if target.exists():
        what = "A merged model" if name == MERGED else f"An earlier {name}"
        raise refusal(
            "export.place-taken",
            f"{what} lies there already.",
            why="It was left as it is.",
            fix="Move it away first.",
            where=str(target),
        )
    try:
        (folder / f"{name}{_DIFFERS}").rename(target)
    except OSError as fault:
        raise disk_refusal(fault, target) from fault
    return target


def _place(kind: str) -> str:
    """The name of an artefact's folder, as the engine gives it."""
    return kind.replace(FORM_MARK, "-")


def _others(folder: Path) -> Iterator[OtherFiles]:
    for plugin in installed_exporters():
        for form in plugin.forms:
            kind = f"{plugin.name}{FORM_MARK}{form}"
            place = _newest(folder, _place(kind), ORIGIN)
            if place is not None:
                yield _other(kind, form_title(plugin, form), place)


def _other(kind: str, title: str, place: Path) -> OtherFiles:
    report = next(iter(sorted(place.glob(_REPORT))), None)
    return OtherFiles(
        kind=kind,
        title=title,
        folder=place,
        size_bytes=folder_bytes(place),
        is_aside=place.name.endswith(_DIFFERS),
        certificate=None if report is None else certificate_in(place, report.name),
    )


def _is_as_trained(merged: Path) -> bool:
    try:
        return read_origin(merged).as_trained
    except StudioError:  # it doesn't say where it comes from
        return False


def _newest(folder: Path, name: str, holds: str) -> Path | None:
    """The artefact of a name or the one kept aside, whichever was made last."""
    found = [folder / each for each in (name, f"{name}{_DIFFERS}")]
    found = [place for place in found if (place / holds).is_file()]
    return max(found, key=lambda place: (place / holds).stat().st_mtime, default=None)


def _adapter_bytes(folder: Path) -> int:
    packed = folder / _ZIP
    zipped = packed.stat().st_size if zipfile.is_zipfile(packed) else 0
    return folder_bytes(folder / ADAPTER) + zipped
