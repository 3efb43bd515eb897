"""A fault that a run can be gone on from is a pause: what was learnt is kept.

`keep` saves the last whole step where the state is still sound, and `paused_by` says
the run's last word. A run that can't be gone on from, such as one whose first loss is
no number, fails.
"""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from studio.domain.errors import StudioError
from studio.domain.pauses import NON_FINITE, Cause
from studio.engine.card_faults import card_fault
from studio.engine.failures import (
    Failure,
    asked_bytes,
    is_out_of_memory,
    put_into_words,
)
from studio.engine.run_memory import tell_ran_out
from studio.protocol.events import RunPaused
from studio.storage.checkpoint_folders import newest_whole
from studio.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun

_RECIPE_ADVICE = (
    "{advice} Do so in a new run, or in the recipe of this one and go on all the same."
)
_DISK_KINDS = frozenset({Cause.DISK_FULL, Cause.DISK_READ_ONLY, Cause.DISK_FAILED})


def keep(run: "TrainingRun", fault: Exception) -> None:
    """Save the last whole step, if the state is whole and the disk allows it.

    That memory ran out is kept too, in the table that predictions learn from.

    What speaks against it is left to the fault that ends the run; checkpoints that
    were written before stay. Nothing is read back from a card that was lost, or where
    a computation broke the process's context: it would refuse, or never answer.

    Args:
        run: Whose state it is.
        fault: What ends it.
    """
    step, of_card = run.keeper.whole_step, card_fault(fault)
    if not is_pause(fault) or (of_card is not None and not of_card.leaves_memory):
        return
    try:
        if step is not None:
            run.save(step)
        if is_out_of_memory(fault):
            tell_ran_out(run.session, run.whole(), asked_bytes(fault))
    except Exception as refused:  # noqa: BLE001 - the first fault is the one to tell
        print(f"The last step couldn't be kept: {refused}", file=sys.stderr)  # noqa: T201 - stderr is the run's log


def is_pause(fault: Exception) -> bool:
    """Whether a run may be gone on with behind such a fault."""
    if isinstance(fault, StudioError):
        return fault.finding.code in {NON_FINITE, *_DISK_KINDS}
    of_card = card_fault(fault)
    return is_out_of_memory(fault) or (of_card is not None and of_card.may_pass)


def paused_by(directory: RunDirectory, fault: Exception) -> Failure | None:
    """The last word of a run that a fault pauses; None where it fails.

    Args:
        directory: Of the run.
        fault: What ended it.
    """
    if not is_pause(fault):
        return None
    failure = put_into_words(fault)
    found, _ = newest_whole(directory.checkpoints_path)
    step = found.manifest.step if found else 0
    kind = failure.word.kind
    if kind == NON_FINITE and not step:
        return None  # the same would come again
    word = RunPaused(
        step=step,
        kind=kind,
        message=failure.word.message,
        advice=_advice(failure),
    )
    return replace(failure, word=word)


def _advice(failure: Failure) -> str:
    advice = failure.word.advice
    if failure.word.kind == NON_FINITE:
        return _RECIPE_ADVICE.format(advice=advice)
    return advice
