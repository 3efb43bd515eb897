"""Where a run helped itself, as the Run page tells it."""

from pathlib import Path

import pytest

from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.run import Adaptation, MemoryPoint, RunSnapshot, StepPoint
from studio.protocol.codec import decode_event
from studio.services.run_journal import fold_all
from studio.storage.run_directory import RunDirectory
from studio.ui.pages.run.adaptations import adaptation_marks, adaptation_words
from studio.ui.pages.run.happenings import happenings
from studio.ui.pages.run.series import Drawn, curves
from studio.ui.pages.run.view_model import RunInputs, run_view

STREAM = Path(__file__).parents[1] / "protocol" / "streams" / "adapted.jsonl"
HALVED = Adaptation(40, (("train.micro_batch", 8, 4), ("train.accumulation", 2, 4)))
RECOMPUTED = Adaptation(60, (("train.checkpointing", False, True),))
OFFLOADED = Adaptation(60, (("train.offload", False, True),))
ODD = Adaptation(60, (("train.something", 1, 2),))


def run(*adaptations: Adaptation) -> RunSnapshot:
    held = {30: 6 << 30, 50: 2 << 30}
    return RunSnapshot(
        name="sql-2",
        directory=Path("sql-2"),
        steps=(StepPoint(50, 1.0, 1e-4, None, None, 1.0),),
        total_steps=100,
        memory=tuple(MemoryPoint(n, x, None, None, None) for n, x in held.items()),
        adaptations=adaptations,
    )


def estimate() -> MemoryEstimate:
    return MemoryEstimate(
        components=(Component("All", Group.WEIGHTS, 2 << 30),),
        phase="backward",
        basis=Basis.FORMULA,
        expected_error=0.05,
    )


@pytest.mark.parametrize(
    ("adaptation", "label", "words"),
    [
        (HALVED, "4 × 4 rows", "4 × 4 rows in place of 8 × 2"),
        (RECOMPUTED, "recomputing", "layers are recomputed"),
        (OFFLOADED, "offloading", "what layers remember lies in main memory"),
        (ODD, "train.something 2", "train.something is 2"),
    ],
)
def test_that_each_kind_of_relief_has_a_name(adaptation, label, words):
    assert adaptation_words(adaptation) == f"Takes less memory: {words}"
    assert adaptation_marks(run(adaptation)) == (
        (float(adaptation.step), f"less memory: {label}"),
    )


def test_that_the_prediction_holds_from_the_last_relief_on():
    told = curves(run(HALVED), None, estimate(), Drawn())
    assert (told.peak.since, told.marks[0][0]) == (40.0, 40.0)
    assert curves(run(), None, estimate(), Drawn()).peak.since == 0.0


def test_that_only_what_the_recipe_in_force_took_is_compared_with_it():
    shown = run_view(RunInputs(snapshot=run(HALVED), estimate=estimate()))
    assert shown.memory_mark.words == "0.0 % under the prediction"
    before = run_view(RunInputs(snapshot=run(), estimate=estimate()))
    assert before.memory_mark.words == "200.0 % over the prediction"


def test_that_a_recorded_relief_is_told_once_and_at_its_step():
    directory = RunDirectory(Path("recorded"))
    events = [decode_event(line) for line in STREAM.read_bytes().splitlines()]
    empty = RunSnapshot(name=directory.name, directory=directory.path)
    told = [h for h in happenings(fold_all(empty, events)) if "less memory" in h.words]
    assert [(h.when, h.words) for h in told] == [
        ("step 3", "Takes less memory: 2 × 2 rows in place of 4 × 1")
    ]
