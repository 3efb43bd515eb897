"""The evaluations of a run, for window and terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.errors import StudioError
from studio.domain.evaluation import BASE, TUNED, Evaluation, Measure
from studio.storage.evaluations import evaluations_in, read_evaluation

_TELLING: Final = (
    Measure.BLEU,
    Measure.JUDGED,
    Measure.LIKELIER,
    Measure.LOSS,
)
"""What tells most of an evaluation, the most telling first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An evaluation that lies on the disk.

    Attributes:
        path: Of its document.
        evaluation: What it holds.
    """

    path: Path
    evaluation: Evaluation

    @property
    def page(self) -> Path:
        """The same for people."""
        return self.path.with_suffix(".html")


def read_kept(path: Path) -> Kept:
    """One evaluation.

    Raises:
        StudioError: It can't be read.
    """
    return Kept(path, read_evaluation(path))


def evaluations_of(run: Path) -> Sequence[Kept]:
    """All of a run that can be read, the latest first.

    Args:
        run: Its folder.
    """
    found = []
    for path in evaluations_in(run):
        try:
            found.append(read_kept(path))
        except StudioError:
            continue  # another program's file, or a half copy
    return found


def summary(evaluation: Evaluation) -> str:
    """What one evaluation says, in one line: its most telling figure."""
    base, tuned = evaluation.voice(BASE), evaluation.voice(TUNED)
    measure = next((m for m in _TELLING if m in evaluation.measures), None)
    if base is None or tuned is None or measure is None:
        return ""
    before, after = base.figures[measure], tuned.figures[measure]
    words = (
        f"{measure.words} {measure.shown(before.value)} → {measure.shown(after.value)}"
    )
    if after.change is None:
        return words
    return f"{words}, {after.change.verdict(measure).value}"


def figures_document(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """The figures for programs: by measure and voice."""
    return {
        measure.value: {
            voice.name: figure.value
            for voice in evaluation.voices
            if (figure := voice.figures.get(measure)) is not None
        }
        for measure in evaluation.measures
    }
