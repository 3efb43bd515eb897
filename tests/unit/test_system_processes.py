import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from studio.domain.run import EngineIdentity
from studio.system.processes import (
    identity_of,
    is_alive,
    kill_group,
    name_of,
    own_group,
    terminate_group,
)

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
FAMILY = (
    "import subprocess, sys, time;"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]);"
    "print(child.pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def child():
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True, **own_group()
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def grandchild_of(child):
    return int(child.stdout.readline())


def ended(pid):
    """Whether a process ends soon; one that nobody has reaped yet has ended."""
    for _ in range(500):
        if identity_of(pid) is None:
            return True
        time.sleep(0.02)
    return False


def test_that_a_living_process_is_known_by_pid_and_start(child):
    identity = identity_of(child.pid)
    assert identity is not None
    assert is_alive(identity)


def test_that_a_reused_pid_is_somebody_else(child):
    identity = identity_of(child.pid)
    assert identity is not None
    assert not is_alive(replace(identity, started_at=identity.started_at - 100))


def test_that_a_zombie_is_dead(child):
    identity = identity_of(child.pid)
    assert identity is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity_of(child.pid) is None
    assert not is_alive(identity)


def test_that_nobody_has_a_pid_that_is_free():
    assert identity_of(2**22 + 1) is None
    assert name_of(2**22 + 1) == ""


def test_that_a_process_has_a_name(child):
    assert name_of(child.pid).startswith("python")


@pytest.mark.parametrize("end", [terminate_group, kill_group])
def test_that_ending_a_group_ends_its_children_too(child, end):
    grandchild = grandchild_of(child)
    identity = identity_of(child.pid)
    assert identity is not None
    end(identity)
    assert child.wait(10) < 0
    assert ended(grandchild)


def test_that_children_of_a_dead_leader_are_ended(child):
    grandchild = grandchild_of(child)
    identity = identity_of(child.pid)
    assert identity is not None
    child.kill()
    child.wait()
    kill_group(identity)
    assert ended(grandchild)


def test_that_a_stranger_with_the_same_pid_is_left_alone(child):
    stranger = EngineIdentity(child.pid, time.time() - 10_000)
    kill_group(stranger)
    terminate_group(stranger)
    time.sleep(0.05)
    assert child.poll() is None


def test_that_ending_a_process_that_is_gone_does_nothing(child):
    identity = identity_of(child.pid)
    assert identity is not None
    kill_group(identity)
    child.wait(10)
    kill_group(identity)
    assert not is_alive(identity)
