"""What a run can be exported to on this machine."""

from collections.abc import Sequence
from typing import Final

from studio.protocol.export_events import ADAPTER, MERGED
from studio.storage.plugins import ExporterPlugin, exporter_plugin, exporter_plugins
from studio.system.resources import plugin_root

ALL: Final = "all"


def installed_exporters() -> Sequence[ExporterPlugin]:
    """The exporters that plug-ins bring, by name; broken ones are left out."""
    usable, _ = exporter_plugins(plugin_root())
    return usable


def kinds_of(words: Sequence[str]) -> tuple[str, ...]:
    """What is to be made, each once, in the order in which it is made.

    Args:
        words: ``adapter``, ``merged``, names of exporters, or ``all``.

    Raises:
        StudioError: No plug-in brings one of them.
    """
    wanted = set(words)
    if ALL in wanted:
        exporters = {each.name for each in installed_exporters()}
        wanted = (wanted - {ALL}) | {ADAPTER, MERGED} | exporters
    others = sorted(wanted - {ADAPTER, MERGED})
    for name in others:
        exporter_plugin(plugin_root(), name)
    return tuple(kind for kind in (ADAPTER, MERGED, *others) if kind in wanted)
