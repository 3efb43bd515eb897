"""Going on in less memory with a run that the system may have ended for want of it.

A card refuses memory by an error, which the run helps itself out of
(`studio.services.leading`). Main memory that runs out ends the engine without a word,
and so does a person or a power cut. So it is offered, by window and terminal alike, and
never done unasked.
"""

from studio.domain.hardware import TrainingDevice
from studio.domain.recipe import Recipe
from studio.domain.relief import relief_words, relieved
from studio.domain.run import RunSnapshot, RunState
from studio.services.process_outcome import CANCELLED
from studio.services.resuming import can_resume
from studio.services.run_need import kind_of


def less_memory_words(
    run: RunSnapshot, in_force: Recipe, device: TrainingDevice
) -> str:
    """What going on in less memory changes for a run, as `relief_words`.

    Args:
        run: As its journal tells it.
        in_force: By which it trained last.
        device: On which it would go on.

    Returns:
        An empty text where that can't help: its engine said how it ended, nothing can
        be lowered, or what can be lowered doesn't lie in main memory.
    """
    if not _may_have_been_killed(run) or not can_resume(run):
        return ""
    if kind_of(run, device) == "cuda" and not in_force.train.offload:
        return ""
    after = relieved(in_force, on_card=device.kind == "cuda")
    return "" if after is None else relief_words(in_force, after)


def _may_have_been_killed(run: RunSnapshot) -> bool:
    """Whether its engine is gone without a word, and nobody is known to want that."""
    is_cancelled = run.failure is not None and run.failure.code == CANCELLED
    return run.state is RunState.LOST and not is_cancelled
