"""The Recipe page's words and figures: the verdict, the choices, why, and what is open.

Nothing is measured here. The caller hands over what is known, and whatever is missing
is said to be missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from studio.domain.architecture import ModelArchitecture
from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding, Severity
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import Seconds
from studio.domain.recommend.policy import POLICIES, Goal
from studio.domain.recommend.proposal import Proposal, headroom_bytes
from studio.domain.recommend.wish import rounded_up
from studio.domain.time_words import duration_range
from studio.services.pricing import lengths_of
from studio.services.recommending import steps_over
from studio.ui.forms.option_rows import OptionRow
from studio.ui.icon_names import IconName
from studio.ui.pages.bar_states import (
    measured_bar,
    predicted_bar,
    short_by_bytes,
    verdict_of,
)
from studio.ui.pages.recipe.expert_rows import expert_rows
from studio.ui.pages.recipe.explanation import (
    Explanation,
    PricedSwitch,
    basis_words,
    explanation,
)
from studio.ui.pages.recipe.open_points import finding_texts
from studio.ui.pages.recipe.reasons import ReasonRow, reason_rows
from studio.ui.pages.recipe.remedies import Remedy, remedies
from studio.ui.pages.recipe.simple_rows import (
    HoldBackRow,
    SliderRow,
    Split,
    hold_back_row,
    length_row,
    passes_row,
    rank_row,
)
from studio.ui.text import count, gib
from studio.ui.tokens import Tone
from studio.ui.widgets.finding_card import FindingKind, FindingText
from studio.ui.widgets.marks import NOT_PRICED, Mark, mark_for
from studio.ui.widgets.memory_bar_state import MemoryBarState, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """How the dry run of a recipe stands.

    Attributes:
        in_work: Its figure is still to come.
        failed: Why there will be none.
    """

    in_work: bool = False
    failed: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeInputs:
    """What is known when the page is drawn.

    Attributes:
        recipe: The current project's.
        model_title: What people call the model; empty when none is chosen.
        model: Its shape; None when it isn't known.
        device: Where it would be trained, with the memory that is free now.
        chats: The data file as read; None while it isn't.
        estimate: The predicted peak, or why there is none.
        exact: How the dry run of this recipe stands.
        formula: The peak by formula, which switches are compared with until they are
            rehearsed; None where the formula knows no such model.
        switches: Its switches, priced; empty while nobody wants them explained.
        proposal: What is recommended here.
        goal: What the free memory shall buy.
        is_planned: Whether the device is a card that isn't here.
        step: What a step takes by the card's data sheet; None where it isn't known.
        findings: What preflight says of this recipe.
        busy: Why no run can begin although the recipe may; empty when one can.
    """

    recipe: Recipe
    model_title: str = ""
    model: ModelArchitecture | None = None
    device: TrainingDevice | None = None
    chats: ChatFile | None = None
    estimate: MemoryEstimate | Finding | None = None
    exact: Exactness = Exactness()
    formula: MemoryEstimate | None = None
    switches: tuple[PricedSwitch, ...] = ()
    proposal: Proposal | None = None
    goal: Goal = Goal.QUALITY
    is_planned: bool = False
    step: Seconds | None = None
    findings: tuple[Finding, ...] = ()
    busy: str = ""


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """The page's first words: whether it fits, and the sentence beside.

    Attributes:
        mark: Whether it fits.
        sentence: What is needed of what is free.
        basis: What the figure rests on.
        bar: The picture.
        remark: Why there is no exact figure; empty when there is, or will be.
    """

    mark: Mark
    sentence: str
    basis: str
    bar: MemoryBarState | None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be chosen first, and the page that supplies it."""

    page: str
    what: str
    button: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeView:
    """All that the page shows.

    Attributes:
        facts: The line below the title.
        steps: How long the run is, in steps; empty while unknown.
        missing: What has to be chosen first; empty when the page can be used.
        verdict: Does it fit.
        explanation: Where the memory goes, and what would save some.
        goal: What the free memory shall buy, and in one sentence what that means.
        sliders: The simple form.
        hold_back: Its last row.
        expert: The expert form.
        reasons: Why the recipe is so.
        reasons_note: Said in their place.
        findings: What is open before the start.
        remedies: What the findings' remedy buttons apply, by their number.
        refused: Why the run can't start; empty when it can.
        busy: That another run is on; empty when none is.
    """

    facts: str
    steps: str
    missing: tuple[Missing, ...]
    verdict: VerdictLine
    explanation: Explanation
    goal: tuple[str, str]
    sliders: tuple[SliderRow, ...]
    hold_back: HoldBackRow
    expert: tuple[OptionRow, ...]
    reasons: tuple[ReasonRow, ...]
    reasons_note: str
    findings: tuple[FindingText, ...]
    remedies: tuple[Remedy, ...]
    refused: str
    busy: str


def recipe_view(inputs: RecipeInputs) -> RecipeView:
    """Put what is known into words."""
    ways_out, verdict = _ways_out(inputs), _verdict(inputs)
    return RecipeView(
        facts=_facts(inputs),
        steps=_steps(inputs),
        missing=tuple(_missing(inputs.recipe)),
        verdict=verdict,
        explanation=explanation(
            inputs.estimate,
            inputs.formula,
            inputs.switches,
            bar=verdict.bar,
            in_work=inputs.exact.in_work,
        ),
        goal=(inputs.goal.value, POLICIES[inputs.goal].help),
        sliders=_sliders(inputs),
        hold_back=hold_back_row(inputs.recipe, inputs.chats),
        expert=expert_rows(
            inputs.recipe,
            inputs.proposal,
            inputs.model,
            inputs.device,
            inputs.findings,
        ),
        reasons=_reasons(inputs),
        reasons_note=_reasons_note(inputs),
        findings=tuple(finding_texts(inputs.findings, ways_out, _lengthened(inputs))),
        remedies=ways_out,
        refused=_refused(inputs),
        busy=inputs.busy,
    )


def _facts(inputs: RecipeInputs) -> str:
    parts = [inputs.model_title] if inputs.model_title else []
    if inputs.chats is not None:
        split = Split.of(inputs.recipe, inputs.chats)
        parts.append(
            f"{count(split.trained, 'row')} to train on, {split.held_back:,} held back"
        )
    return " · ".join(parts)


def _steps(inputs: RecipeInputs) -> str:
    recipe = inputs.recipe
    if inputs.chats is None and not recipe.train.max_steps:
        return ""
    rows = 0 if inputs.chats is None else Split.of(recipe, inputs.chats).trained
    steps = steps_over(recipe, rows, inputs.chats)
    if inputs.step is None:
        return count(steps, "step")
    whole = inputs.step.times(steps)
    return f"{count(steps, 'step')}, roughly {duration_range(whole.low, whole.high)}"


def _missing(recipe: Recipe) -> Iterator[Missing]:
    if not recipe.model.name:
        yield Missing("model", "No model is chosen", "Choose a model")
    if not recipe.data.path:
        yield Missing("data", "No data is chosen", "Choose the data")


def _verdict(inputs: RecipeInputs) -> VerdictLine:
    estimate, device = inputs.estimate, inputs.device
    if device is None:
        return VerdictLine(NOT_PRICED, "The free memory is not measured yet.", "", None)
    if isinstance(estimate, Finding):
        return _unpriced(estimate, device, inputs)
    if estimate is None:
        sentence = "The need of this recipe is not known yet."
        return VerdictLine(NOT_PRICED, sentence, "", measured_bar(device))
    verdict = verdict_of(estimate, device)
    return VerdictLine(
        mark_for(verdict, short_by_bytes(estimate, device)),
        _need(estimate, device, verdict),
        basis_words(estimate, in_work=inputs.exact.in_work),
        predicted_bar(estimate, device, provisional=inputs.exact.in_work),
        _remark(inputs.exact),
    )


def _unpriced(
    estimate: Finding, device: TrainingDevice, inputs: RecipeInputs
) -> VerdictLine:
    """The formula knows no such model; the dry run may, if the recipe can be had."""
    exact = inputs.exact
    sentence, basis = estimate.what, ""
    if inputs.model is not None and inputs.recipe.contradictions():
        sentence = "It is priced once its settings can hold together."
    elif exact.in_work:
        sentence = "The run is rehearsed to find what it needs; this takes seconds."
        basis = "exact figure in work"
    bar = replace(measured_bar(device), provisional=exact.in_work)
    return VerdictLine(NOT_PRICED, sentence, basis, bar, _remark(exact))


def _remark(exact: Exactness) -> str:
    if exact.failed is None:
        return ""
    return f"No exact figure: {exact.failed.what}"


def _need(estimate: MemoryEstimate, device: TrainingDevice, verdict: Verdict) -> str:
    peak, free = gib(estimate.peak_bytes), gib(device.free_bytes)
    have = f"the {free} GiB that are free"
    if device.kind != "cuda":
        have = f"{free} GiB free main memory"
    left = device.free_bytes - estimate.peak_bytes
    match verdict:
        case Verdict.SHORT:
            return f"The run needs **{peak} GiB**, more than {have}."
        case Verdict.TIGHT if left < 0:
            stay = (
                "Torch gives unused blocks back; another program could stop this run."
            )
            return (
                f"The run takes **{peak} GiB** where it can, more than {have}. {stay}"
            )
        case Verdict.TIGHT:
            stay = f"{gib(left)} GiB stay: another program could stop this run."
        case _:
            kept = min(left, headroom_bytes(device))
            rest = f"{gib(kept)} as head-room, {gib(left - kept)} free"
            stay = f"{gib(left)} GiB stay: {rest}."
    return f"The run needs **{peak} GiB** of {have}. {stay}"


def _sliders(inputs: RecipeInputs) -> tuple[SliderRow, ...]:
    recipe, model = inputs.recipe, inputs.model
    return (
        length_row(recipe, model, inputs.device, inputs.chats),
        rank_row(recipe, model),
        passes_row(recipe, inputs.chats),
    )


def _reasons(inputs: RecipeInputs) -> tuple[ReasonRow, ...]:
    proposal, model, device = inputs.proposal, inputs.model, inputs.device
    if proposal is None or model is None or device is None:
        return ()
    return reason_rows(inputs.recipe, proposal, model, device)


def _reasons_note(inputs: RecipeInputs) -> str:
    """Why there are no reasons: nothing is recommended without a formula."""
    if inputs.device is None:
        return "The free memory is not measured yet."
    if isinstance(inputs.estimate, MemoryEstimate):
        return "Nothing is recommended for models of this kind yet."
    return _verdict(inputs).sentence


def _ways_out(inputs: RecipeInputs) -> tuple[Remedy, ...]:
    model, device, estimate = inputs.model, inputs.device, inputs.estimate
    if model is None or device is None or not isinstance(estimate, MemoryEstimate):
        return ()
    if verdict_of(estimate, device) is not Verdict.SHORT:
        return ()
    return remedies(inputs.recipe, model, device, inputs.proposal, estimate)


def _lengthened(inputs: RecipeInputs) -> int:
    """The length that keeps all rows whole, as far as the model reads; 0 for none."""
    if inputs.model is None or inputs.chats is None:
        return 0
    wanted = min(rounded_up(lengths_of(inputs.chats).longest), inputs.model.context)
    return wanted if wanted > inputs.recipe.train.sequence_length else 0


def _refused(inputs: RecipeInputs) -> str:
    if inputs.busy:
        return inputs.busy
    if inputs.is_planned and inputs.device is not None:
        return f"This is a plan for {inputs.device.name}, which isn’t here."
    for missing in _missing(inputs.recipe):
        return f"{missing.what}."
    if inputs.device is None:
        return "The free memory is not measured yet."
    errors = [f for f in inputs.findings if f.severity is Severity.ERROR]
    return errors[0].what if errors else ""


def checks_mark(view: RecipeView) -> Mark:
    """What stands at the right of “Before you start”."""
    kinds = [finding.kind for finding in view.findings]
    errors = kinds.count(FindingKind.ERROR)
    if errors:
        return Mark(IconName.CROSS_CIRCLE, f"{errors} to mend", Tone.DANGER)
    warnings = kinds.count(FindingKind.WARNING)
    if warnings:
        return Mark(IconName.WARNING, count(warnings, "doubt"), Tone.WARNING)
    if view.refused:
        return Mark(IconName.INFO, "Not checked yet", Tone.MUTED)
    return Mark(IconName.CHECK_CIRCLE, "Nothing stands in the way", Tone.SUCCESS)
