"""An engine goes on when nobody reads what the terminal says of it."""

import subprocess
import sys

PROGRAM = """
import sys, time
from studio.cli import engine_run, terminal
from studio.protocol.events import LogLine

time.sleep(0.5)  # the reader is gone by now
event = LogLine(level="info", text="x" * 100)
for _ in range(3):
    engine_run._tell(lambda said: print(said.text, flush=True), event)
terminal.say("the summary")
sys.stdout.flush()
sys.stderr.write("went on")
"""


def test_that_a_reader_that_leaves_ends_nothing():
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdout.close()
    with child.stderr:
        said = child.stderr.read()
    assert (child.wait(30), said) == (0, "went on")
