"""The card that answers the page's question: is it the same model?"""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.pages.export.parts import BeforeAndAfter
from studio.ui.pages.export.view_model import CertificateView
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.fit_mark import FitMark, Mark
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.segmented import Segmented

CERTIFICATE, ANSWERS = "certificate", "answers"
_PROVEN = Mark(IconName.CHECK_CIRCLE, "It says what was trained", Tone.SUCCESS)
_DIFFERS = Mark(IconName.CROSS_CIRCLE, "It differs from what was trained", Tone.DANGER)
_COLUMNS = 4


class CertificateTable(QWidget):
    """What was compared, a row each, and the verdict at last.

    Attributes:
        verdict: The mark.
        open_report: Shows the page that tells all of it.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.verdict = FitMark(_PROVEN, "Verdict")
        self.open_report = button("Read the certificate", ButtonKind.FLAT)
        self._none = label(
            "Not compared yet. Export and prove compares the merged model with what "
            "was trained: at each token of the same texts.",
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
        self._shown: CertificateView | None = None
        self.show_certificate(None)

    def show_certificate(self, shown: CertificateView | None) -> None:
        """Show a certificate; None before one was made."""
        self._none.setVisible(shown is None)
        self._grid_holder.setVisible(shown is not None)
        self._foot.setVisible(shown is not None)
        self._wrong.setVisible(shown is not None and bool(shown.findings))
        if shown is None or shown == self._shown:
            return
        self._shown = shown
        self.verdict.set_mark(_PROVEN if shown.is_proven else _DIFFERS)
        self._wrong.setText(" ".join(shown.findings))
        self._fill(shown)

    def _fill(self, shown: CertificateView) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._add_row(0, ("Compared", "Trained", "Merged", "Allowed"), is_head=True)
        for place, row in enumerate(shown.rows, start=1):
            cells = (row.title, row.trained, row.exported, row.limit or "–")
            self._add_row(2 * place, cells, is_head=False)

    def _add_row(
        self, place: int, cells: tuple[str, str, str, str], *, is_head: bool
    ) -> None:
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column, words in enumerate(cells):
            role = Role.CAPTION if is_head else Role.BODY
            if column == _COLUMNS - 2 and not is_head:
                role = Role.STRONG
            muted = is_head or column in {1, _COLUMNS - 1}
            cell = label(words, role, Tone.MUTED if muted else Tone.NORMAL)
            cell.setMinimumHeight(Height.TABLE_HEADER if is_head else Height.ROW)
            if column:
                cell.setAlignment(right)
            self._grid.addWidget(cell, place, column)
        self._grid.addWidget(line(), place + 1, 0, 1, _COLUMNS)


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

    def show_certificate(self, shown: CertificateView | None) -> None:
        """Show a certificate; None before one was made."""
        self._note = "" if shown is None else shown.note
        self.certificate.show_certificate(shown)
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
