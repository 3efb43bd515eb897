"""How a terminal goes on with a run, as commands that can be typed as they stand.

What the engine says of a run is read in the window as well, which has buttons for it.
"""

from typing import Final

from studio.domain.card_fault_words import COMES_AGAIN
from studio.domain.errors import StudioError
from studio.domain.pauses import NON_FINITE
from studio.domain.run import RunSnapshot, RunState
from studio.services.leading import ACCEPT_CHANGES, SAVE_MEMORY
from studio.services.less_memory import less_memory_words
from studio.services.library import find_run
from studio.services.run_need import recipe_in_force_of
from studio.storage.run_directory import RunDirectory
from studio.system.machine import read_machine_once

_RESUME: Final = "snugtune resume"


def resume_command(run: RunDirectory, *options: str) -> str:
    """The command that goes on with a run, by its folder where its name isn't enough.

    Args:
        run: Of a project, or in a folder of its own.
        options: Behind it.
    """
    try:
        is_known = find_run(run.name).path == run.path
    except StudioError:
        is_known = False
    word = run.name if is_known else str(run.path)
    word = f'"{word}"' if " " in word else word
    return " ".join((_RESUME, word, *options))


def ways_on(told: RunSnapshot) -> list[str]:
    """How to go on with a run that ended early, a sentence each."""
    run = RunDirectory(told.directory)
    cause = told.failure.code if told.failure else ""
    goes_on = f"{resume_command(run)} goes on."
    ways = [f"Once that is mended, {goes_on}" if cause in COMES_AGAIN else goes_on]
    if told.state is RunState.PAUSED and cause == NON_FINITE:
        changed = resume_command(run, ACCEPT_CHANGES)
        ways.append(f"Once {run.recipe_path} is changed, {changed} goes on by it.")
    if told.state is RunState.LOST and (less := _less(told)):
        command = resume_command(run, SAVE_MEMORY)
        ways.append(f"If memory ran out, {command} {less}.")
    return ways


def _less(told: RunSnapshot) -> str:
    """What going on in less memory changes; empty where that can't help."""
    try:
        in_force, device = recipe_in_force_of(told), read_machine_once().device()
    except StudioError:
        return ""
    return less_memory_words(told, in_force, device)
