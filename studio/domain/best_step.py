"""Which step of a run measured best, how long ago that is, and how it is told.

The loss before training is no candidate: there is nothing of it to keep.
"""

from collections.abc import Mapping


def best_step(losses: Mapping[int, float]) -> int:
    """The step with the lowest held-out loss, the earliest of equals.

    Args:
        losses: Nats a token, by step; step 0 is before training.

    Returns:
        0 where no step was measured.
    """
    return min(ranked(losses), default=(0.0, 0))[1]


def ranked(losses: Mapping[int, float]) -> list[tuple[float, int]]:
    """(held-out loss, step) of each trained step, the best first."""
    return sorted((loss, step) for step, loss in losses.items() if step)


def measured_since_best(losses: Mapping[int, float]) -> int:
    """How many measurements behind the best one weren't better."""
    best = best_step(losses)
    return sum(step > best for step in losses) if best else 0


def waited_words(step: int, waited: int) -> str:
    """Why a run ended before its last step, without a full stop.

    Args:
        step: The last that was done.
        waited: Measurements without a better loss, from 1.
    """
    times = "1 measurement" if waited == 1 else f"{waited:,} measurements"
    return f"Stopped at step {step:,}: no better held-out loss in {times}"


def ended_words(step: int, waited: int, saved: int) -> str:
    """How a run ended that wasn't stopped by hand, as a sentence.

    Args:
        step: The last that was done.
        waited: Measurements without a better loss that ended it; 0 where its steps
            were done.
        saved: The step whose weights were saved; 0 where that is the last.
    """
    best = f"; the best, of step {saved:,}, is what was saved" if saved else ""
    if waited:
        return f"{waited_words(step, waited)}{best}."
    steps = "1 step" if step == 1 else f"{step:,} steps"
    return f"Finished after {steps}{best}."
