"""A run that waits until the memory it needs has been free for a while.

Window and terminal look at the device in their own ways and tell what they saw; whether
the run may go on is decided here. Of several runs that wait only one goes on at a time:
it holds a lock for as long as it trains, which the system lets go of when its program
ends.
"""

from collections.abc import Callable
from contextlib import ExitStack

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, error
from studio.domain.free_wait import FreeWait
from studio.domain.hardware import TrainingDevice, gib
from studio.domain.run import RunSnapshot
from studio.services.resuming import refuse_resuming
from studio.services.run_need import RunNeed, need_of
from studio.services.run_queue import run_in_progress
from studio.storage.locks import locked
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_held
from studio.system.paths import data_dir

USUAL_MINUTES = 10.0
GONE_ON = "run.gone-on"
"""A run that waited was gone on with by somebody else."""
_LOCK = "going-on.lock"


class RunWait:
    """One run that waits, looked at again and again.

    Attributes:
        run: Its directory.
        state: How far the wait is.
    """

    def __init__(
        self,
        run: RunSnapshot,
        device: TrainingDevice,
        hold_s: float,
        *,
        need: RunNeed | None = None,
        busy: Callable[[], RunDirectory | None] = run_in_progress,
    ) -> None:
        """Begin to wait.

        Args:
            run: As its journal tells it.
            device: As it is now.
            hold_s: For how many seconds without a break the memory must be free.
            need: What it needs, where that is known already.
            busy: Tells a run that trains just now.

        Raises:
            StudioError: The run can't be gone on with, what it needs isn't known, or
                this device never has so much.
        """
        refuse_resuming(run)
        self.run = RunDirectory(run.directory)
        need = need or need_of(run, device)
        obstacle = obstacle_to(run, need, device)
        if obstacle is not None:
            raise StudioError(obstacle)
        assert need.bytes is not None  # else there would be an obstacle
        self.state = FreeWait(need_bytes=need.bytes, hold_s=hold_s, kind=need.kind)
        self._busy = busy
        self._busy_run: RunDirectory | None = None
        self._journal_bytes = _size_of(self.run)

    def look(self, device: TrainingDevice, now: float) -> ExitStack | None:
        """Take in how the device is now.

        Args:
            device: As it was just read.
            now: Seconds of a clock that never goes back.

        Returns:
            The turn to go on, to be closed when the run has ended; None while the run
            has to wait.

        Raises:
            StudioError: The run was gone on with elsewhere, or deleted.
        """
        self._refuse_if_changed()
        self.state = self.state.seen(device, now, self._busy_name())
        if not self.state.is_over:
            return None
        self._busy_run = self._busy()
        turn = None if self._busy_run else _turn()
        if turn is None:
            name = self._busy_name() or "another run that waited"
            self.state = self.state.seen(device, now, name)
        return turn

    def _busy_name(self) -> str:
        if self._busy_run is not None and not is_held(self._busy_run):
            self._busy_run = None
        return self._busy_run.name if self._busy_run else ""

    def _refuse_if_changed(self) -> None:
        size = _size_of(self.run)
        if size < 0:
            raise refusal(
                "run.gone",
                f"{self.run.name} was deleted, so the wait for it is over.",
                where=str(self.run.path),
            )
        if size != self._journal_bytes:
            raise refusal(
                GONE_ON,
                f"{self.run.name} was gone on with by another window or terminal, "
                "so the wait is over.",
                fix="snugtune runs tells how it stands.",
                where=str(self.run.path),
            )


def obstacle_to(
    run: RunSnapshot, need: RunNeed, device: TrainingDevice
) -> Finding | None:
    """Why waiting for a run's memory would be in vain; None where it isn't."""
    if need.kind != device.kind:
        return error(
            "wait.no-card",
            f"{run.name} trained on a card, and none answers now.",
            fix="snugtune doctor says what is wrong with it.",
            where=run.device,
        )
    if need.bytes is None:
        return error(
            "wait.unknown-need",
            f"How much memory {run.name} needs is not known.",
            fix=f"snugtune estimate {RunDirectory(run.directory).recipe_path} finds it "
            "out by a dry run.",
            where="model.name",
        )
    if need.bytes > device.total_bytes:
        return error(
            "wait.never-free",
            f"{run.name} needs {gib(need.bytes)}, and {device.name} has "
            f"{gib(device.total_bytes)} in all.",
            fix="Go on without waiting: when memory runs out, the run helps itself "
            "where it can. Or start a new run with a smaller recipe.",
            where=device.name,
        )
    return None


def _turn() -> ExitStack | None:
    """The only leave to go on by itself; None while another run has it."""
    busy = refusal("wait.busy", "Another run that waited goes on just now.")
    turn = ExitStack()
    try:
        turn.enter_context(locked(data_dir() / _LOCK, 0.0, busy))
    except StudioError as refused:
        if refused is busy:
            return None
        raise
    return turn


def _size_of(run: RunDirectory) -> int:
    """Bytes of a run's journal, 0 before its first word; -1 when the run is gone."""
    if not run.recipe_path.exists():
        return -1
    try:
        return run.journal_path.stat().st_size
    except OSError:
        return 0
