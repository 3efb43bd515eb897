"""The C library's heap, told to give back what nobody holds any more."""

import ctypes
import sys


def give_back_free_memory() -> bool:
    """Give the system the heap's free pages, holes between live blocks included.

    Returns:
        Whether this system's C library can do so: glibc's alone (malloc_trim(3)).
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:  # musl
        return False
    trim(ctypes.c_size_t(0))
    return True
