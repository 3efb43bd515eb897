"""Any exception becomes one last word and an exit code."""

import re
from dataclasses import dataclass, replace

from studio.domain.card_fault_words import FAULT_WORDS
from studio.domain.card_faults import CardFault
from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error
from studio.domain.hardware import gib
from studio.domain.pauses import NON_FINITE, OUT_OF_MEMORY
from studio.engine.card_faults import card_fault, torch_build
from studio.protocol.events import RunFailed, RunPaused

_OUT_OF_MEMORY_ADVICE = (
    "Set train.micro_batch lower and train.accumulation higher, turn "
    "train.checkpointing on, or lower train.sequence_length; model.precision nf4 "
    "holds the weights in the least memory."
)
# How torch says on a CPU that malloc refused.
_CPU_ALLOCATOR = "DefaultCPUAllocator"
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_ASKED = re.compile(rf"tried to allocate ([\d.]+) ({'|'.join(_UNITS)})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a verb ends badly.

    Attributes:
        word: The last event; a pause where the run can be gone on with.
        exit_code: Of the process.
        is_foreseen: Whether the words tell all; if not, the log needs the traceback.
    """

    word: RunFailed | RunPaused
    exit_code: ExitCode
    is_foreseen: bool = True


def put_into_words(fault: Exception) -> Failure:
    """What to tell the user about an exception."""
    if isinstance(fault, StudioError):
        return _told(fault)
    if is_out_of_memory(fault):
        return _out_of_memory(fault)
    of_card = card_fault(fault)
    if of_card is not None and of_card in FAULT_WORDS:
        return _of_card(fault, of_card)
    if isinstance(fault, ImportError):
        return _missing_library(fault)
    return Failure(
        RunFailed(
            kind="internal",
            message=f"The engine met a fault it doesn't know ({_in_short(fault)}).",
            advice="The log has the details; please report it with them.",
        ),
        ExitCode.FAILED,
        is_foreseen=False,
    )


def broken_down(
    step: int, loss: float | None = None, norm: float | None = None
) -> StudioError:
    """The error for a loss, gradient or weight that is no number.

    Args:
        step: Where it was met.
        loss: Of the step; None when a weight is what is none.
        norm: Of its gradient; None when only the loss is known.
    """
    gradient = "" if norm is None else f", its gradient {norm:g}"
    met = "a weight is no number" if loss is None else f"its loss is {loss:g}{gradient}"
    return StudioError(
        error(
            NON_FINITE,
            f"Training broke down at step {step:,}: {met}.",
            why="Weights that follow from such a step are worthless; checkpoints "
            "written before it are good.",
            fix="Set train.learning_rate to a third, train.warmup to 0.1, or "
            "model.compute_dtype to bf16 or fp32.",
            where="train.learning_rate",
        ),
        ExitCode.NON_FINITE,
    )


def _told(fault: StudioError) -> Failure:
    finding = fault.finding
    place = f"{finding.where}: " if finding.where else ""
    why = f" {finding.why}" if finding.why else ""
    return Failure(
        RunFailed(
            kind=finding.code,
            message=f"{place}{finding.what}{why}",
            advice=finding.how_to_fix,
        ),
        fault.exit_code,
    )


def is_out_of_memory(fault: Exception) -> bool:
    """Whether an exception says that memory was refused."""
    if isinstance(fault, MemoryError):
        return True
    if card_fault(fault) is CardFault.FULL:
        return True
    return isinstance(fault, RuntimeError) and _CPU_ALLOCATOR in str(fault)


def asked_bytes(fault: Exception) -> int | None:
    """How much was asked for when memory was refused; None where it isn't said.

    torch writes "Tried to allocate 1.25 GiB" for a card, and "you tried to allocate
    640000 bytes" for a processor.
    """
    found = _ASKED.search(str(fault))
    return round(float(found[1]) * _UNITS[found[2]]) if found else None


def _out_of_memory(fault: Exception) -> Failure:
    return Failure(
        RunFailed(
            kind=OUT_OF_MEMORY,
            message=f"The memory did not suffice: {_asked_for(fault)}.",
            advice=_OUT_OF_MEMORY_ADVICE,
        ),
        ExitCode.OUT_OF_MEMORY,
        is_foreseen=False,
    )


def _asked_for(fault: Exception) -> str:
    asked = asked_bytes(fault)
    if asked is None:
        return _first_sentence(fault) or "it was refused"
    return f"{gib(asked)} more were asked for in vain"


def _of_card(fault: Exception, found: CardFault) -> Failure:
    words = FAULT_WORDS[found]
    if found is CardFault.UNSUITED:
        words = replace(words, why=torch_build())
    said, _, _ = _first_sentence(fault).partition(" when calling `")
    return Failure(
        RunFailed(kind=words.kind, message=words.message(said), advice=words.advice),
        ExitCode.FAILED,
        is_foreseen=False,
    )


def _missing_library(fault: ImportError) -> Failure:
    return Failure(
        RunFailed(
            kind="engine.library",
            message=f"A library of the engine is missing: {_first_sentence(fault)}.",
            advice="Run python3 installer/start.py again; it mends the installation.",
        ),
        ExitCode.FAILED,
        is_foreseen=False,
    )


def _in_short(fault: Exception) -> str:
    said = _first_sentence(fault)
    name = type(fault).__name__
    return f"{name}: {said}" if said else name


def _first_sentence(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    first = lines[0] if lines else ""
    return first.partition(". ")[0].rstrip(".")[:200]
