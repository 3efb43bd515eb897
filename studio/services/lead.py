"""The lead of a run: who has it starts the run's next engine when one has ended."""

from contextlib import ExitStack

from studio.domain.errors import StudioError
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_led, led


class Lead:
    """One program's claim to lead one run; taken and let go of in one thread."""

    def __init__(self, run: RunDirectory) -> None:
        """Claim nothing yet."""
        self._run = run
        self._hold: ExitStack | None = None

    @property
    def is_held(self) -> bool:
        """Whether this one leads the run."""
        return self._hold is not None

    def take(self) -> None:
        """Lead the run from now on.

        Raises:
            StudioError: Another program does, or the folder may not be written.
        """
        if self._hold is None:
            with ExitStack() as hold:
                hold.enter_context(led(self._run))
                self._hold = hold.pop_all()

    def take_if_free(self) -> None:
        """Lead the run from now on, if nobody else does and the folder allows it."""
        if self._hold is not None:
            return
        hold = ExitStack()
        try:
            hold.enter_context(led(self._run, 0.0))
        except StudioError:
            return
        self._hold = hold

    def is_elsewhere(self) -> bool:
        """Whether another one leads the run."""
        return self._hold is None and is_led(self._run)

    def let_go(self) -> None:
        """Leave the run to others."""
        if self._hold is not None:
            self._hold.close()
            self._hold = None
