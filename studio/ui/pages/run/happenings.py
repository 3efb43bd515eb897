"""What happened in a run, newest first, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from studio.domain.finding import Severity
from studio.domain.run import RunSnapshot, RunState
from studio.ui.icon_names import IconName
from studio.ui.pages.run.adaptations import ADAPTED, adaptation_words
from studio.ui.text import count
from studio.ui.tokens import Tone

_LAST: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: when it was, what it was.

    Attributes:
        when: A step, or ``start`` or ``end``.
        icon: Its kind.
        tone: Of the icon.
        words: One sentence.
    """

    when: str
    icon: IconName
    tone: Tone
    words: str


def happenings(snapshot: RunSnapshot) -> tuple[Happening, ...]:
    """Saves, measurements, answers, reliefs, warnings and the end, newest first."""
    dated = sorted(_dated(snapshot), key=lambda pair: pair[0], reverse=True)
    return tuple(happening for _, happening in dated)


def _dated(snapshot: RunSnapshot) -> Iterator[tuple[int, Happening]]:
    yield from _measures(snapshot)
    for step, _ in snapshot.checkpoints:
        yield step, _line(step, IconName.SAVE, Tone.NORMAL, "Checkpoint saved")
    asked: dict[int, int] = {}
    for sample in snapshot.samples:
        asked[sample.step] = asked.get(sample.step, 0) + 1
    for step, answers in asked.items():
        words = f"{count(answers, 'prompt')} answered"
        yield step, _line(step, IconName.CHAT, Tone.NORMAL, words)
    for adapted in snapshot.adaptations:
        words = adaptation_words(adapted)
        yield adapted.step, _line(adapted.step, IconName.WARNING, Tone.WARNING, words)
    for finding in snapshot.findings:
        if finding.code == ADAPTED:
            continue
        # A finding of a run carries no step; it is told above those that do.
        tone = Tone.WARNING if finding.severity is not Severity.INFO else Tone.INFO
        yield _LAST - 1, Happening("", IconName.WARNING, tone, finding.what)
    yield from _end(snapshot)


def _measures(snapshot: RunSnapshot) -> Iterator[tuple[int, Happening]]:
    best: float | None = None
    for point in snapshot.held_out:
        words = f"Held-out loss {point.loss:.3f}"
        is_best = best is not None and point.loss < best
        best = point.loss if best is None else min(best, point.loss)
        icon = IconName.CHECK_CIRCLE if is_best else IconName.INFO
        tone = Tone.SUCCESS if is_best else Tone.INFO
        said = f"{words}, best so far" if is_best else words
        yield point.step, _line(point.step, icon, tone, said)


def _line(step: int, icon: IconName, tone: Tone, words: str) -> Happening:
    when = f"step {step:,}" if step else "start"
    return Happening(when, icon, tone, words)


def _end(snapshot: RunSnapshot) -> Iterator[tuple[int, Happening]]:
    match snapshot.state:
        case RunState.FINISHED:
            said = IconName.CHECK_CIRCLE, Tone.SUCCESS, _saved(snapshot)
        case RunState.PAUSED if snapshot.failure is None:
            said = IconName.PAUSE, Tone.NORMAL, "Paused"
        case RunState.PAUSED if snapshot.failure is not None:
            said = IconName.WARNING, Tone.WARNING, snapshot.failure.what
        case RunState.STOPPED if snapshot.model:
            said = IconName.STOP, Tone.NORMAL, "Stopped, model saved"
        case RunState.STOPPED if snapshot.adapter:
            said = IconName.STOP, Tone.NORMAL, "Stopped, adapter saved"
        case RunState.STOPPED:
            said = IconName.STOP, Tone.NORMAL, "Stopped"
        case RunState.FAILED | RunState.LOST if snapshot.failure is not None:
            said = IconName.CROSS_CIRCLE, Tone.DANGER, snapshot.failure.what
        case _:
            return
    yield _LAST, Happening("end", *said)


def _saved(snapshot: RunSnapshot) -> str:
    step = snapshot.saved_step
    best = f" of step {step:,}, the best," if step else ""
    return f"{'Model' if snapshot.model else 'Adapter'}{best} saved"
