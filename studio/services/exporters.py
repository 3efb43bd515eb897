"""What a run can be exported to on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.protocol.export_events import ADAPTER, FORM_MARK, MERGED
from studio.storage.plugin_code import code_of
from studio.storage.plugins import ExporterPlugin, exporter_plugin, exporter_plugins
from studio.system.resources import plugin_root

if TYPE_CHECKING:
    from studio.plugin_api.exporting import ExportCheckModule

ALL: Final = "all"
_NO_MODEL = "The model that it would be made of isn’t on this machine."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormOffer:
    """A form of an exporter's, and whether a model can be had in it.

    Attributes:
        kind: As the engine's ``--to`` names it, such as ``gguf:q8_0``.
        title: For people.
        use: What it is for.
        most_bytes: It takes on the disk at most; None while unknown.
        refused: Why it can't be had, in a sentence; empty when it can.
        doubts: What is lost or doubtful, in sentences.
    """

    kind: str
    title: str
    use: str
    most_bytes: int | None = None
    refused: str = ""
    doubts: str = ""


def installed_exporters() -> Sequence[ExporterPlugin]:
    """The exporters that plug-ins bring, by name; broken ones are left out."""
    usable, _ = exporter_plugins(plugin_root())
    return usable


def form_title(plugin: ExporterPlugin, form: str) -> str:
    """A form's name for people, such as GGUF Q8_0."""
    return f"{plugin.title} {form.upper()}"


def form_offers(source: Path | None) -> tuple[FormOffer, ...]:
    """Each form of each exporter, looked at with a model; reads small files.

    Args:
        source: The folder of the base, or of the whole model that a run left; None
            where it isn't here. One that is still to be filled, since the model is
            prepared on first use, is looked at by the engine alone.
    """
    return tuple(
        _offer(plugin, form, use, source)
        for plugin in installed_exporters()
        for form, use in zip(plugin.forms, plugin.uses, strict=True)
    )


def kinds_of(words: Sequence[str]) -> tuple[str, ...]:
    """What is to be made, each once, in the order in which it is made.

    Args:
        words: ``adapter``, ``merged``, names of exporters, alone or with a form
            (``gguf:q8_0``), or ``all``.

    Raises:
        StudioError: No plug-in brings one of them, or it has no such form.
    """
    wanted = set(words)
    if ALL in wanted:
        exporters = {each.name for each in installed_exporters()}
        wanted = (wanted - {ALL}) | {ADAPTER, MERGED} | exporters
    others = sorted(wanted - {ADAPTER, MERGED})
    for name, _, form in (other.partition(FORM_MARK) for other in others):
        exporter_plugin(plugin_root(), name).form_named(form)
    return tuple(kind for kind in (ADAPTER, MERGED, *others) if kind in wanted)


def _offer(
    plugin: ExporterPlugin, form: str, use: str, source: Path | None
) -> FormOffer:
    kind, title = f"{plugin.name}{FORM_MARK}{form}", form_title(plugin, form)
    if source is None:
        return FormOffer(kind=kind, title=title, use=use, refused=_NO_MODEL)
    if not (source / "config.json").is_file():
        return FormOffer(kind=kind, title=title, use=use)
    try:
        looks = _looks_of(plugin)
        found = looks.check(source, form)
        # Without headers to read there is nothing to tell a size by.
        is_told = any(source.glob("*.safetensors"))
        most = looks.size_bytes(source, form) if is_told else None
    except (StudioError, OSError) as fault:
        said = fault.finding.what if isinstance(fault, StudioError) else str(fault)
        return FormOffer(kind=kind, title=title, use=use, refused=said)
    return FormOffer(
        kind=kind,
        title=title,
        use=use,
        most_bytes=most,
        refused=" ".join(_said(found, Severity.ERROR)),
        doubts=" ".join(_said(found, Severity.WARNING)),
    )


def _looks_of(plugin: ExporterPlugin) -> "ExportCheckModule":
    wanted, fix = ("check", "size_bytes"), "Install the plug-in again."
    return cast("ExportCheckModule", code_of(plugin.title, plugin.check, wanted, fix))


def _said(findings: Sequence[Finding], severity: Severity) -> Iterator[str]:
    return (each.what for each in findings if each.severity is severity)
