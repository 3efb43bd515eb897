"""Prices the recipe for the length line, by formula: a millisecond a question."""

from studio.domain.errors import StudioError
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.recipe import Recipe
from studio.domain.recommend.proposal import headroom_bytes
from studio.services.model_shelf import ModelPlace, ModelState
from studio.services.pricing import price_by_formula
from studio.services.recommending import steps_of, time_of_step
from studio.ui.pages.data.lengths import Price
from studio.ui.pages.desk import Desk


class LinePricer:
    """Memory and time of recipes that differ in their sequence length."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looked_up = ""
        self._place: ModelPlace | None = None

    def look_again(self) -> None:
        """Look up the model anew: another program may have fetched or moved it."""
        self._looked_up = ""

    def context(self, recipe: Recipe) -> int:
        """The longest text that the model reads, in tokens; 0 where nobody knows."""
        place = self._model(recipe)
        model = None if place is None else self._desk.models.architecture_of(place)
        return 0 if model is None else model.context

    def has_model(self, recipe: Recipe) -> bool:
        """Whether the model is on this machine, its tokenizer with it."""
        place = self._model(recipe)
        return place is not None and place.state is not ModelState.MISSING

    def price(self, recipe: Recipe) -> Price:
        """What a recipe takes of this machine, as far as it can be said."""
        place, reading = self._model(recipe), self._desk.hardware.latest
        if place is None or reading is None:
            return Price()
        device, data = reading.device(), self._desk.data.chat_file
        found = price_by_formula(recipe, place, device)
        peak = found if isinstance(found, MemoryEstimate) else None
        model = self._desk.models.architecture_of(place)
        step = None if model is None else time_of_step(model, recipe, device, data)
        total = None if step is None else step.times(steps_of(recipe, data))
        if peak is None:
            return Price(total=total)
        verdict = peak.verdict(device, headroom_bytes(device))
        fits = verdict is not Verdict.DOES_NOT_FIT
        return Price(peak, total, device.free_bytes, fits)

    def _model(self, recipe: Recipe) -> ModelPlace | None:
        name = recipe.model.name
        if name != self._looked_up:
            self._looked_up = name
            try:
                self._place = self._desk.models.look_up(name) if name else None
            except StudioError:
                self._place = None  # the Model page says why
        return self._place
