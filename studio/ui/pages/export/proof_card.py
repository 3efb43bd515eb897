"""The card that answers the page's question: is it the same model?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.pages.export.artefacts import (
    CertificateView,
    compared_measures,
    headings,
)
from studio.ui.pages.export.parts import BeforeAndAfter
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.fit_mark import FitMark, Mark
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.segmented import Segmented

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE, ANSWERS = "certificate", "answers"
_PROVEN = Mark(IconName.CHECK_CIRCLE, "It says what was trained", Tone.SUCCESS)
_DIFFERS = Mark(IconName.CROSS_CIRCLE, "It differs from what was trained", Tone.DANGER)
_UNHEARD = Mark(IconName.WARNING, "Read back, not compared", Tone.WARNING)
_LONG: Final = {True: _PROVEN, False: _DIFFERS, None: _UNHEARD}
_SHORT: Final = {
    True: Mark(IconName.CHECK_CIRCLE, "Same", Tone.SUCCESS),
    False: Mark(IconName.CROSS_CIRCLE, "Differs", Tone.DANGER),
    None: Mark(IconName.WARNING, "Not compared", Tone.WARNING),
}
_BESIDE: Final = {"Source": "Compared with the model that it was made of."}
_MOST_WIDE: Final = 4
"""Artefacts whose columns leave room for whole words."""
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CertificateTable(QWidget):
    """What was compared, a row each, and the verdict at last.

    Attributes:
        verdict: The mark, where there is one artefact.
        open_report: Shows the page that tells all of it.

    Signals:
        report_wanted: The page of a certificate, a path.
    """

    report_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.verdict = FitMark(_PROVEN, "Verdict")
        self.open_report = button("Read the certificate", ButtonKind.FLAT)
        self._none = label(
            "Not compared yet. Export and prove compares each model that it makes "
            "with what was trained: at each token of the same texts.",
            tone=Tone.MUTED,
            wraps=True,
        )
        self._wrong = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        self._grid_holder = QWidget()
        self._grid = QGridLayout(self._grid_holder)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(Space.WIDE)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(0, 1)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(0, Space.MEDIUM, 0, 0)
        foot.addWidget(label("Verdict", Role.ANSWER))
        foot.addSpacing(Space.SMALL)
        foot.addWidget(self.verdict)
        foot.addStretch(1)
        foot.addWidget(self.open_report)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self._none, self._grid_holder, self._foot, self._wrong):
            column.addWidget(widget)
        column.addStretch(1)
        self._shown: tuple[CertificateView, ...] = ()
        self._is_narrow = False
        self._pages: list[Path | None] = []
        self._readers = QButtonGroup(self)
        self._readers.idClicked.connect(self._on_read_clicked)
        self.open_report.clicked.connect(self._on_open_clicked)
        self.show_certificates(())

    def show_certificates(self, shown: tuple[CertificateView, ...]) -> None:
        """Show a certificate for each artefact; none before one was made."""
        is_one = len(shown) == 1
        self._none.setVisible(not shown)
        self._grid_holder.setVisible(bool(shown))
        self._foot.setVisible(is_one)
        self._wrong.setVisible(any(each.findings for each in shown))
        if not shown or shown == self._shown:
            return
        self._shown = shown
        self._pages = [each.page for each in shown]
        self.verdict.set_mark(_LONG[shown[0].is_proven])
        self.open_report.setVisible(shown[0].page is not None)
        self._wrong.setText(_wrong_words(shown))
        self._clear()
        self._is_narrow = len(shown) > _MOST_WIDE
        gap = Space.SMALL if self._is_narrow else Space.WIDE
        self._grid.setHorizontalSpacing(gap)
        if is_one:
            self._fill_one(shown[0])
        else:
            self._fill_several(shown)

    def _clear(self) -> None:
        for reader in self._readers.buttons():
            self._readers.removeButton(reader)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def _fill_one(self, shown: CertificateView) -> None:
        head = ("Compared", shown.beside, shown.title, "Allowed")
        self._add_row(0, head, quiet=(0, 1, 2, 3))
        for place, row in enumerate(shown.rows, start=1):
            cells = (row.title, row.trained, row.exported, row.limit or "–")
            self._add_row(2 * place, cells, quiet=(1, 3))

    def _fill_several(self, shown: tuple[CertificateView, ...]) -> None:
        """A column for each artefact, its verdict and its report below."""
        heads = ("Compared", "Trained", *headings(shown))
        beside = ("", "", *(_BESIDE.get(each.beside, "") for each in shown))
        self._add_row(0, heads, quiet=tuple(range(len(heads))), hints=beside)
        place = 0
        for measure in compared_measures(shown):
            place += 2
            self._add_row(place, measure.cells, quiet=(1,), hints=measure.limits)
        place += 2
        self._grid.addWidget(label("Verdict", Role.ANSWER), place, 0)
        for column, each in enumerate(shown):
            mark = FitMark(_SHORT[each.is_proven], each.title)
            self._grid.addWidget(mark, place, column + 2, _RIGHT)
            if each.page is not None:
                self._add_reader(place + 1, column, each.title)
        self._grid.setRowMinimumHeight(place, Height.ROW)

    def _add_reader(self, place: int, column: int, title: str) -> None:
        reader = button("Read", ButtonKind.FLAT)
        reader.setAccessibleName(f"Read the certificate: {title}")
        self._readers.addButton(reader, column)
        self._grid.addWidget(reader, place, column + 2, _RIGHT)

    def _add_row(
        self,
        place: int,
        cells: Sequence[str],
        *,
        quiet: Sequence[int],
        hints: Sequence[str] = (),
    ) -> None:
        is_head = place == 0
        for column, words in enumerate(cells):
            is_quiet = column in quiet
            figure = Role.BODY if is_quiet or not column else Role.STRONG
            role = Role.CAPTION if is_head else figure
            cell = label(words, role, Tone.MUTED if is_quiet else Tone.NORMAL)
            cell.setMinimumHeight(Height.TABLE_HEADER if is_head else Height.ROW)
            if column:
                cell.setAlignment(_RIGHT)
            else:
                cell.setWordWrap(self._is_narrow)
            if column < len(hints):
                cell.setToolTip(hints[column])
            self._grid.addWidget(cell, place, column)
        self._grid.addWidget(line(), place + 1, 0, 1, len(cells))

    @Slot()
    def _on_open_clicked(self) -> None:
        self._on_read_clicked(0)

    @Slot(int)
    def _on_read_clicked(self, place: int) -> None:
        page = self._pages[place]
        if page is not None:
            self.report_wanted.emit(page)


def _wrong_words(shown: Sequence[CertificateView]) -> str:
    if len(shown) == 1:
        return " ".join(shown[0].findings)
    told = (
        f"{each.title}: {' '.join(each.findings)}" for each in shown if each.findings
    )
    return " ".join(told)


class ProofCard(Card):
    """The certificate, or what the run's own prompts are answered with.

    Attributes:
        choice: Which of the two is shown.
        certificate: The table.
        answers: Before and after training.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Certificate", divided=True, parent=parent)
        self.choice = Segmented(
            [(CERTIFICATE, "Certificate"), (ANSWERS, "Answers")], name="What is shown"
        )
        self.add_header_widget(self.choice)
        self.certificate, self.answers = CertificateTable(), BeforeAndAfter()
        self._pages = QStackedWidget()
        self._pages.addWidget(self.certificate)
        self._pages.addWidget(self.answers)
        self.body.addWidget(self._pages, 1)
        self._note = ""
        self.choice.choice_changed.connect(self._on_choice_changed)

    def show_certificates(self, shown: tuple[CertificateView, ...]) -> None:
        """Show a certificate for each artefact; none before one was made."""
        several = f"{len(shown)} models" if shown else ""
        self._note = shown[0].note if len(shown) == 1 else several
        self.certificate.show_certificates(shown)
        self._on_choice_changed(self.choice.current())

    def turn_to(self, page: str) -> None:
        """Show the certificate or the answers."""
        self.choice.set_current(page)
        self._on_choice_changed(page)

    def _on_choice_changed(self, page: str) -> None:
        is_proof = page == CERTIFICATE
        self._pages.setCurrentWidget(self.certificate if is_proof else self.answers)
        self.set_title("Certificate" if is_proof else "What it answers")
        self.set_note(self._note if is_proof else "the run’s own prompts")
