"""Going on with a run in less memory than it ran out of."""

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error
from studio.domain.pauses import OUT_OF_MEMORY
from studio.domain.recipe import Recipe
from studio.domain.relief import changes_between, relieved
from studio.engine.session import Session
from studio.protocol.events import RunAdapted
from studio.storage.checkpoint_folders import newest_whole
from studio.storage.in_force import forget_in_force, put_in_force, recipe_in_force
from studio.storage.run_directory import RunDirectory


def recipe_of(
    session: Session, run: RunDirectory, *, resumes: bool, saves_memory: bool
) -> Recipe:
    """What a run trains by.

    Args:
        session: Told of what changes.
        run: Whose it is.
        resumes: It is gone on with; else it begins with what the user chose.
        saves_memory: It goes on in less memory than before.

    Raises:
        StudioError: The recipe is missing or malformed; otherwise as `relieve`.
    """
    if not resumes:
        forget_in_force(run)
        return run.read_recipe()
    return relieve(session, run) if saves_memory else recipe_in_force(run)


def relieve(session: Session, run: RunDirectory) -> Recipe:
    """Put the next thing that saves memory in force, and tell it.

    Raises:
        StudioError: Nothing is left that saves memory and learns the same, or the disk
            refuses.
    """
    before = recipe_in_force(run)
    after = relieved(before, on_card=_on_card())
    if after is None:
        raise StudioError(
            error(
                OUT_OF_MEMORY,
                "Nothing is left that saves memory and learns the same.",
                fix="Lower train.sequence_length or choose a smaller model, in a new "
                "run.",
                where="train.micro_batch",
            ),
            ExitCode.OUT_OF_MEMORY,
        )
    put_in_force(run, after)
    found, _ = newest_whole(run.checkpoints_path)
    changes = changes_between(before, after)
    session.say(
        RunAdapted(
            step=found.manifest.step if found else 0,
            before={key: _plain(values[0]) for key, values in changes.items()},
            after={key: _plain(values[1]) for key, values in changes.items()},
        )
    )
    return after


def _plain(value: object) -> int | bool:
    assert isinstance(value, int)
    return value


def _on_card() -> bool:
    from studio.engine.devices import choose_device  # torch takes seconds to load

    return choose_device().type == "cuda"
