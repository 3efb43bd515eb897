"""Which runs can be gone on with."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.errors import StudioError
from studio.domain.run import RunSnapshot, RunState
from studio.services.resuming import refuse_resuming

SAVED = RunSnapshot(
    name="cheese-1",
    directory=Path("cheese-1"),
    state=RunState.LOST,
    checkpoints=((20, "checkpoints/step-20"),),
)


@pytest.mark.parametrize("state", [RunState.LOST, RunState.STOPPED, RunState.FAILED])
def test_that_a_run_that_ended_early_can_go_on(state):
    assert refuse_resuming(replace(SAVED, state=state)) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (replace(SAVED, state=RunState.RUNNING), "still running"),
        (replace(SAVED, state=RunState.FINISHED), "has finished"),
        (replace(SAVED, checkpoints=()), "no checkpoint"),
    ],
)
def test_that_the_others_are_refused_in_words(run, words):
    with pytest.raises(StudioError) as refused:
        refuse_resuming(run)
    assert words in refused.value.finding.what
