"""Runs a program that ends with who started it, however that one ends.

A program of its own, which knows nothing of this package: its input is held open by
its parent, and closes with it. It ends as the program does, by a shell's number where
a signal ended that.
"""

import os
import subprocess
import sys
import threading

_SIGNALS = 128


def _follow(process: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4096):
        pass
    process.kill()


if __name__ == "__main__":
    program = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    threading.Thread(target=_follow, args=(program,), daemon=True).start()
    code = program.wait()
    # At once: the thread may still wait for its parent.
    os._exit(code if code >= 0 else _SIGNALS - code)
