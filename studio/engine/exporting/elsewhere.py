"""Other forms of a merged model, by exporters that plug-ins bring."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.domain.run import Phase
from studio.domain.waypoints import passing
from studio.engine.exporting.places import aside_of
from studio.engine.exporting.plugins import exporter_of
from studio.engine.lifeline import Interrupted
from studio.engine.session import Session
from studio.engine.staging import whole_folder
from studio.protocol.codec import told
from studio.protocol.events import Progress
from studio.protocol.export_events import Artefact
from studio.storage.artefacts import ORIGIN, Origin, write_origin
from studio.storage.plugin_code import code_of
from studio.storage.plugins import ExporterPlugin

if TYPE_CHECKING:
    from studio.plugin_api.exporting import ExportCheckModule, Proof

_FIX = "Install the plug-in again, or export to adapter or merged."
_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class OtherForm:
    """What an exporter shall make.

    Attributes:
        plugin: That brings it.
        form: One of its forms.
    """

    plugin: ExporterPlugin
    form: str

    @classmethod
    def of(cls, plugin: ExporterPlugin, form: str) -> "OtherForm":
        """By the form that was asked for; the exporter's first where none was.

        Raises:
            StudioError: It has no such form.
        """
        return cls(plugin, plugin.form_named(form))

    def place_in(self, out: Path) -> Path:
        """Its folder, in that of an export."""
        return out / f"{self.plugin.name}-{self.form}"

    def check(self, source: Path) -> Sequence[Finding]:
        """What speaks against it, by a model's folder of the same layout.

        Raises:
            StudioError: An error does, or the plug-in's code fails.
        """
        found = self._looks().check(source, self.form)
        for each in found:
            if each.severity is Severity.ERROR:
                raise StudioError(each)
        return found

    def size_bytes(self, source: Path) -> int:
        """What it will take on the disk."""
        return self._looks().size_bytes(source, self.form)

    def _looks(self) -> "ExportCheckModule":
        wanted = ("check", "size_bytes")
        code = code_of(self.plugin.title, self.plugin.check, wanted, _FIX)
        return cast("ExportCheckModule", code)


class _Telling:
    """Hands an exporter's progress on, and its user's wish to end."""

    def __init__(self, session: Session) -> None:
        self._session, self._said = session, 0.0

    def __call__(self, stage: str, done: float, total: float, unit: str) -> None:
        self._session.lifeline.check()
        if self._session.orders.stop_is_ordered:
            raise Interrupted
        now = time.monotonic()
        if now - self._said < _EVERY_S and done < total:
            return
        self._said = now
        word = Progress(stage=stage, done=float(done), total=float(total), unit=unit)
        self._session.say(word)


def export_elsewhere(
    session: Session,
    wanted: OtherForm,
    source: Path,
    target: Path,
    origin: Origin,
    *,
    publishes_red: bool,
) -> Artefact:
    """Have an exporter write, whole or not at all, and publish what it has proven.

    Args:
        session: Where to report.
        wanted: The exporter and its form.
        source: A merged model's folder.
        target: The folder to make; what lies there makes room.
        origin: Of the model.
        publishes_red: Whether what isn't proven gets its name all the same.

    Raises:
        StudioError: It can't be exported, or the disk refuses.
    """
    session.enter(Phase.EXPORTING)
    place = target

    def named() -> Path:
        return place

    with whole_folder(target, replace=True, named=named) as draft:
        exporter = exporter_of(wanted.plugin)
        proof: Proof = exporter.export(source, draft, wanted.form, _Telling(session))
        passing("export.written")
        if not (draft / ORIGIN).exists():  # an exporter may know more
            write_origin(draft, origin)
        if not proof.is_passed and not publishes_red:
            place = aside_of(target)
    return Artefact(
        kind=wanted.plugin.name,
        form=wanted.form,
        path=str(place),
        size_bytes=sum(f.stat().st_size for f in place.rglob("*") if f.is_file()),
        is_proven=proof.is_passed if proof.is_judged else None,
        report=str(place / proof.report) if proof.report else "",
        figures=list(proof.figures),
        findings=[told(each) for each in proof.findings],
    )
