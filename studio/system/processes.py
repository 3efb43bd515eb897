"""Processes by identity: a pid alone may already belong to somebody else."""

import contextlib
import os
import signal
import sys
import time
from typing import TypedDict

import psutil

from studio.domain.run import EngineIdentity

# A clock that is set while a process lives moves its start time by that much.
_SAME_START_S = 2.0
_KILL_PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.02


class GroupOptions(TypedDict, total=False):
    """What `subprocess.Popen` needs to start a child in its own group."""

    start_new_session: bool
    creationflags: int


def own_group() -> GroupOptions:
    """Options for `subprocess.Popen`: a group of its own, so all of it can be ended."""
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def identity_of(pid: int) -> EngineIdentity | None:
    """Who has this pid now; None when nobody alive has."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return EngineIdentity(pid, process.create_time())
    except psutil.Error:
        return None


def name_of(pid: int) -> str:
    """The name of a process's executable; empty when the system hides it."""
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def is_alive(identity: EngineIdentity) -> bool:
    """Whether this very process still runs (a zombie doesn't)."""
    present = identity_of(identity.pid)
    return present is not None and (
        abs(present.started_at - identity.started_at) < _SAME_START_S
    )


def terminate_group(identity: EngineIdentity) -> None:
    """Ask a process started in its own group, and its children, to end."""
    _signal_group(identity, signal.SIGTERM)


def kill_group(identity: EngineIdentity) -> None:
    """End a process started in its own group, and its children, at once."""
    if sys.platform == "win32":
        _end_tree(identity)
    else:
        _signal_group(identity, signal.SIGKILL)


def end_family(identity: EngineIdentity) -> list[int]:
    """End a process, its group, and all that descends from it, and see them gone.

    Returns:
        The pids of those that live on for all that; no process is left when empty.
    """
    if not is_alive(identity):
        kill_group(identity)  # children may have outlived their leader
        return []
    # Asked first: who has lost its parent can't be told any more. A child may have
    # gone into a group of its own.
    family = _family_of(identity)
    kill_group(identity)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    until = time.monotonic() + _KILL_PATIENCE_S
    while (left := list(filter(_lives, family))) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    return [process.pid for process in left]


def _family_of(identity: EngineIdentity) -> list[psutil.Process]:
    try:
        leader = psutil.Process(identity.pid)
        return [*leader.children(recursive=True), leader]
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    """Whether it still holds anything: a zombie doesn't."""
    try:
        # `is_running` asks whether the pid still is this process's.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal_group(identity: EngineIdentity, number: signal.Signals) -> None:
    if sys.platform == "win32":
        _end_tree(identity)
        return
    # The leader may be gone while its children live on in the group; but a pid that
    # somebody else has got must never be signalled.
    present = identity_of(identity.pid)
    if present is not None and not is_alive(identity):
        return
    try:
        if present is None or os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it ended meanwhile (macOS says EPERM then), which is what was asked


def _end_tree(identity: EngineIdentity) -> None:
    if not is_alive(identity):
        return
    for process in _family_of(identity):
        with contextlib.suppress(psutil.Error):
            process.kill()
