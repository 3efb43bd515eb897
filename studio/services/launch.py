"""How an engine is started: its command line and its environment.

Window, command line and tests start the same engine, so they share these two.
"""

import os
import sys

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


def engine_command(verb: str, *arguments: str) -> list[str]:
    """The command line that makes an engine do one thing.

    Args:
        verb: Such as ``train``.
        arguments: Of the verb.
    """
    return [sys.executable, "-m", "studio.engine", verb, *arguments]


FETCH_DATA = "fetch-data"
"""The one verb that may use a connection."""


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
    return environment | always | tie
