"""What would fit when no recipe does, worked out beside the window."""

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import Finding, Severity
from studio.domain.recommend.elsewhere import Alternative, Exit
from studio.domain.recommend.wish import Wish
from studio.services.recommending import ways_elsewhere
from studio.ui.pages.errand import Errand

_Ways = tuple[Alternative, ...]


class Elsewhere(QObject):
    """Answers one wish at a time; the newest wins.

    Signals:
        found: An answer came.
    """

    found = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wish: Wish | None = None
        self._answered: tuple[Wish, _Ways] | None = None
        self._errand = Errand(self._look, self)
        self._errand.errand_done.connect(self._on_done)

    def finding(self, wish: Wish | None) -> Finding | None:
        """What to say about a wish that nothing fits; None until it is worked out.

        Args:
            wish: None when something fits.
        """
        if wish is None:
            self._wish = None
            return None
        if self._answered is not None and self._answered[0] == wish:
            return told(wish, self._answered[1])
        if self._wish != wish:
            self._wish = wish
            self._errand.run()
        return None

    def _look(self) -> tuple[Wish, _Ways] | None:
        wish = self._wish
        return None if wish is None else (wish, ways_elsewhere(wish))

    @Slot(object)
    def _on_done(self, answer: tuple[Wish, _Ways] | None) -> None:
        if answer is not None:
            self._answered = answer
            self.found.emit()


def told(wish: Wish, ways: _Ways) -> Finding:
    """The nearest things that would fit, in a sentence for each kind."""
    models = [way.name for way in ways if way.kind is Exit.MODEL]
    cards = [_card_words(way) for way in ways if way.kind is Exit.CARD]
    sentences = []
    if models:
        sentences.append(f"Trainable here: {_listed(models)}.")
    if cards:
        sentences.append(f"This model trains on: {_listed(cards)}.")
    return Finding(
        code="recommend.elsewhere",
        severity=Severity.INFO,
        what=f"No recipe for this model fits what is free on {wish.device.name}.",
        why=" ".join(sentences) or "No known card has the room, either.",
        where="model.name",
    )


def _card_words(way: Alternative) -> str:
    if way.price is None:
        return way.name
    return f"{way.name} (from ${way.price.usd_an_hour:.2f} an hour)"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
