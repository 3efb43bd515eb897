"""Times the steps of a trainer, by the clock and by the processor's own time."""

import os
import sys
import time
from dataclasses import dataclass, field

from transformers import TrainerCallback


@dataclass
class Rates:
    """What was measured of one way of training.

    Attributes:
        by_clock: Tokens a second of each step, padding left out.
        by_processor: Tokens a second that the processor worked on it.
        work: Processor seconds of each step.
    """

    by_clock: list[float] = field(default_factory=list)
    by_processor: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


class StepWatch(TrainerCallback):
    """Times steps from one's end to the next's; the first of a run warms up."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._tokens = 0.0
        self._ended = (0.0, 0.0)

    def on_log(self, args, state, control, logs, **_):
        if "loss" not in logs:
            return
        now = time.perf_counter(), time.process_time()
        tokens = logs["num_tokens"]
        if self._tokens:
            clock, work = (b - a for a, b in zip(self._ended, now, strict=True))
            self._rates.by_clock.append((tokens - self._tokens) / clock)
            self._rates.by_processor.append((tokens - self._tokens) / work)
            self._rates.work.append(work)
        self._tokens, self._ended = tokens, now


def sleep_between_products(module: str) -> None:
    """Begin a command anew with the engine's own setting, which torch reads once.

    Args:
        module: The command's; it takes ``--asleep`` and does nothing with it.
    """
    if os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE") != "PASSIVE":
        return
    if "--asleep" not in sys.argv:
        os.execv(
            sys.executable, [sys.executable, "-m", module, *sys.argv[1:], "--asleep"]
        )
