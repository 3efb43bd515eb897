"""How a data file or a folder of them is asked for, the same on every page."""

from collections.abc import Callable
from typing import Final

from PySide6.QtWidgets import QFileDialog, QWidget

from studio.services.mapping_previewer import SUFFIXES

KINDS: Final = "JSON Lines, JSON, CSV, TSV, Parquet, Arrow, text, or a folder of them"
"""What is read, in words."""
SHORT_KINDS: Final = "JSON, CSV, Parquet, Arrow or text"
"""The same where there is little room."""

_FILTER: Final = (
    f"Data ({' '.join(f'*{suffix}' for suffix in SUFFIXES)});;All files (*)"
)


def ask_for_file(page: QWidget, use: Callable[[str], object]) -> QFileDialog:
    """Ask for a data file; `use` is told which one."""
    dialog = QFileDialog(page, "Choose a data file", "", _FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return _ask(dialog, use)


def ask_for_folder(page: QWidget, use: Callable[[str], object]) -> QFileDialog:
    """Ask for a folder of data files; `use` is told which one."""
    dialog = QFileDialog(page, "Choose a folder of data files")
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return _ask(dialog, use)


def _ask(dialog: QFileDialog, use: Callable[[str], object]) -> QFileDialog:
    dialog.fileSelected.connect(use)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog
