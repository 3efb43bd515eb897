"""The Settings page: each choice is saved and applied at once."""

from pathlib import Path

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.domain.finding import error
from studio.services.llama_cpp import llama_cpp_words
from studio.ui.pages.desk import Desk
from studio.ui.pages.settings.view import SettingsView
from studio.ui.pages.settings.view_model import closing_words


class SettingsPage(QWidget):
    """Wires the Settings page.

    Attributes:
        view: Its widgets.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.view = SettingsView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._show()
        view = self.view
        view.theme.choice_changed.connect(self._on_theme_chosen)
        view.reduced_motion.toggled.connect(self._on_motion_toggled)
        view.closing.choice_changed.connect(self._on_closing_chosen)
        view.data_folder.open.clicked.connect(self._on_open_data)
        view.cache_folder.open.clicked.connect(self._on_open_cache)
        view.llama_cpp.editingFinished.connect(self._on_llama_cpp_edited)
        desk.preferences.preference_changed.connect(self._on_preference_changed)

    def _show(self) -> None:
        view, preferences = self.view, self._desk.preferences
        view.theme.set_current(preferences.theme.value)
        view.reduced_motion.setChecked(preferences.reduced_motion)
        view.closing.set_current(preferences.keep_running.value)
        view.closing_words.setText(closing_words(preferences.keep_running))
        view.data_folder.path.set_text(str(self._desk.folders.data))
        view.cache_folder.path.set_text(str(self._desk.folders.cache))
        view.llama_cpp.setText(preferences.llama_cpp)
        view.llama_cpp_words.setText(llama_cpp_words())

    def _open(self, folder: Path) -> None:
        if folder.is_dir() and QDesktopServices.openUrl(
            QUrl.fromLocalFile(str(folder))
        ):
            return
        what = "The folder can’t be shown here."
        if not folder.is_dir():
            what = "The folder doesn’t exist yet: nothing was saved in it."
        self._desk.notices.post(error("folder.closed", what, where=str(folder)))

    @Slot(str)
    def _on_theme_chosen(self, theme: str) -> None:
        self._desk.preferences.theme = theme

    @Slot(bool)
    def _on_motion_toggled(self, reduced: bool) -> None:
        self._desk.preferences.reduced_motion = reduced

    @Slot(str)
    def _on_closing_chosen(self, choice: str) -> None:
        self._desk.preferences.keep_running = choice

    @Slot()
    def _on_llama_cpp_edited(self) -> None:
        folder = self.view.llama_cpp.text().strip()
        if folder != self._desk.preferences.llama_cpp:
            self._desk.preferences.llama_cpp = folder

    @Slot()
    def _on_open_data(self) -> None:
        self._open(self._desk.folders.data)

    @Slot()
    def _on_open_cache(self) -> None:
        self._open(self._desk.folders.cache)

    @Slot()
    def _on_preference_changed(self) -> None:
        self._show()
