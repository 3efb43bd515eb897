"""Where runs are exported to from the window, and what lies there."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import refusal
from studio.protocol.export_events import ADAPTER, MERGED
from studio.services.certificates import Certificate, certificate_in
from studio.services.run_files import folder_bytes
from studio.storage.disk import disk_refusal

_ZIP = f"{ADAPTER}.zip"
_ASIDE = f"{MERGED}-differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFiles:
    """What an export left in a folder.

    Attributes:
        folder: The one looked at.
        adapter_bytes: Of the adapter with its zip; None where it isn't there.
        merged: The merged model, or the one that was kept aside, if that is newer.
        merged_bytes: Of its files; None without one.
        is_aside: Whether it was kept aside, because it differs.
        certificate: Of the merged model; None where it has none.
    """

    folder: Path
    adapter_bytes: int | None = None
    merged: Path | None = None
    merged_bytes: int | None = None
    is_aside: bool = False
    certificate: Certificate | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was exported to it."""
        return self.adapter_bytes is None and self.merged is None


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
    merged = _newest(folder)
    return ExportedFiles(
        folder=folder,
        adapter_bytes=_adapter_bytes(folder) if has_adapter else None,
        merged=merged,
        merged_bytes=None if merged is None else folder_bytes(merged),
        is_aside=merged is not None and merged.name == _ASIDE,
        certificate=None if merged is None else certificate_in(merged),
    )


def would_replace(folder: Path, kinds: tuple[str, ...]) -> bool:
    """Whether an export of these kinds finds an earlier one of the same."""
    names = {ADAPTER: (ADAPTER, _ZIP), MERGED: (MERGED,)}
    return any((folder / name).exists() for kind in kinds for name in names[kind])


def publish_aside(folder: Path) -> Path:
    """Give a merged model its name that was kept aside, because the user wishes it.

    Args:
        folder: Of the export.

    Returns:
        The model's folder.

    Raises:
        StudioError: A merged model lies there already, or the disk refuses.
    """
    target = folder / MERGED
    if target.exists():
        raise refusal(
            "export.place-taken",
            "A merged model lies there already.",
            why="It was left as it is.",
            fix="Move it away first.",
            where=str(target),
        )
    try:
        (folder / _ASIDE).rename(target)
    except OSError as fault:
        raise disk_refusal(fault, target) from fault
    return target


def _newest(folder: Path) -> Path | None:
    found = [folder / name for name in (MERGED, _ASIDE)]
    found = [place for place in found if (place / "config.json").is_file()]
    return max(
        found, key=lambda place: (place / "config.json").stat().st_mtime, default=None
    )


def _adapter_bytes(folder: Path) -> int:
    packed = folder / _ZIP
    zipped = packed.stat().st_size if zipfile.is_zipfile(packed) else 0
    return folder_bytes(folder / ADAPTER) + zipped
