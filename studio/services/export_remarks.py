"""What of a model can't be exported later, told before it is trained.

Remarks alone: whoever trains it may never want that.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.storage.models import ModelPlace, ModelState
from studio.storage.plugin_code import code_of
from studio.storage.plugins import exporter_plugins
from studio.system.resources import plugin_root

if TYPE_CHECKING:
    from studio.plugin_api.exporting import ExportCheckModule

_WORDS = "tokenizer.json"


def export_remarks(place: ModelPlace) -> Sequence[Finding]:
    """What exporters say of a model, as remarks; nothing of one that isn't here."""
    folder = place.folder
    if place.state is not ModelState.READY or folder is None:
        return ()
    if not (folder / _WORDS).is_file():
        return ()
    return _remarks(folder, (folder / _WORDS).stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _remarks(folder: Path, _changed: int) -> tuple[Finding, ...]:
    usable, _ = exporter_plugins(plugin_root())
    found: list[Finding] = []
    for plugin in usable:
        try:
            fix = "Install the plug-in again."
            code = code_of(plugin.title, plugin.check, ("check",), fix)
            told = cast("ExportCheckModule", code).check(folder, plugin.forms[0])
        except StudioError:
            continue  # told when something is exported
        title = f"It can’t be exported to {plugin.title} later, or not for certain."
        found += [
            replace(
                each,
                severity=Severity.INFO,
                what=f"{title} {each.what}",
                where="model.name",
            )
            for each in told
        ]
    return tuple(found)
