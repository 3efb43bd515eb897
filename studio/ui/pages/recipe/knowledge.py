"""Gathers what the Recipe page's words depend on, from the services on the desk."""

from dataclasses import replace

from studio.domain.architecture import config_refusal
from studio.domain.dataset import ChatFile
from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.hardware import MIB, TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.memory.switches import Switch, switches
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import Seconds
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.wish import Wish
from studio.services.dry_runs import Question
from studio.services.measured import taught
from studio.services.model_shelf import ModelPlace
from studio.services.outage_findings import outages_now
from studio.services.preflight import preflight
from studio.services.pricing import price, price_by_formula, propose_for, wish_for
from studio.services.recommending import time_of_step
from studio.services.runs_beside import Lately
from studio.ui.pages.desk import Desk
from studio.ui.pages.recipe.explanation import PricedSwitch
from studio.ui.pages.recipe.view_model import Exactness, RecipeInputs

_NO_PROJECT = Recipe()
_ANSWERS_KEPT = 64

_Asked = tuple[Recipe, frozenset[str], Goal, TrainingDevice, str, ChatFile | None]


class Knowledge:
    """What is known of the current project's recipe, on this machine, now.

    The proposal is made for the memory as it was when it last changed by much, so that
    a few MiB more or less don't rewrite the reasons each second.

    Attributes:
        explains: Whether what the switches would save is wanted too.
        planned: A card that isn't here, for which everything is priced; None for the
            device that a run would use.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._place: ModelPlace | Finding | None = None
        self._looked_up = ""
        self._steady: TrainingDevice | None = None
        self._answers: dict[_Asked, Proposal | None] = {}
        self._beside = Lately()
        self.explains = False
        self.planned: TrainingDevice | None = None

    def look_again(self) -> None:
        """Look up the model anew: another program may have fetched or moved it."""
        self._place = None
        self._answers.clear()

    def inputs(self, advice: Proposal | None) -> RecipeInputs:
        """Everything that the page shows, as far as it is known.

        Args:
            advice: What is recommended for each option.
        """
        recipe, place = self._recipe(), self._model_place()
        device = self._device()
        here = place if isinstance(place, ModelPlace) else None
        on_card = device is not None and device.kind == "cuda"
        turned = switches(recipe, on_card=on_card) if self.explains else ()
        self._ask(recipe, here, device, turned)
        return RecipeInputs(
            recipe=recipe,
            model_title="" if here is None else here.title,
            model=None if here is None else self._desk.models.architecture_of(here),
            device=device,
            chats=self._desk.data.chat_file,
            estimate=self._estimate(recipe, place, device),
            exact=self._exactness(recipe),
            formula=(
                self._by_formula(recipe, here, device) if here and device else None
            ),
            switches=self._priced_switches(turned, here, device),
            proposal=advice,
            goal=self._goal(),
            is_planned=self.planned is not None,
            step=self._step(recipe, here, device),
            findings=self._findings(recipe, place, device),
            busy=self._busy(),
        )

    def with_finding(self, inputs: RecipeInputs, finding: Finding) -> RecipeInputs:
        """The same with the refusal of a start, unless it is told already."""
        told = {known.what for known in inputs.findings}
        if finding.what in told:
            return inputs
        return replace(inputs, findings=(finding, *inputs.findings))

    def proposed(
        self, base: Recipe, kept: frozenset[str], goal: Goal | None = None
    ) -> Proposal | None:
        """What suits this model, data and memory.

        Args:
            base: Carries what is not proposed, and what is kept.
            kept: Options that stay.
            goal: What the memory shall buy; the project's own when None.

        Returns:
            None until model and memory are known, and for models without a formula.
        """
        place, device = self._model_place(), self._steady_device()
        project = self._desk.projects.current
        if not isinstance(place, ModelPlace) or device is None or project is None:
            return None
        goal, data = goal or project.goal, self._desk.data.chat_file
        question = (base, kept, goal, device, place.name, data)
        if question not in self._answers:
            if len(self._answers) >= _ANSWERS_KEPT:
                self._answers.clear()
            found = propose_for(base, place, device, data, goal, kept)
            self._answers[question] = None if isinstance(found, Finding) else found
        return self._answers[question]

    def hopeless(self, advice: Proposal | None) -> Wish | None:
        """The wish behind advice that nothing fits; None when something does.

        Options that contradict each other fit nowhere: that isn't for want of memory.
        """
        place, device = self._model_place(), self._steady_device()
        if advice is None or advice.fits or device is None:
            return None
        if advice.recipe.contradictions():
            return None
        if not isinstance(place, ModelPlace):
            return None
        data, own = self._desk.data.chat_file, frozenset[str]()
        wish = wish_for(advice.recipe, place, device, data, advice.goal, own)
        return None if isinstance(wish, Finding) else wish

    def _step(
        self, recipe: Recipe, place: ModelPlace | None, device: TrainingDevice | None
    ) -> Seconds | None:
        if place is None or device is None:
            return None
        model = self._desk.models.architecture_of(place)
        if model is None:
            return None
        return time_of_step(model, recipe, device, self._desk.data.chat_file)

    def _goal(self) -> Goal:
        project = self._desk.projects.current
        return Goal.QUALITY if project is None else project.goal

    def _recipe(self) -> Recipe:
        project = self._desk.projects.current
        return _NO_PROJECT if project is None else project.recipe

    def _model_place(self) -> ModelPlace | Finding:
        name = self._recipe().model.name
        if self._place is None or name != self._looked_up:
            self._looked_up = name
            try:
                self._place = self._desk.models.look_up(name)
            except StudioError as refused:
                self._place = refused.finding
        return self._place

    def _device(self) -> TrainingDevice | None:
        if self.planned is not None:
            kept = self._desk.preferences.headroom_bytes
            return replace(self.planned, headroom_bytes=kept)
        reading = self._desk.hardware.latest
        return None if reading is None else reading.device()

    def _steady_device(self) -> TrainingDevice | None:
        now, steady = self._device(), self._steady
        if now is None:
            return None
        if (
            steady is None
            or replace(now, free_bytes=0) != replace(steady, free_bytes=0)
            or abs(now.free_bytes - steady.free_bytes) > _noticeable(now)
        ):
            self._steady = now
        return self._steady

    def _ask(
        self,
        recipe: Recipe,
        place: ModelPlace | None,
        device: TrainingDevice | None,
        turned: tuple[Switch, ...],
    ) -> None:
        """Have the exact figure worked out of what is shown."""
        config = None if place is None else place.config
        if (
            config is None
            or config_refusal(config) is not None
            or device is None
            or recipe.contradictions()
            or self._disturbs_training(device)
        ):
            self._desk.pricer.ask(None)
            return
        recipes = (recipe, *(switch.recipe for switch in turned))
        self._desk.pricer.ask(Question(config, device, recipes))

    def _disturbs_training(self, device: TrainingDevice) -> bool:
        """Whether a rehearsal would take the processor from a run that needs it."""
        return device.kind == "cpu" and self._desk.controller.is_running

    def _estimate(
        self,
        recipe: Recipe,
        place: ModelPlace | Finding,
        device: TrainingDevice | None,
    ) -> MemoryEstimate | Finding | None:
        if isinstance(place, Finding):
            return place
        if device is None:
            return None
        exact = self._desk.pricer.answer(recipe)
        if isinstance(exact, MemoryEstimate):
            return taught(exact, device)
        return price(recipe, place, device)

    def _exactness(self, recipe: Recipe) -> Exactness:
        pricer = self._desk.pricer
        if pricer.is_at_work_on(recipe):
            return Exactness(in_work=True)
        answer = pricer.answer(recipe)
        return Exactness(failed=answer if isinstance(answer, Finding) else None)

    def _priced_switches(
        self,
        turned: tuple[Switch, ...],
        place: ModelPlace | None,
        device: TrainingDevice | None,
    ) -> tuple[PricedSwitch, ...]:
        if place is None or device is None:
            return ()
        return tuple(
            PricedSwitch(
                switch,
                self._of_switch(switch.recipe, place, device),
                self._by_formula(switch.recipe, place, device),
            )
            for switch in turned
        )

    def _of_switch(
        self, recipe: Recipe, place: ModelPlace, device: TrainingDevice
    ) -> MemoryEstimate | Finding | None:
        """Its peak, or why the engine refuses it; None while that is still to come."""
        answer = self._desk.pricer.answer(recipe)
        if isinstance(answer, Finding):
            return answer
        found = self._estimate(recipe, place, device)
        return None if isinstance(found, Finding) else found

    @staticmethod
    def _by_formula(
        recipe: Recipe, place: ModelPlace, device: TrainingDevice
    ) -> MemoryEstimate | None:
        found = price_by_formula(recipe, place, device)
        return found if isinstance(found, MemoryEstimate) else None

    def _findings(
        self,
        recipe: Recipe,
        place: ModelPlace | Finding,
        device: TrainingDevice | None,
    ) -> tuple[Finding, ...]:
        reading, data = self._desk.hardware.latest, self._desk.data
        free = None if reading is None else reading.disk_free_bytes
        read = data.finding or data.chat_file
        around = (*outages_now(), *self._beside.found())
        return tuple(preflight(recipe, place, device, free, read, around))

    def _busy(self) -> str:
        controller = self._desk.controller
        run = controller.snapshot
        if not controller.is_running or run is None:
            return ""
        return f"{run.name} is still running."


def _noticeable(device: TrainingDevice) -> int:
    return max(256 * MIB, device.total_bytes // 20)
