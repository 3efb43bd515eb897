"""The user's own settings, saved as they change.

A file that can't be read doesn't keep the window from opening: the defaults hold, the
file stays as it is, and `finding` says so.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from studio.domain.errors import StudioError
from studio.domain.hardware import MIB
from studio.storage.documents import read_toml, write_toml_atomically
from studio.system.paths import config_dir

if TYPE_CHECKING:
    from studio.domain.finding import Finding

Choice = TypeVar("Choice", bound=StrEnum)


class Theme(StrEnum):
    """Which palette is shown."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class KeepRunning(StrEnum):
    """What becomes of a run when the window closes."""

    ASK = "ask"
    YES = "yes"
    NO = "no"


class Preferences(QObject):
    """The settings; each is saved when it is set.

    Attributes:
        finding: Why the file could not be read; then nothing is saved either.

    Signals:
        preference_changed(str): The name of the setting that has a new value.
        saving_failed(object): A `Finding`; the new value holds for this session.
    """

    preference_changed = Signal(str)
    saving_failed = Signal(object)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path or config_dir() / "preferences.toml"
        self.finding: Finding | None = None
        self._values: dict[str, object] = {}
        self._read()

    @property
    def theme(self) -> Theme:
        """Which palette is shown; that of the system unless chosen."""
        return self._choice("theme", Theme.SYSTEM)

    @theme.setter
    def theme(self, theme: str) -> None:
        self._set("theme", Theme(theme).value)

    @property
    def keep_running(self) -> KeepRunning:
        """What becomes of a run when the window closes; asked unless chosen."""
        return self._choice("keep_running", KeepRunning.ASK)

    @keep_running.setter
    def keep_running(self, keep_running: str) -> None:
        self._set("keep_running", KeepRunning(keep_running).value)

    @property
    def reduced_motion(self) -> bool:
        """Whether nothing in the window moves by itself."""
        return self._values.get("reduced_motion") is True

    @reduced_motion.setter
    def reduced_motion(self, reduced: bool) -> None:
        self._set("reduced_motion", reduced)

    @property
    def headroom_bytes(self) -> int | None:
        """What a recipe leaves free on the device; None for the usual."""
        value = self._values.get("headroom_mib")
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value * MIB
        return None

    @headroom_bytes.setter
    def headroom_bytes(self, headroom_bytes: int) -> None:
        self._set("headroom_mib", max(0, round(headroom_bytes / MIB)))

    @property
    def llama_cpp(self) -> str:
        """The folder of the user's own llama.cpp; empty to look on the path."""
        value = self._values.get("llama_cpp", "")
        return value if isinstance(value, str) else ""

    @llama_cpp.setter
    def llama_cpp(self, folder: str) -> None:
        self._set("llama_cpp", folder)

    @property
    def last_project(self) -> str:
        """The slug of the project that was open last; empty at first."""
        value = self._values.get("last_project", "")
        return value if isinstance(value, str) else ""

    @last_project.setter
    def last_project(self, slug: str) -> None:
        self._set("last_project", slug)

    def _choice(self, name: str, default: Choice) -> Choice:
        try:
            return type(default)(str(self._values.get(name, default)))
        except ValueError:
            return default  # written by hand; the next choice replaces it

    def _set(self, name: str, value: str | bool | int) -> None:
        if self._values.get(name) == value:
            return
        self._values[name] = value
        self._save()
        self.preference_changed.emit(name)

    def _read(self) -> None:
        if not self._path.exists():
            return
        try:
            self._values = read_toml(self._path, "preferences")
        except StudioError as fault:
            self.finding = fault.finding

    def _save(self) -> None:
        if self.finding is not None:
            return
        try:
            write_toml_atomically(self._path, "preferences", self._values)
        except StudioError as fault:
            self.saving_failed.emit(fault.finding)
