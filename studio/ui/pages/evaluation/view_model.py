"""The words of evaluations: what is asked for, the table, and the answers in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from studio.domain.evaluation import (
    BASE,
    FEWEST,
    TUNED,
    Compared,
    Evaluation,
    Measure,
    Said,
    Seen,
    Verdict,
)
from studio.domain.run import Phase
from studio.protocol.events import EngineEvent, PhaseChanged, Progress
from studio.services.evaluations import Kept, summary
from studio.ui.icon_names import IconName
from studio.ui.pages.start.view_model import when_words
from studio.ui.text import count
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark

OWN_ROWS: Final = "Its own held-out rows"
NOT_YET: Final = (
    "Not evaluated yet",
    "Base and tuned model read the same rows; the run keeps figures and answers.",
)
_MARKS: Final = {
    Verdict.BETTER: Mark(IconName.CHECK_CIRCLE, "Better", Tone.SUCCESS),
    Verdict.WORSE: Mark(IconName.CROSS_CIRCLE, "Worse", Tone.DANGER),
    Verdict.NO_DIFFERENCE: Mark(IconName.INFO, "No difference shown", Tone.MUTED),
    Verdict.TOO_FEW: Mark(IconName.INFO, "Too few rows to tell", Tone.MUTED),
}
_SEEN: Final = {Seen.ROW: "trained on", Seen.QUESTION: "question trained on"}


class Sorting(StrEnum):
    """In which order inputs are listed."""

    DIFFERENT = "different"
    GAINED = "gained"
    LOST = "lost"
    FILE = "file"


SORTINGS: Final = (
    (Sorting.DIFFERENT.value, "Most different first"),
    (Sorting.GAINED.value, "Most gained first"),
    (Sorting.LOST.value, "Most lost first"),
    (Sorting.FILE.value, "As in the file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOrder:
    """What is asked for.

    Attributes:
        run: The run's folder.
        data: A data file; empty for the run's own held-out rows.
        rows: At most so many inputs; 0 for all.
        max_new_tokens: An answer is cut off there.
        lowercase: Whether BLEU looks at no capitals.
    """

    run: Path
    data: str = ""
    rows: int = 0
    max_new_tokens: int = 128
    lowercase: bool = False

    def arguments(self) -> list[str]:
        """For the engine's verb."""
        numbers = (str(self.rows), str(self.max_new_tokens))
        words = ["--rows", numbers[0], "--max-new-tokens", numbers[1]]
        data = ["--data", self.data.strip()] if self.data.strip() else []
        return [str(self.run), *data, *words, *(["--lowercase"] * self.lowercase)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRow:
    """One row of the table.

    Attributes:
        measure: Its title.
        help: What it says, in a sentence.
        base: The base's figure.
        tuned: The tuned model's.
        change: The difference with its interval.
        mark: What may be said of it.
    """

    measure: str
    help: str
    base: str
    tuned: str
    change: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """One row of the list of inputs.

    Attributes:
        key: Its place in the evaluation.
        asked: What was asked, on one line; a plain text itself.
        seen: Whether it was trained on, in words.
        base, tuned: What each made of it.
        gain: How much better the tuned model did.
        tone: Of the gain.
    """

    key: str
    asked: str
    seen: str
    base: str
    tuned: str
    gain: str
    tone: Tone


def kept_choices(kept: Sequence[Kept], now: datetime) -> list[tuple[str, str]]:
    """Evaluations to choose from, by the path of their document.

    Args:
        kept: The latest first.
        now: The present moment, in local time.
    """
    return [
        (
            str(each.path),
            f"{each.evaluation.name} · {when_words(each.evaluation.when, now)}",
        )
        for each in kept
    ]


def about(evaluation: Evaluation) -> str:
    """On what it was measured."""
    name = Path(evaluation.data).name if evaluation.data else "its own held-out rows"
    some = ""
    if evaluation.inputs < evaluation.of_inputs:
        some = f" of {evaluation.of_inputs:,}"
    return f"On {name}: {evaluation.inputs:,}{some} {_inputs(evaluation)}"


def few_words(evaluation: Evaluation) -> str:
    """That no difference is judged; empty where it is."""
    return f"Below {FEWEST} inputs no difference is judged." * evaluation.is_few


def gain_words(evaluation: Evaluation) -> str:
    """What the gain of an input is, in words."""
    if is_judged(evaluation):
        return "gain: nats for the better answer, tuned less base"
    if Measure.ROUGE_L in evaluation.measures:
        return "gain: ROUGE-L, tuned less base"
    return "gain: loss, base less tuned"


def measure_rows(evaluation: Evaluation) -> tuple[MeasureRow, ...]:
    """The table, a row a measure."""
    base, tuned = evaluation.voice(BASE), evaluation.voice(TUNED)
    if base is None or tuned is None:
        return ()
    rows = []
    for measure in evaluation.measures:
        before, after = base.figures[measure], tuned.figures[measure]
        change = after.change
        verdict = Verdict.TOO_FEW if change is None else change.verdict(measure)
        rows.append(
            MeasureRow(
                measure=measure.words,
                help=measure.help,
                base=measure.shown(before.value),
                tuned=measure.shown(after.value),
                change="–" if change is None else change.interval(measure),
                mark=_MARKS[verdict],
            )
        )
    return tuple(rows)


def input_rows(evaluation: Evaluation, sorting: Sorting) -> tuple[InputRow, ...]:
    """The inputs in an order."""
    gains = [each.gain() for each in evaluation.compared]
    places = list(range(len(gains)))
    if sorting is Sorting.DIFFERENT:
        places.sort(key=lambda at: -abs(gains[at]))
    elif sorting is not Sorting.FILE:
        places.sort(key=lambda at: gains[at], reverse=sorting is Sorting.GAINED)
    return tuple(_input_row(evaluation.compared[at], at) for at in places)


def said_words(said: Said) -> str:
    """What a voice made of an input."""
    if said.text is not None:
        return said.text or "(nothing)"
    if said.margin is not None:
        return f"{_signed(said.margin)} nats for the better answer"
    if said.loss is not None:
        return f"Not asked; its loss is {said.loss:.3f} nats a token."
    return "Not asked."


def score_words(said: Said) -> str:
    """How close an answer came, in short."""
    if said.text is None:
        return ""
    return "exact" if said.is_exact else f"ROUGE-L {said.rouge_l:.2f}"


def reference_words(compared: Compared, *, is_judged: bool) -> str:
    """The answers that the data holds."""
    if is_judged and len(compared.references) == 2:  # noqa: PLR2004 - a pair
        better, worse = compared.references
        return f"Better: {better}\n\nWorse: {worse}"
    return "\n\n".join(compared.references)


def seen_words(compared: Compared) -> str:
    """Whether an input was trained on; empty where it wasn't."""
    return _SEEN.get(compared.seen, "")


def is_judged(evaluation: Evaluation) -> bool:
    """Whether judgements were compared instead of answers."""
    return bool({Measure.LIKELIER, Measure.JUDGED} & set(evaluation.measures))


def going_on(event: EngineEvent) -> tuple[str, float] | None:
    """What an event says of the way: words, and the share done or below 0."""
    match event:
        case PhaseChanged(phase=phase):
            return Phase(phase).words, -1.0
        case Progress(stage=stage, done=done, total=total, unit=unit) if total:
            return f"{stage}: {done:,.0f} of {total:,.0f} {unit}", done / total
    return None


def done_words(kept: Kept) -> str:
    """What came of it, in a sentence."""
    return f"{summary(kept.evaluation)}."


def _input_row(compared: Compared, place: int) -> InputRow:
    gain = compared.gain()
    asked = compared.prompt or next(iter(compared.references), "")
    return InputRow(
        key=str(place),
        asked=" ".join(asked.split()),
        seen=seen_words(compared),
        base=_short(compared.said[BASE]),
        tuned=_short(compared.said[TUNED]),
        gain=_signed(gain),
        tone=_tone(gain),
    )


def _short(said: Said) -> str:
    if said.text is not None:
        return " ".join(said.text.split()) or "(nothing)"
    if said.margin is not None:
        return f"{_signed(said.margin)} nats"
    return "–" if said.loss is None else f"{said.loss:.3f} nats"


def _tone(gain: float) -> Tone:
    if not gain:
        return Tone.MUTED
    return Tone.SUCCESS if gain > 0 else Tone.DANGER


def _signed(figure: float) -> str:
    return f"{figure:+.2f}".replace("-", "−") if figure else "0"


def _inputs(evaluation: Evaluation) -> str:
    return count(evaluation.of_inputs, "input").split(" ", 1)[1]
