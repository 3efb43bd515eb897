"""The Export page's words about exporters' forms, and about all that was compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from studio.services.certificates import Certificate, ComparedRow
from studio.services.exporters import FormOffer
from studio.services.exports import ExportedFiles, OtherFiles
from studio.ui.text import size

_SOURCE: Final = "Source"
"""The head above figures of the model that an exporter's file was made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRow:
    """A row of what can be made: one form, or all that are missing for one reason.

    Attributes:
        kinds: As the engine names them; one where it can be had.
        title: Of the form or the forms.
        use: What it is for, or what is doubtful about it.
        size: Of its files, or what they take at most; empty while unknown.
        refused: Why it can't be had; empty when it can.
        is_doubtful: Whether something is lost or uncertain.
    """

    kinds: tuple[str, ...]
    title: str
    use: str = ""
    size: str = ""
    refused: str = ""
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate as the page shows it.

    Attributes:
        title: Of what was compared.
        note: When it was made, and of what.
        is_proven: The verdict; None where nothing was heard.
        rows: What was compared.
        findings: What speaks against it, a sentence each.
        page: All of it, for a browser; None without one.
        beside: What it was compared with, as a table's head.
    """

    title: str = "Merged"
    note: str = ""
    is_proven: bool | None = None
    rows: tuple[ComparedRow, ...] = ()
    findings: tuple[str, ...] = ()
    page: Path | None = None
    beside: str = "Trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure of several artefacts.

    Attributes:
        cells: Its name, the trained model's figure, then one for each artefact.
        limits: What may be lost, for each cell.
    """

    cells: tuple[str, ...]
    limits: tuple[str, ...]


def form_rows(
    offers: Sequence[FormOffer], lies: ExportedFiles | None
) -> tuple[FormRow, ...]:
    """A row for each form that can be had, then one for each reason against others."""
    made = {} if lies is None else {each.kind: each.size_bytes for each in lies.others}
    had = [_row(offer, made.get(offer.kind)) for offer in offers if not offer.refused]
    return (*had, *_missing(offers))


def certificate_view(
    certificate: Certificate, *, is_aside: bool, title: str = "Merged"
) -> CertificateView:
    """Put a certificate into words.

    Args:
        certificate: What the comparison found.
        is_aside: Whether the model was kept aside.
        title: Of the model.
    """
    made = datetime.fromtimestamp(certificate.made_at).astimezone()
    aside = ", kept aside" if is_aside else ""
    return CertificateView(
        title=title,
        note=f"made {made:%d %b %H:%M}, {certificate.format.upper()}{aside}",
        is_proven=certificate.is_proven,
        rows=certificate.rows,
        findings=tuple(each.what for each in certificate.findings),
        page=certificate.page,
    )


def certificates(lies: ExportedFiles | None) -> tuple[CertificateView, ...]:
    """A verdict for each artefact that lies there: the merged model's first."""
    if lies is None:
        return ()
    others = [_of_other(each) for each in lies.others]
    if lies.certificate is None:
        return tuple(others)
    return (certificate_view(lies.certificate, is_aside=lies.is_aside), *others)


def headings(shown: Sequence[CertificateView]) -> tuple[str, ...]:
    """Short titles for a table's head: the form alone where that is one of them."""
    short = [each.title.rpartition(" ")[2] for each in shown]
    return tuple(
        each.title if short.count(brief) > 1 else brief
        for each, brief in zip(shown, short, strict=True)
    )


def compared_measures(shown: Sequence[CertificateView]) -> Iterator[Measure]:
    """What several artefacts were compared by, in the first one's order."""
    told = [{row.measure: row for row in each.rows} for each in shown]
    for measure in dict.fromkeys(name for rows in told for name in rows):
        rows = [each.get(measure) for each in told]
        here = [row for row in rows if row is not None]
        titles, trained = {row.title for row in here}, {row.trained for row in here}
        title = here[0].title if len(titles) == 1 else measure
        cells = ("–" if row is None else row.exported for row in rows)
        limits = ("" if row is None else row.limit for row in rows)
        first = here[0].trained if len(trained) == 1 else "–"
        yield Measure(cells=(title, first, *cells), limits=("", "", *limits))


def made_words(lies: ExportedFiles | None) -> str:
    """What lies there, in a few words."""
    if lies is None or lies.is_empty:
        return ""
    if lies.is_aside:
        return "The model was kept aside"
    if aside := [each.title for each in lies.others if each.is_aside]:
        return f"Kept aside: {', '.join(aside)}"
    verdicts = [each.is_proven for each in certificates(lies)]
    if not any(verdict is not None for verdict in verdicts):
        return "Exported"
    if False in verdicts:
        return "Exported, though it differs"
    return "Exported, not all compared" if None in verdicts else "Exported and proven"


def is_doubtful(lies: ExportedFiles | None) -> bool:
    """Whether something that lies there differs from what was trained."""
    return any(each.is_proven is False for each in certificates(lies))


def _row(offer: FormOffer, made_bytes: int | None) -> FormRow:
    words = "" if offer.most_bytes is None else f"up to {size(offer.most_bytes)}"
    return FormRow(
        kinds=(offer.kind,),
        title=offer.title,
        use=offer.doubts or offer.use,
        size=words if made_bytes is None else size(made_bytes),
        is_doubtful=bool(offer.doubts),
    )


def _missing(offers: Sequence[FormOffer]) -> Iterator[FormRow]:
    for reason in dict.fromkeys(offer.refused for offer in offers if offer.refused):
        all_of_it = [offer for offer in offers if offer.refused == reason]
        yield FormRow(
            kinds=tuple(offer.kind for offer in all_of_it),
            title=", ".join(offer.title for offer in all_of_it),
            refused=reason,
        )


def _of_other(files: OtherFiles) -> CertificateView:
    if files.certificate is None:
        verdict = False if files.is_aside else None
        return CertificateView(title=files.title, is_proven=verdict)
    told = certificate_view(
        files.certificate, is_aside=files.is_aside, title=files.title
    )
    return replace(told, beside=_SOURCE)
