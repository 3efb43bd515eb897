"""The card of lengths: bars, the line, and what its place costs."""

from typing import Final

from PySide6.QtWidgets import QGridLayout

from studio.ui.charts.length_histogram import LengthHistogram
from studio.ui.charts.length_state import LengthBars
from studio.ui.pages.data.lengths import LengthWords
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import ElidedLabel, Role, Sentence, label, set_tone

_SHARES: Final = (3, 4, 4, 5)  # of the width, for padding, packing, memory, time


class LengthsCard(Card):
    """How long rows are, and what the sequence length does to them.

    Attributes:
        histogram: The bars and the line.
    """

    def __init__(self) -> None:
        super().__init__("Length of rows")
        assert self.header is not None  # a card with a title has one
        self._unit = label("in tokens", Role.CAPTION, Tone.MUTED)
        self.header.insertWidget(1, self._unit)
        self._headline = Sentence("")
        self.add_header_widget(self._headline)
        self.histogram = LengthHistogram()
        self._facts = [
            (label("", Role.CAPTION, Tone.MUTED), ElidedLabel("", Role.CAPTION_STRONG))
            for _ in _SHARES
        ]
        below = QGridLayout()
        below.setHorizontalSpacing(Space.MEDIUM)
        below.setVerticalSpacing(0)
        for place, (title, value) in enumerate(self._facts):
            below.addWidget(title, 0, place)
            below.addWidget(value, 1, place)
            below.setColumnStretch(place, _SHARES[place])
        self.body.setSpacing(Space.HAIR)
        self.body.addWidget(self.histogram, 1)
        self.body.addLayout(below)

    def show_bars(self, bars: LengthBars) -> None:
        """Show other rows."""
        self.histogram.set_bars(bars)

    def show_words(self, words: LengthWords, line: int) -> None:
        """Tell what the line's place does and costs."""
        self._headline.set_text(words.headline)
        self._unit.setText(words.unit)
        for (title, value), fact in zip(self._facts, words.facts, strict=True):
            title.setText(fact.title)
            value.set_text(fact.value)
            set_tone(value, Tone.DANGER if fact.is_bad else Tone.NORMAL)
            title.setToolTip(fact.help)
            title.setAccessibleDescription(fact.help)
        self.histogram.set_line(line, words.rows_cut, words.cut)

    def below(self) -> str:
        """What stands below the bars."""
        return "; ".join(f"{t.text()}: {v.full_text()}" for t, v in self._facts)

    def headline(self) -> str:
        """What stands above them."""
        return self._headline.accessibleName()
