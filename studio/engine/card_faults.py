"""What an exception says of a card; where a library only tells a symptom, it is asked.

cuBLAS and its kin fail by a status of their own when an earlier computation has broken
the process's context, as an index beyond a table does. Any call of the runtime then
answers with what really happened (driver_types.h: "any further CUDA work will return
the same error"). The question asks for the free memory alone: it reads nothing that
lies on the card. torch lets go of Python's lock meanwhile (cudart.cpp in
csrc/cuda/shared), so a card that never answers holds up one thread and nothing else.
"""

import contextlib
import sys
import threading
from typing import Final

from studio.domain.card_faults import CardFault, Told, fault_in, fault_of_code

PATIENCE_S: Final = 5.0
# What was found is kept with the exception: asked again, a card may answer otherwise.
_FOUND: Final = "snugtune_card_fault"


def card_fault(fault: BaseException) -> CardFault | None:
    """What an exception says of a card; None where it is about something else."""
    if not isinstance(fault, RuntimeError) or "torch" not in sys.modules:
        return None  # nothing of it was at work
    held = vars(fault)
    if _FOUND not in held:
        told = _told_by(fault)
        if told is not None and told.is_symptom:
            told = Told(_asked() or told.fault)
        held[_FOUND] = told.fault if told is not None else None
    found: CardFault | None = held[_FOUND]
    return found


def torch_build() -> str:
    """Which build of torch this is and what it was built for, as a sentence."""
    import torch

    with contextlib.suppress(RuntimeError):
        if built_for := torch.cuda.get_arch_list():
            major, minor = torch.cuda.get_device_capability(0)
            return (
                f"torch {torch.__version__} is built for {', '.join(built_for)}; "
                f"the card is sm_{major}{minor}."
            )
    return f"The installed build is torch {torch.__version__}."


def _told_by(fault: RuntimeError) -> Told | None:
    """What an exception tells by itself."""
    import torch

    if isinstance(fault, torch.OutOfMemoryError):
        return Told(CardFault.FULL)
    is_card = isinstance(fault, torch.AcceleratorError)
    # Set by torch on each that it raises (csrc/Exceptions.cpp); one that another thread
    # had raised is made anew from its words (torch/_utils.py, `reraise`).
    code = vars(fault).get("error_code") if is_card else None
    if isinstance(code, int):
        return Told(fault_of_code(code) or CardFault.LOST)
    return fault_in(str(fault)) or (Told(CardFault.LOST) if is_card else None)


def _asked() -> CardFault | None:
    """What the card itself answers with; None where it is well, or there is none."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # has no types
        return None
    answers: list[CardFault | None] = []

    def ask() -> None:
        try:
            torch.cuda.mem_get_info(0)
        except RuntimeError as refused:
            told = _told_by(refused)
            answers.append(told.fault if told is not None else None)
        else:
            answers.append(None)

    asking = threading.Thread(target=ask, name="question to the card", daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return answers[0] if answers else CardFault.LOST
