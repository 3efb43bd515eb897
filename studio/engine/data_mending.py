"""The verb fix-data: a new data file, with rows left out that only tokens can tell."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from studio.domain.data_checks.check import RowTokens
from studio.domain.dataset import Chat
from studio.engine.data_inspection import Subject
from studio.engine.session import Session
from studio.protocol.data_events import DataFixed
from studio.protocol.events import Progress
from studio.storage.data_fixing import Fixes, fix
from studio.storage.data_reading import Choice

if TYPE_CHECKING:
    from studio.engine.chat_rendering import RowMaker

_PROGRESS_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class MendOrder:
    """What shall be mended.

    Attributes:
        codes: Of the findings.
        out: The new file.
        against: A second file that is held out.
        overwrite: Whether to replace a file that is there.
    """

    codes: tuple[str, ...]
    out: Path
    against: Path | None = None
    overwrite: bool = False


def fix_data(session: Session, subject: Subject, order: MendOrder) -> DataFixed:
    """Write a new file of a data set.

    Args:
        session: Told of progress.
        subject: The data set, and the model whose tokenizer counts.
        order: What shall be mended.

    Raises:
        StudioError: As `studio.storage.data_fixing.fix` has them; or the model has no
            tokenizer, or its chat template does harm.
    """
    data, length = subject.recipe.data, subject.recipe.train.sequence_length
    fixes = Fixes(
        codes=order.codes,
        sequence_length=length,
        tokens_of=_Counter(session, subject, length),
        against=order.against,
    )
    path = Path(data.path).expanduser()
    report = fix(path, Choice.of(data), fixes, order.out, overwrite=order.overwrite)
    return DataFixed(
        path=report.path,
        out=report.out,
        rows=report.rows,
        kept=report.kept,
        changed=dict(+report.changed),
        dropped=dict(report.dropped),
    )


class _Counter:
    """Counts rows' tokens; the model's tokenizer is loaded when the first row comes."""

    def __init__(self, session: Session, subject: Subject, length: int) -> None:
        self._session, self._subject, self._length = session, subject, length
        self._maker: RowMaker | None = None
        self._done, self._last = 0, time.monotonic()

    def __call__(self, chat: Chat) -> RowTokens:
        if self._maker is None:
            self._maker = self._loaded()
        made = self._maker.row(chat)
        self._tell()
        trained = made.trained_within(self._length)
        return RowTokens(len(made.ids), trained, made.ends)

    def _loaded(self) -> "RowMaker":
        from studio.engine.tokenizer_alone import tokenizer_alone

        assert self._subject.place is not None
        tokenizer = tokenizer_alone(self._subject.place)
        from studio.engine.chat_rendering import RowMaker

        self._last = time.monotonic()
        return RowMaker(tokenizer, self._subject.recipe.data.loss_on)

    def _tell(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._last >= _PROGRESS_EVERY_S:
            self._last = now
            done = float(self._done)
            self._session.say(
                Progress(stage="Counting tokens", done=done, total=0.0, unit="rows")
            )
