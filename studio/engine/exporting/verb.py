"""What ``export`` does: one folder that holds what came of a run, each part proven.

Everything that can be refused is refused before anything is written. Each artefact
gets its name when all of it is on the disk and, where there is something to prove,
compared with what was trained; so a kill leaves it whole, as it was before, or absent.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import refusal
from studio.domain.finding import Finding, warning
from studio.engine.exporting.adapter import adapter_export_bytes, export_adapter
from studio.engine.exporting.elsewhere import OtherForm, export_elsewhere
from studio.engine.exporting.merged import export_merged, is_proven_merge_of
from studio.engine.exporting.places import (
    aside_of,
    check_adapter_place,
    check_model_place,
    check_other_place,
    refuse_file,
    refuse_run_folder,
)
from studio.engine.merging.plan import ADAPTER_WEIGHTS
from studio.engine.merging.verb import Merging, bytes_to_write, refuse_whole
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Session
from studio.engine.staging import need_space, sweep
from studio.protocol.export_events import (
    ADAPTER,
    FORM_MARK,
    MERGED,
    Artefact,
    Exported,
)
from studio.storage.artefacts import Origin
from studio.storage.data_digest import sha256_of
from studio.storage.models import ModelPlace
from studio.storage.plugins import exporter_plugin
from studio.storage.run_directory import RunDirectory
from studio.system.resources import plugin_root


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """What is asked for.

    Attributes:
        out: The folder that will hold it, absolute.
        kinds: ``adapter``, ``merged`` or names of exporters, each with a form of its
            own behind a colon or without one.
        dtype: Of a merged model's weights: bf16, fp16 or fp32.
        as_trained: Merged into what the base was in training, 4 bits unpacked.
        form: Of exporters named without one; empty for the first of theirs.
        overwrite: What an earlier export made makes room.
        publishes_red: What differs from what was trained gets its name all the same.
    """

    out: Path
    kinds: tuple[str, ...]
    dtype: str = "bf16"
    as_trained: bool = False
    form: str = ""
    overwrite: bool = False
    publishes_red: bool = False

    @property
    def needs_base(self) -> bool:
        """An adapter alone can be handed on when its base is gone from here."""
        return self.kinds != (ADAPTER,)


@dataclass(frozen=True, slots=True)
class _Making:
    """An order about a run, with all that it takes.

    Attributes:
        session: Where to report.
        run: What is exported.
        order: What is asked for.
        others: Of it, what exporters make.
        base: The folder of the base model; None where it isn't here.
        licence: Of the base; empty where unknown.
    """

    session: Session
    run: RunDirectory
    order: ExportOrder
    others: Sequence[OtherForm]
    base: Path | None
    licence: str

    @property
    def is_whole(self) -> bool:
        """Whether the run left a whole model, which needs no merge."""
        return self.run.read_recipe().trains_all

    @property
    def needs_merge(self) -> bool:
        """Whether a merge has to be made, if only for an exporter."""
        if MERGED in self.order.kinds:
            return True
        return bool(self.others) and not self.is_whole and not self.has_merge

    @property
    def has_merge(self) -> bool:
        """Whether a proven merge of the same adapter lies there already."""
        like = self.origin(self.order.dtype)
        return is_proven_merge_of(self.order.out / MERGED, like)

    @property
    def _weights(self) -> Path:
        return self.run.adapter_path / ADAPTER_WEIGHTS

    def merging(self, target: Path) -> Merging:
        assert self.base is not None
        order = self.order
        return Merging(self.run, self.base, target, order.dtype, order.as_trained)

    def origin(self, form: str) -> Origin:
        digest = "" if self.is_whole else sha256_of(self._weights)
        return Origin(self.run.name, form, digest, as_trained=self.order.as_trained)


def export(
    session: Session, run: RunDirectory, place: ModelPlace | None, order: ExportOrder
) -> None:
    """Make what was ordered of a run.

    Args:
        session: Where to report.
        run: That has left an adapter.
        place: Its base model; None where it isn't here, which an adapter doesn't need.
        order: What is asked for.

    Raises:
        StudioError: Something of it can't be made, or the disk refuses.
    """
    others = _others(order)
    _check_places(run, order, others)
    _refuse_unmerged(run, order)
    with session.lifeline.open():
        base = None if place is None else prepared_folder(session, place)
        licence = "" if place is None else place.licence
        making = _Making(session, run, order, others, base, licence)
        for finding in _doubts(making):
            session.warn(finding)
        _need_space(making)
        sweep(order.out)
        artefacts = list(_made(making))
    session.say(Exported(path=str(order.out), artefacts=artefacts))


def _others(order: ExportOrder) -> Sequence[OtherForm]:
    """What exporters shall make, each once."""
    named = [kind for kind in order.kinds if kind not in {ADAPTER, MERGED}]
    wanted = []
    for name, _, form in (kind.partition(FORM_MARK) for kind in named):
        plugin = exporter_plugin(plugin_root(), name)
        wanted.append(OtherForm.of(plugin, form or order.form))
    return tuple(dict.fromkeys(wanted))


def _check_places(
    run: RunDirectory, order: ExportOrder, others: Sequence[OtherForm]
) -> None:
    refuse_run_folder(run, order.out)
    refuse_file(order.out)
    if ADAPTER in order.kinds or MERGED in order.kinds:
        refuse_whole(run)
    if ADAPTER in order.kinds:
        check_adapter_place(order.out / ADAPTER, overwrite=order.overwrite)
    if MERGED in order.kinds:
        check_model_place(order.out / MERGED, overwrite=order.overwrite)
    for other in others:
        check_other_place(other.place_in(order.out), overwrite=order.overwrite)


def _refuse_unmerged(run: RunDirectory, order: ExportOrder) -> None:
    """Refuse to say how a merge is made where none is."""
    if not order.as_trained:
        return
    if order.kinds == (ADAPTER,) or run.read_recipe().trains_all:
        raise refusal(
            "export.nothing-merged",
            "Nothing is merged here, as trained or otherwise.",
            fix="Leave --as-trained out, or ask for the merged model of an adapter.",
            where="--as-trained",
        )


def _doubts(making: _Making) -> Iterator[Finding]:
    """What exporters remark on before anything is done; an error refuses."""
    source = making.run.model_path if making.is_whole else making.base
    for other in making.others:
        assert source is not None
        yield from other.check(source)


def _need_space(making: _Making) -> None:
    order = making.order
    needed = 0
    if ADAPTER in order.kinds:
        needed += adapter_export_bytes(making.run)
    if making.needs_merge:
        needed += bytes_to_write(making.merging(order.out / MERGED))
    source = making.run.model_path if making.is_whole else making.base
    for other in making.others:
        assert source is not None
        needed += other.size_bytes(source)
    need_space(order.out, needed, "The export")


def _made(making: _Making) -> Iterator[Artefact]:
    session, order = making.session, making.order
    if ADAPTER in order.kinds:
        target = order.out / ADAPTER
        yield export_adapter(session, making.run, target, making.licence)
    merged = None
    if MERGED in order.kinds:
        merged = _merged(making, order.out / MERGED)
        yield merged
    if making.others:
        yield from _made_elsewhere(making, merged)


def _merged(making: _Making, target: Path) -> Artefact:
    aside = aside_of(making.order.out / MERGED)
    red = making.order.publishes_red
    merging = making.merging(target)
    return export_merged(making.session, merging, aside, publishes_red=red)


def _made_elsewhere(making: _Making, merged: Artefact | None) -> Iterator[Artefact]:
    with _source(making, merged) as (source, judged):
        if judged is not None and not (judged.is_proven or making.order.publishes_red):
            if merged is None:
                yield judged
            making.session.warn(_differs(judged))
            return
        for other in making.others:
            yield export_elsewhere(
                making.session,
                other,
                source,
                other.place_in(making.order.out),
                making.origin(other.form),
                publishes_red=making.order.publishes_red,
            )


@contextmanager
def _source(
    making: _Making, merged: Artefact | None
) -> Iterator[tuple[Path, Artefact | None]]:
    """The model that exporters start from, and how it was judged if it was made now."""
    out = making.order.out
    if making.is_whole:
        yield making.run.model_path, None
    elif merged is not None:
        yield Path(merged.path), merged
    elif making.has_merge:
        yield out / MERGED, None
    else:
        hidden = out / f".{MERGED}.unfinished-{os.getpid()}"
        try:
            judged = _merged(making, hidden)
            yield Path(judged.path), judged
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def _differs(merged: Artefact) -> Finding:
    return warning(
        "export.not-started",
        "No other form was made: the merged model doesn’t say what was trained.",
        fix="Look at its certificate first.",
        where=merged.report,
    )
