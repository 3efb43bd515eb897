"""Exporters that plug-ins bring, read when something is to be exported."""

from typing import TYPE_CHECKING, cast

from studio.storage.plugin_code import code_of
from studio.storage.plugins import ExporterPlugin

if TYPE_CHECKING:
    from studio.plugin_api.exporting import ExporterModule


def exporter_of(plugin: ExporterPlugin) -> "ExporterModule":
    """The code that exports.

    Raises:
        StudioError: It fails.
    """
    fix = "Install the plug-in again, or export to adapter or merged."
    return cast(
        "ExporterModule", code_of(plugin.title, plugin.module, ("export",), fix)
    )
