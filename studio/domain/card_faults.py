"""What a fault of a card stands for: by CUDA's code, or by what was said of it.

Codes and their meaning are those of CUDA's driver_types.h (12.9 and 13); the words are
what `cudaGetErrorString` of both answers to each code. A code that isn't in the table
was never met; who asks decides what to make of it.

What cuBLAS, cuDNN and their kin say is a symptom: their calls fail when the card is
lost, and when an earlier computation has broken the process's context. So a `Told` says
whether the card itself should be asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class CardFault(StrEnum):
    """What went wrong on a card.

    Attributes:
        FULL: It refused memory, and is well otherwise.
        LOST: It doesn't answer any more.
        BUSY: It can't be had just now.
        CRASHED: A computation did what none may, by a library's code or since the card
            isn't stable.
        ASSERTED: A computation found a number out of its range, as it would again.
        UNSUITED: A library was built without code for it.
        OUTDATED: Its driver doesn't go with the libraries.
        MISUSED: It was asked for what CUDA doesn't do.
    """

    FULL = "full"
    LOST = "lost"
    BUSY = "busy"
    CRASHED = "crashed"
    ASSERTED = "asserted"
    UNSUITED = "unsuited"
    OUTDATED = "outdated"
    MISUSED = "misused"

    @property
    def leaves_memory(self) -> bool:
        """Whether what lies on the card can still be read.

        For what crashed or asserted driver_types.h says that the process must be ended;
        a card that is lost may never answer.
        """
        return self not in {
            CardFault.LOST,
            CardFault.BUSY,
            CardFault.CRASHED,
            CardFault.ASSERTED,
        }

    @property
    def may_pass(self) -> bool:
        """Whether another process may do what this one couldn't."""
        return self in {
            CardFault.FULL,
            CardFault.LOST,
            CardFault.BUSY,
            CardFault.CRASHED,
        }


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of a card.

    Attributes:
        fault: What it stands for.
        is_symptom: Whether another fault of the card may stand behind it.
    """

    fault: CardFault
    is_symptom: bool = False


_ROWS: Final = (
    # No error, yet torch was told of an assertion (c10/cuda/CUDAException.cpp).
    (0, "no error", CardFault.ASSERTED),
    (1, "invalid argument", CardFault.MISUSED),
    (2, "out of memory", CardFault.FULL),
    (3, "initialization error", CardFault.LOST),
    (4, "driver shutting down", CardFault.LOST),
    (9, "invalid configuration argument", CardFault.MISUSED),
    (
        35,
        "CUDA driver version is insufficient for CUDA runtime version",
        CardFault.OUTDATED,
    ),
    (36, "API call is not supported in the installed CUDA driver", CardFault.OUTDATED),
    # Held by one process alone, forbidden to all, or full of another one's work.
    (46, "CUDA-capable device(s) is/are busy or unavailable", CardFault.BUSY),
    (98, "invalid device function", CardFault.UNSUITED),
    (100, "no CUDA-capable device is detected", CardFault.LOST),
    (101, "invalid device ordinal", CardFault.LOST),
    (127, "startup failure in cuda runtime", CardFault.LOST),
    (200, "device kernel image is invalid", CardFault.UNSUITED),
    (201, "invalid device context", CardFault.LOST),
    (
        209,
        "no kernel image is available for execution on the device",
        CardFault.UNSUITED,
    ),
    (214, "uncorrectable ECC error encountered", CardFault.LOST),
    (
        216,
        "exclusive-thread device already in use by a different thread",
        CardFault.BUSY,
    ),
    (218, "a PTX JIT compilation failed", CardFault.UNSUITED),
    (220, "uncorrectable NVLink error detected during the execution", CardFault.LOST),
    (221, "PTX JIT compiler library not found", CardFault.UNSUITED),
    # Compiled by something newer than the driver's own compiler.
    (
        222,
        "the provided PTX was compiled with an unsupported toolchain",
        CardFault.OUTDATED,
    ),
    (223, "PTX JIT compilation was disabled", CardFault.UNSUITED),
    (
        226,
        "Invalid access of peer GPU memory over nvlink or a hardware error",
        CardFault.LOST,
    ),
    (304, "OS call failed or operation not supported on this OS", CardFault.LOST),
    (400, "invalid resource handle", CardFault.MISUSED),
    (401, "the operation cannot be performed in the present state", CardFault.MISUSED),
    (700, "an illegal memory access was encountered", CardFault.CRASHED),
    (701, "too many resources requested for launch", CardFault.MISUSED),
    # A display's watchdog, as the card doesn't draw meanwhile.
    (702, "the launch timed out and was terminated", CardFault.LOST),
    (709, "context is destroyed", CardFault.LOST),
    (710, "device-side assert triggered", CardFault.ASSERTED),
    (714, "hardware stack error", CardFault.CRASHED),
    (715, "an illegal instruction was encountered", CardFault.CRASHED),
    (716, "misaligned address", CardFault.CRASHED),
    (717, "operation not supported on global/shared address space", CardFault.CRASHED),
    (718, "invalid program counter", CardFault.CRASHED),
    # By its header any exception of a kernel. Told of cards that had to be restarted or
    # were broken (opendatalab/MinerU, issue 426), behind sleep (JuliaGPU/CUDAdrv.jl,
    # 210) and with Xid 109 at random (pytorch/pytorch, 74235).
    (719, "unspecified launch failure", CardFault.LOST),
    (720, "too many blocks in cooperative launch", CardFault.MISUSED),
    (721, "tensor memory not completely freed", CardFault.CRASHED),
    (800, "operation not permitted", CardFault.MISUSED),
    (801, "operation not supported", CardFault.MISUSED),
    (802, "system not yet initialized", CardFault.BUSY),
    # The driver was updated, and the machine not restarted since.
    (
        803,
        "system has unsupported display driver / cuda driver combination",
        CardFault.OUTDATED,
    ),
    (
        804,
        "forward compatibility was attempted on non supported HW",
        CardFault.OUTDATED,
    ),
    (
        805,
        "MPS client failed to connect to the MPS control daemon or the MPS server",
        CardFault.BUSY,
    ),
    (
        806,
        "the remote procedural call between the MPS server and the MPS client failed",
        CardFault.BUSY,
    ),
    (
        807,
        "MPS server is not ready to accept new MPS client requests",
        CardFault.BUSY,
    ),
    (810, "the MPS client has been terminated by the server", CardFault.LOST),
    (900, "operation not permitted when stream is capturing", CardFault.MISUSED),
    (901, "operation failed due to a previous error during capture", CardFault.MISUSED),
    (
        911,
        "an async error has occured in external entity outside of CUDA",
        CardFault.LOST,
    ),
    (
        912,
        "a kernel launch error has occurred due to cluster misconfiguration",
        CardFault.MISUSED,
    ),
    # What the driver answers with behind a card that fell off its bus (Xid 79;
    # proteneer/timemachine, pull request 1203).
    (999, "unknown error", CardFault.LOST),
)
_BY_CODE: Final = MappingProxyType({code: fault for code, _, fault in _ROWS})
# The longest first: some begin like others.
_BY_WORDS: Final = sorted(
    ((words, fault) for _, words, fault in _ROWS), key=lambda row: -len(row[0])
)

# Statuses of cuBLAS, cuDNN, cuSOLVER and cuSPARSE, without their library's name.
# Sources: the cuBLAS library's guide, "cublasStatus_t"; cuDNN 9, "cudnnStatus_t".
_STATUSES: Final[Mapping[str, CardFault]] = MappingProxyType(
    {
        "ALLOC_FAILED": CardFault.FULL,
        "INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED": CardFault.FULL,
        "INTERNAL_ERROR_HOST_ALLOCATION_FAILED": CardFault.FULL,
        # torch asks for a handle before all else, so what is left of the documented
        # causes is a card too full for one (pytorch/serve, issue 1993;
        # EleutherAI/lm-evaluation-harness, 1689), or one that was broken before.
        "NOT_INITIALIZED": CardFault.FULL,
        "ARCH_MISMATCH": CardFault.UNSUITED,
        "EXECUTION_FAILED": CardFault.CRASHED,
        "EXECUTION_FAILED_CUBLAS": CardFault.CRASHED,
        "EXECUTION_FAILED_CUDART": CardFault.CRASHED,
        "EXECUTION_FAILED_CUDA_DRIVER": CardFault.CRASHED,
        "EXECUTION_FAILED_CURAND": CardFault.CRASHED,
        "INTERNAL_ERROR": CardFault.CRASHED,
        "MAPPING_ERROR": CardFault.CRASHED,
    }
)
_STATUS: Final = re.compile(r"\bCU(?:BLAS|DNN|SOLVER|SPARSE)_STATUS_([A-Z_]+)")
# How bitsandbytes says that cublasLtMatmul failed (backends/cuda/ops.py).
_LT_FAILED: Final = "cublasLt ran into an error"
# Who hands the runtime's or the driver's words on: torch (CUDAException.h and .cpp in
# c10/cuda, Exceptions.h in ATen/cuda), Triton (driver.c of its NVIDIA backend), and
# bitsandbytes as it ends the process by exit(1) (0.50.2, CUDA_CHECK_RETURN).
_SAID: Final = re.compile(
    r"(?:CUDA error|CUDA driver error|CUDA warning|Triton Error \[CUDA\]): (.+)"
    r"|^Error (.+) at line \d+ in file ",
    re.MULTILINE,
)


def fault_of_code(code: int) -> CardFault | None:
    """What a `cudaError_t` stands for; None for one that was never met."""
    return _BY_CODE.get(code)


def fault_in(text: str) -> Told | None:
    """What a library's words say of a card; None where they say nothing.

    Args:
        text: A fault's message, or a line of a log.
    """
    for said in _SAID.finditer(text):
        words = said[1] or said[2]
        for known, fault in _BY_WORDS:
            if words.startswith(known):
                return Told(fault)
    status = _STATUS.search(text)
    if status is not None:
        return Told(_STATUSES.get(status[1], CardFault.MISUSED), is_symptom=True)
    if _LT_FAILED in text:
        return Told(CardFault.CRASHED, is_symptom=True)
    return None
