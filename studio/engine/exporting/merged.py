"""The merged model, compared with what was trained before it gets its name."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.parity import Parity
from studio.domain.waypoints import passing
from studio.engine.adapter_files import card_of, write_card
from studio.engine.exporting.course import course_of
from studio.engine.exporting.loss_curve import loss_curve
from studio.engine.exporting.shared_card import (
    CURVE,
    certificate_section,
    merged_loading,
    shared_card,
    training_section,
)
from studio.engine.merging.verb import Merging, merge_into
from studio.engine.parity.page import DOCUMENT, PAGE, write_report
from studio.engine.parity.verb import compared
from studio.engine.session import Session
from studio.protocol.codec import told
from studio.protocol.export_events import MERGED, Artefact
from studio.storage.artefacts import ORIGIN, Origin, read_origin
from studio.storage.certificates import is_proven


@dataclass(slots=True)
class _Judge:
    """Proves a merged model, and says by which name it is to be found."""

    session: Session
    merging: Merging
    aside: Path
    publishes_red: bool
    parity: Parity | None = None
    place: Path | None = None

    def __call__(self, draft: Path) -> Path:
        run = self.merging.run
        parity = compared(self.session, run, self.merging.base, draft)
        write_report(draft, run.name, parity)
        passing("export.proven")
        _write_about(self.merging, draft, parity)
        passing("export.card")
        is_published = parity.is_proven or self.publishes_red
        self.parity = parity
        self.place = self.merging.target if is_published else self.aside
        return self.place


def export_merged(
    session: Session, merging: Merging, aside: Path, *, publishes_red: bool
) -> Artefact:
    """Merge, compare, and publish what is proven; the rest is kept aside.

    Args:
        session: Where to report.
        merging: What is merged; its target makes room.
        aside: Where a model is kept that differs; what lies there makes room.
        publishes_red: Whether a model gets its name that differs from what was trained.

    Raises:
        StudioError: It can't be merged, or the disk refuses.
    """
    judge = _Judge(session, merging, aside, publishes_red)
    merge_into(session, merging, judge)
    assert judge.parity is not None
    assert judge.place is not None
    return Artefact(
        kind=MERGED,
        form=merging.dtype,
        path=str(judge.place),
        size_bytes=sum(file.stat().st_size for file in judge.place.iterdir()),
        is_proven=judge.parity.is_proven,
        report=str(judge.place / PAGE),
        findings=[told(each) for each in judge.parity.findings],
    )


def is_proven_merge_of(folder: Path, like: Origin) -> bool:
    """Whether a folder holds a proven merge of an adapter, so that none is needed.

    Args:
        folder: Perhaps of a merged model.
        like: Names the adapter and what it was to be merged into; in any format.
    """
    if not (folder / ORIGIN).is_file() or not (folder / DOCUMENT).is_file():
        return False
    origin = read_origin(folder)
    is_same = origin.adapter_sha256 == like.adapter_sha256
    if not is_same or origin.as_trained is not like.as_trained:
        return False
    return is_proven(folder / DOCUMENT)


def _write_about(merging: Merging, draft: Path, parity: Parity) -> None:
    course = course_of(merging.run)
    picture = loss_curve(course)
    if picture:
        (draft / CURVE).write_text(picture, encoding="utf-8")
    sections = [
        certificate_section(parity, PAGE),
        training_section(course, has_curve=bool(picture)),
        merged_loading(),
    ]
    card = shared_card(card_of(draft), merging.run.read_recipe(), sections)
    write_card(draft, card)
