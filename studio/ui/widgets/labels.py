"""Texts in the window's type sizes, never interpreted as markup.

Names of models, files and programs come from outside; Qt would take anything that looks
like a tag for one. So every label is plain, and the one exception escapes first.
"""

import html
import re
from enum import StrEnum

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.tokens import TEXT_WIDTH, Tone


class Role(StrEnum):
    """A type size and weight."""

    BODY = "body"
    STRONG = "strong"
    ANSWER = "answer"
    CAPTION = "caption"
    CAPTION_STRONG = "caption-strong"
    CAPTION_ANSWER = "caption-answer"
    CARD_TITLE = "card-title"
    VALUE = "value"
    PAGE_TITLE = "page-title"
    NUMBER = "number"
    MONO = "mono"


class _Paragraph(QLabel):
    """A text that wraps at its own greatest width, however wide its cell is."""

    @override
    def heightForWidth(self, width: int) -> int:
        # A layout asks for the cell's width, which may be more than the text takes.
        return super().heightForWidth(min(width, self.maximumWidth()))


def label(
    text: str = "",
    role: Role = Role.BODY,
    tone: Tone = Tone.NORMAL,
    *,
    wraps: bool = False,
    parent: QWidget | None = None,
) -> QLabel:
    """A plain-text label; one that wraps stops at 720 px."""
    result = _Paragraph(parent) if wraps else QLabel(parent)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setText(text)
    result.setProperty("role", role.value)
    result.setProperty("tone", tone.value)
    if wraps:
        result.setWordWrap(True)
        result.setMaximumWidth(TEXT_WIDTH)
    return result


def set_tone(widget: QWidget, tone: Tone) -> None:
    """Change what a label says by its colour."""
    set_look(widget, "tone", tone.value)


def set_look(widget: QWidget, name: str, value: str | bool) -> None:
    """Change a property that the style sheet looks at."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


class Sentence(QLabel):
    """A sentence whose figures stand out: ``needs **8.24 GiB** of 10.89``."""

    def __init__(
        self,
        text: str = "",
        role: Role = Role.BODY,
        tone: Tone = Tone.NORMAL,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setProperty("role", role.value)
        self.setProperty("tone", tone.value)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """Show a sentence; ``**`` on both sides makes a figure stand out."""
        escaped = html.escape(text, quote=False)
        strong = r'<span style="font-weight:600">\1</span>'
        self.setText(re.sub(r"\*\*(.+?)\*\*", strong, escaped))
        self.setAccessibleName(text.replace("**", ""))


class ElidedLabel(QLabel):
    """A one-line label that ends in an ellipsis instead of pushing others away."""

    def __init__(
        self,
        text: str = "",
        role: Role = Role.BODY,
        tone: Tone = Tone.NORMAL,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._full = ""
        self._told = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role.value)
        self.setProperty("tone", tone.value)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_text(text)

    def set_text(self, text: str, told: str = "") -> None:
        """Show a text, shortened at its end where there is no room.

        Args:
            text: What is shown.
            told: What the tooltip tells at any width, such as a whole path; else it
                tells the text where that is shortened.
        """
        self._full, self._told = text, told
        self._elide()

    def full_text(self) -> str:
        """The text before it was shortened."""
        return self._full

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        metrics = self.fontMetrics()
        shown = metrics.elidedText(
            self._full, Qt.TextElideMode.ElideRight, max(self.width(), 8)
        )
        self.setText(shown)
        self.setAccessibleName(self._full)
        hint = self._full if shown != self._full else ""
        self.setToolTip(self._told or hint)


def line(*, vertical: bool = False) -> QFrame:
    """A row line inside a card, or between two facts."""
    result = QFrame()
    result.setProperty("line", "vertical" if vertical else "horizontal")
    return result
