"""The Data page: wires the project's file to rows, facts and findings."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.dataset import ChatFile
from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.data.view import DataView
from studio.ui.pages.data.view_model import (
    Split,
    chat_note,
    chat_title,
    data_facts,
    findings_note,
    held_out_choices,
    held_out_words,
    page_facts,
    share_key,
    shown_turns,
    split_of,
)
from studio.ui.pages.desk import Desk
from studio.ui.pages.finding_text import show_findings

DATA_FILTER = "Chats (*.jsonl *.json);;All files (*)"


class DataPage(QWidget):
    """Wires the Data page.

    Attributes:
        view: Its widgets.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._shown: ChatFile | None = None
        self._split = Split(0, frozenset())
        self.view = DataView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect()
        self._show()

    @Slot(str)
    def use_file(self, path: str) -> None:
        """Make a file the project's data; it is read at once."""
        project = self._desk.projects.current
        if project is None:
            return
        try:
            project.set_value("data.path", path)
        except StudioError as refused:
            self._desk.notices.post(refused.finding)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()

    def _connect(self) -> None:
        bind_keys(self, Deed.FIND, self._on_find)
        view, filled, desk = self.view, self.view.filled, self._desk
        for chooser in (view.choose, view.choose_other, filled.strip.replace):
            chooser.clicked.connect(self._on_choose)
        view.empty.drop_zone.clicked.connect(self._on_choose)
        view.to_start.clicked.connect(self._on_to_start)
        view.go_on.clicked.connect(self._on_go_on)
        view.try_again.clicked.connect(desk.data.read_again)
        filled.strip.read_again.clicked.connect(desk.data.read_again)
        filled.search.textChanged.connect(self._on_search_changed)
        filled.rows_table.selectionModel().currentRowChanged.connect(
            self._on_row_changed
        )
        filled.held_out.activated.connect(self._on_held_out_chosen)
        desk.data.data_changed.connect(self._on_data_changed)
        desk.projects.current_changed.connect(self._on_data_changed)
        desk.projects.recipe_changed.connect(self._on_recipe_changed)

    def _recipe(self) -> Recipe:
        project = self._desk.projects.current
        return Recipe() if project is None else project.recipe

    def _show(self) -> None:
        view, data = self.view, self._desk.data
        has_project = self._desk.projects.current is not None
        self._show_header(has_project=has_project)
        if not has_project:
            view.show_face(view.no_project)
        elif not data.path:
            view.show_face(view.empty)
        elif data.finding is not None:
            show_findings(view.trouble_findings, [data.finding])
            view.show_face(view.trouble)
        elif data.chat_file is None:
            view.reading.text.setText(data.path)
            view.show_face(view.reading)
        else:
            self._show_file(data.chat_file)
            view.show_face(view.filled)

    def _show_header(self, *, has_project: bool) -> None:
        view, data = self.view, self._desk.data
        view.header.set_facts(page_facts(self._recipe(), data.path))
        view.choose.setVisible(has_project and not data.path)
        ready = data.chat_file is not None
        view.go_on.setEnabled(ready)
        reason = "" if ready else "The recipe needs rows to train on."
        view.go_on.setToolTip(reason)
        view.go_on.setAccessibleDescription(reason)

    def _show_file(self, file: ChatFile) -> None:
        filled = self.view.filled
        self._split = split_of(file, self._recipe())
        if file is not self._shown:
            self._shown = file
            filled.search.clear()
            filled.rows.set_chats(file.chats, self._split)
            filled.rows_table.selectRow(0)
            self._show_findings(file)
        else:
            filled.rows.set_split(self._split)
        self._show_facts(file)
        self._show_held_out(file)
        self._show_chat()

    def _show_facts(self, file: ChatFile) -> None:
        strip, facts = self.view.filled.strip, data_facts(file, self._split)
        strip.name.set_text(facts.name)
        strip.form.set_text(facts.form)
        strip.name.setToolTip(facts.folder)
        for (value, caption), (figure, words) in zip(
            strip.figures, facts.figures, strict=True
        ):
            value.setText(figure)
            caption.setText(words)

    def _show_held_out(self, file: ChatFile) -> None:
        filled, share = self.view.filled, self._recipe().data.held_out
        filled.held_out.set_choices(held_out_choices(share))
        filled.held_out.set_value(share_key(share))
        filled.held_out_words.set_text(held_out_words(file, self._split))

    def _show_findings(self, file: ChatFile) -> None:
        filled = self.view.filled
        show_findings(filled.findings, list(file.findings), soft=False)
        filled.no_findings.setVisible(not file.findings)
        filled.findings_card.set_note(findings_note(file.findings))

    def _show_chat(self) -> None:
        filled = self.view.filled
        row = filled.rows_table.current_row()
        chat = filled.rows.chat_at(row)
        filled.chat_card.set_title(chat_title(chat))
        if chat is None:
            filled.chat.set_turns(())
            filled.chat_note.setText("")
            return
        held_out = filled.rows.is_held_out(row)
        filled.chat.set_turns(shown_turns(chat, held_out=held_out))
        filled.chat_note.setText(chat_note(chat, held_out=held_out))

    @Slot()
    def _on_choose(self) -> None:
        dialog = QFileDialog(self, "Choose a data file", "", DATA_FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.use_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_to_start(self) -> None:
        self._desk.go_to("start")

    @Slot()
    def _on_go_on(self) -> None:
        self._desk.go_to("recipe")

    @Slot()
    def _on_find(self) -> None:
        self.view.filled.search.setFocus()

    @Slot(str)
    def _on_search_changed(self, text: str) -> None:
        self.view.filled.rows.search(text)
        self.view.filled.rows_table.selectRow(0)
        self._show_chat()

    @Slot()
    def _on_row_changed(self) -> None:
        self._show_chat()

    @Slot()
    def _on_held_out_chosen(self) -> None:
        project = self._desk.projects.current
        if project is None:
            return
        try:
            share = float(self.view.filled.held_out.value())
            project.set_value("data.held_out", share)
        except StudioError as refused:
            self._desk.notices.post(refused.finding)

    @Slot()
    def _on_data_changed(self) -> None:
        self._show()

    @Slot()
    def _on_recipe_changed(self) -> None:
        self._show()
