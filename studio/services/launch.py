"""How an engine is started: its command line and its environment.

Window, command line and tests start the same engine, so they share these two.
"""

import os
import sys
from collections.abc import Sequence

KEEP_RUNNING = "SNUGTUNE_KEEP_RUNNING"
PARENT_PID = "SNUGTUNE_PARENT_PID"

_KEPT_PRODUCTS = "64"
_ALWAYS = {
    # Read when the libraries are imported, so it can't be set later: a run must not
    # depend on a connection.
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # glibc maps a block above the first figure by itself and gives it back when it is
    # freed, so that every larger tensor of a step costs new pages: at 128 KiB a step on
    # a processor took twice as long. 32 MiB is the most that glibc takes. The second
    # keeps the heap's end; what is free is given back by the engine (`heap_keeping`).
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    # oneDNN compiles its 16-bit products anew for each length of rows, and both it and
    # torch (ideep) keep 1,024 of them, about a mebibyte each: a run on a processor grew
    # by 50 to 100 MiB a step. A step of one length needs some dozens.
    "LRU_CACHE_CAPACITY": _KEPT_PRODUCTS,
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _KEPT_PRODUCTS,
    # NVML counts cards in this order.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
}

# Of a verb that may use a connection.
_ONLINE = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_XET_TELEMETRY_ENABLED": "0",
    # By default what was sent is noted every 64 pieces, and a break forgets it; noted
    # after each piece of 64 MiB, the next try sends the rest alone.
    "HF_XET_DATA_SESSION_XORB_METADATA_FLUSH_MAX_COUNT": "1",
}
_VERB_AT = 3


def engine_command(verb: str, *arguments: str) -> list[str]:
    """The command line that makes an engine do one thing.

    Args:
        verb: Such as ``train``.
        arguments: Of the verb.
    """
    return [sys.executable, "-m", "studio.engine", verb, *arguments]


FETCH_DATA, PUSH = "fetch-data", "push"
"""The verbs that may use a connection."""


def may_connect(command: Sequence[str]) -> bool:
    """Whether an engine's command line names a verb that may use a connection."""
    return list(command[_VERB_AT : _VERB_AT + 1]) in ([FETCH_DATA], [PUSH])


def engine_environment(*, keep_running: bool, online: bool = False) -> dict[str, str]:
    """The whole environment of an engine.

    Args:
        keep_running: The engine shall outlive the program that starts it. If not, it
            is told whose child it is, and ends when that process does.
        online: It may use a connection, unless the user's own environment forbids it.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {KEEP_RUNNING, PARENT_PID}
    }
    tie = {KEEP_RUNNING: "1"} if keep_running else {PARENT_PID: str(os.getpid())}
    always = dict(_ALWAYS)
    if online:
        del always["HF_HUB_OFFLINE"]
        always |= _ONLINE
    return environment | always | tie
