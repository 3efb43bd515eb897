"""Findings of a data set mended in a new file, beside the window; any taken back.

Each mending begins at the original file, with all that shall be mended in it, so that
any one of them can be taken back while the others stay.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.data_checks.mended_codes import TOKENS
from studio.domain.data_options import DataOptions
from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.domain.recipe import Recipe
from studio.protocol.data_events import DataFixed
from studio.services.background import BackgroundCall
from studio.services.launch import engine_command
from studio.services.mending_engine import MendingEngine
from studio.storage.data_fixing import Fixes, fix
from studio.storage.data_reading import Choice

NEEDS_MODEL: Final = frozenset(TOKENS)
"""What only a model's tokenizer can tell; an engine beside the window counts."""

_NAME: Final = "mended"


@dataclass(frozen=True, slots=True)
class Mend:
    """One finding that was mended.

    Attributes:
        code: Of the finding.
        what: What was so, in a sentence.
        rows: How many rows were changed or left out for it.
    """

    code: str
    what: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class MendedData:
    """A file in which findings are mended; the original, when none is.

    Attributes:
        data: What a recipe names to learn from it.
        original: What it named before anything was mended.
        mends: In the order in which they were asked for.
    """

    data: DataOptions
    original: DataOptions
    mends: tuple[Mend, ...] = ()


class DataMender(QObject):
    """Mends one file at a time.

    Signals:
        busy_changed(bool): A new file is being written, or not any more.
        progress(int): Rows whose tokens were counted; told only where they must be.
        data_mended(object): The `MendedData` that was asked for is there.
        mending_failed(object): A `Finding`; nothing was changed.
    """

    busy_changed = Signal(bool)
    progress = Signal(int)
    data_mended = Signal(object)
    mending_failed = Signal(object)

    def __init__(
        self,
        *,
        command_for: Callable[..., Sequence[str]] = engine_command,
        parent: QObject | None = None,
    ) -> None:
        """Make a mender that is idle.

        Args:
            command_for: From the verb and its arguments to an engine's command line.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._known: dict[str, MendedData] = {}
        self._call: BackgroundCall | None = None
        self._engine = MendingEngine(command_for, self)
        self._wanted: MendedData | None = None
        self._engine.rows_counted.connect(self.progress)
        self._engine.file_written.connect(self._on_file_written)
        self._engine.failed.connect(self._on_engine_failed)

    @property
    def is_busy(self) -> bool:
        """Whether a new file is being written."""
        return self._call is not None or self._engine.is_running

    @property
    def can_stop(self) -> bool:
        """Whether what is under way can be ended before its end."""
        return self._engine.is_running

    @Slot()
    def stop(self) -> None:
        """Give up what is under way; the data stay as they are."""
        self._engine.stop()

    def mends_in(self, path: str) -> Sequence[Mend]:
        """What was mended in a file, this session."""
        known = self._known.get(path)
        return () if known is None else known.mends

    def mend(self, recipe: Recipe, code: str, what: str) -> None:
        """Mend one more finding in a recipe's data; ignored while one is mended.

        One that was mended and is found again, as when the sequence length has become
        shorter, is mended by the recipe as it is now.
        """
        now = self._now(recipe)
        others = tuple(mend for mend in now.mends if mend.code != code)
        self._write(recipe, now.original, (*others, Mend(code, what)))

    def take_back(self, recipe: Recipe, code: str) -> None:
        """Leave one finding as it was; the others stay mended."""
        now = self._now(recipe)
        left = tuple(mend for mend in now.mends if mend.code != code)
        if left:
            self._write(recipe, now.original, left)
        elif now.mends and not self.is_busy:
            self.data_mended.emit(MendedData(now.original, now.original))

    def close(self) -> None:
        """Wait for the file that is being written, or end the engine that counts."""
        self._engine.close()
        if self._call is not None:
            self._call.wait()
            self._call = None

    def _now(self, recipe: Recipe) -> MendedData:
        return self._known.get(recipe.data.path) or MendedData(recipe.data, recipe.data)

    def _write(
        self, recipe: Recipe, original: DataOptions, mends: tuple[Mend, ...]
    ) -> None:
        if self.is_busy:
            return
        if NEEDS_MODEL & {mend.code for mend in mends}:
            self._write_by_engine(recipe, original, mends)
            return
        length = recipe.train.sequence_length
        self._call = BackgroundCall(lambda: _mended(original, mends, length))
        self._call.call_done.connect(self._on_call_done)
        self._call.call_failed.connect(self._on_call_failed)
        self._call.start()
        self.busy_changed.emit(True)

    def _write_by_engine(
        self, recipe: Recipe, original: DataOptions, mends: tuple[Mend, ...]
    ) -> None:
        out = _new_name(Path(original.path).expanduser())
        self._wanted = _mended_data(original, mends, out)
        codes = [mend.code for mend in mends]
        try:
            self._engine.begin(replace(recipe, data=original), codes, out)
        except StudioError as refused:
            self._wanted = None
            self.mending_failed.emit(refused.finding)
            return
        self.busy_changed.emit(True)

    @Slot(object)
    def _on_call_done(self, made: MendedData) -> None:
        if self._end():
            self._known[made.data.path] = made
            self.data_mended.emit(made)

    @Slot(object)
    def _on_call_failed(self, finding: Finding) -> None:
        if self._end():
            self.mending_failed.emit(finding)

    @Slot(object)
    def _on_file_written(self, told: DataFixed) -> None:
        wanted, self._wanted = self._wanted, None
        self.busy_changed.emit(False)
        if wanted is not None:
            mends = _counted(wanted.mends, told.changed, told.dropped)
            made = replace(wanted, mends=mends)
            self._known[made.data.path] = made
            self.data_mended.emit(made)

    @Slot(object)
    def _on_engine_failed(self, finding: Finding) -> None:
        self._wanted = None
        self.busy_changed.emit(False)
        if finding.severity is not Severity.INFO:  # the user didn't stop it
            self.mending_failed.emit(finding)

    def _end(self) -> bool:
        """Let the reporting call go; false when it was closed meanwhile."""
        call = self._call
        if call is None or self.sender() is not call:
            return False
        call.wait()
        self._call = None
        self.busy_changed.emit(False)
        return True


def _mended(original: DataOptions, mends: tuple[Mend, ...], length: int) -> MendedData:
    path = Path(original.path).expanduser()
    out = _new_name(path)
    codes = [mend.code for mend in mends]
    fixes = Fixes(codes=codes, sequence_length=length)
    report = fix(path, Choice.of(original), fixes, out)
    told = _counted(mends, report.changed, report.dropped)
    return _mended_data(original, told, out)


def _mended_data(
    original: DataOptions, mends: tuple[Mend, ...], out: Path
) -> MendedData:
    data = replace(original, path=str(out), format="", columns=())
    return MendedData(data, original, mends)


def _counted(
    mends: tuple[Mend, ...], changed: Mapping[str, int], dropped: Mapping[str, int]
) -> tuple[Mend, ...]:
    """Mends with the rows that each was about."""
    rows = Counter(changed) + Counter(dropped)
    return tuple(replace(each, rows=rows[each.code]) for each in mends)


def _new_name(path: Path) -> Path:
    """A name beside the original that no file has."""
    stem = path.name if path.is_dir() else path.stem
    number = 1
    while True:
        ending = _NAME if number == 1 else f"{_NAME}-{number}"
        found = path.with_name(f"{stem}-{ending}.jsonl")
        if not found.exists():
            return found
        number += 1
