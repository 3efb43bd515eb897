"""Faults on demand: what a machine can do to a run, at a place and a time of choice.

Nothing imports this module unless ``SNUGTUNE_FAULTS`` names faults, such as
``save:kill@3,step:oom@7``: at the third place that a save passes the process is killed,
and in step 7 memory is refused. The parts of a fault:

- a place that the engine passes (`studio.domain.waypoints`), or a group of places:
  ``save`` is every ``save.…``. ``disk`` stands for all that writes: ``save`` and
  ``journal``; ``engine`` for ``step``.
- a deed, one of `DEEDS`.
- when: a step's number where places have one, else the how-manieth passing.

A fault happens once in a process. Where ``SNUGTUNE_FAULTS_NOTED`` names a file, those
that happened are noted there and don't happen again in a process that reads it.
"""

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.domain.errors import refusal
from studio.domain.waypoints import FAULTS, watch

NOTED = "SNUGTUNE_FAULTS_NOTED"
ASKED = 3 << 30
# cudaErrorUnknown: what the driver answers with behind a card that fell off its bus.
LOST_CODE = 999
# cudaErrorAssert: what it answers with when a number is beyond a table.
ASSERTED_CODE = 710

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "disk": ("save", "journal"),
    "engine": ("step",),
}
_SPELT = re.compile(r"([a-z.-]+):([a-z-]+)@(\d{1,6})")
# Where a deed needs something that only one place has.
_ONLY_AT = {"nan": "step.gradients", "tear": "journal"}


@dataclass(slots=True)
class Fault:
    """One that is still to happen, or has.

    Attributes:
        spelt: As it was asked for.
        places: Names or groups.
        deed: Of `DEEDS`.
        at: A number of a place, or the how-manieth passing.
        passed: How often one of its places was passed.
        is_over: Whether it has happened.
    """

    spelt: str
    places: tuple[str, ...]
    deed: str
    at: int
    passed: int = 0
    is_over: bool = False

    def is_due(self, place: str, number: int) -> bool:
        """Whether it happens at a place that is passed now."""
        if self.is_over or not self._is_meant(place):
            return False
        self.passed += 1
        return (number or self.passed) == self.at

    def _is_meant(self, place: str) -> bool:
        only = _ONLY_AT.get(self.deed, place)
        return place == only and any(
            place == each or place.startswith(f"{each}.") for each in self.places
        )


def faults_in(text: str) -> list[Fault]:
    """Read faults as they are spelt in the environment.

    Raises:
        StudioError: One is spelt wrongly.
    """
    found = []
    for spelt in filter(None, (each.strip() for each in text.split(","))):
        parts = _SPELT.fullmatch(spelt)
        if parts is None or parts[2] not in DEEDS:
            raise refusal(
                "faults.spelt",
                f"{spelt} is no fault.",
                fix=f"Write place:deed@number; deeds are {', '.join(DEEDS)}.",
                where=FAULTS,
            )
        places = _GROUPS.get(parts[1], (parts[1],))
        found.append(Fault(spelt, places, parts[2], int(parts[3])))
    return found


def arm(text: str, noted: Path | None = None) -> None:
    """Let faults happen in this process from now on.

    Args:
        text: As in ``SNUGTUNE_FAULTS``; empty disarms.
        noted: Where those that happened are noted, and were by earlier processes.

    Raises:
        StudioError: A fault is spelt wrongly.
    """
    faults = faults_in(text)
    if noted is not None and noted.exists():
        happened = noted.read_text(encoding="utf-8").split()
        for fault in faults:
            fault.is_over = fault.spelt in happened

    def watcher(place: str, number: int, subject: object) -> None:
        due = [fault for fault in faults if fault.is_due(place, number)]
        for fault in due:
            fault.is_over = True
            if noted is not None:
                with noted.open("a", encoding="utf-8") as file:
                    file.write(f"{fault.spelt}\n")
            DEEDS[fault.deed](subject)

    watch(watcher if faults else None)


def arm_from_environment() -> None:
    """Arm what the environment asks for.

    Raises:
        StudioError: A fault is spelt wrongly.
    """
    noted = os.environ.get(NOTED)
    arm(os.environ.get(FAULTS, ""), Path(noted) if noted else None)


def _kill(_: object) -> None:
    if sys.platform == "win32":
        os._exit(137)
    os.kill(os.getpid(), signal.SIGKILL)


def _segv(_: object) -> None:
    if sys.platform == "win32":
        os._exit(139)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def _refused(number: int) -> Callable[[object], None]:
    def refuse(_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def _oom(_: object) -> None:
    import torch

    raise torch.OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate {ASKED / 2**30:.2f} GiB. A fault."
    )


def _nan(trainer: Any) -> None:  # noqa: ANN401 - of whatever method
    import torch

    for weight in trainer.model.parameters():
        if weight.grad is not None:
            weight.grad.view(-1)[0] = torch.nan
            return


def _on_card(words: str, name: str, code: int) -> Callable[[object], None]:
    def fail(_: object) -> None:
        import torch

        fault: Any = torch.AcceleratorError(
            f"CUDA error: {words}\nSearch for `{name}'.\nA fault."
        )
        fault.error_code = code  # set from outside by torch, too
        raise fault

    return fail


def _library(_: object) -> None:
    raise RuntimeError(
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`"
    )


def _tear(line: Any) -> None:  # noqa: ANN401 - (descriptor, bytes) of the journal
    journal, content = line
    os.write(journal, content[: len(content) // 2])
    _kill(None)


DEEDS: Mapping[str, Callable[[object], None]] = {
    "kill": _kill,
    "segv": _segv,
    "oom": _oom,
    "full": _refused(errno.ENOSPC),
    "read-only": _refused(errno.EROFS),
    "denied": _refused(errno.EACCES),
    "broken": _refused(errno.EIO),
    "nan": _nan,
    "lost": _on_card("unknown error", "cudaErrorUnknown", LOST_CODE),
    "index": _on_card("device-side assert triggered", "cudaErrorAssert", ASSERTED_CODE),
    "library": _library,
    "tear": _tear,
}
