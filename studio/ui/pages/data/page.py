"""The Data page: wires the project's file to rows, lengths, findings and the form."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.data import findings
from studio.ui.pages.data.edits import DataEdits
from studio.ui.pages.data.findings import FindingInputs, ShownFinding, shown_findings
from studio.ui.pages.data.findings_card import check_state
from studio.ui.pages.data.hub_dialog import ask_for_hub_data
from studio.ui.pages.data.lengths import length_bars, length_words
from studio.ui.pages.data.mapping_form import MappingForm
from studio.ui.pages.data.mending import Mending
from studio.ui.pages.data.pricing import LinePricer
from studio.ui.pages.data.row_filter import RowFilter
from studio.ui.pages.data.shown_row import ShownRow
from studio.ui.pages.data.view import DataView
from studio.ui.pages.data.view_model import (
    Split,
    checking_words,
    data_facts,
    held_out_choices,
    held_out_words,
    page_facts,
    share_key,
    split_of,
)
from studio.ui.pages.data_files import ask_for_file, ask_for_folder
from studio.ui.pages.desk import Desk
from studio.ui.pages.drafts.entry import DraftsEntry
from studio.ui.pages.drafts.view_model import FACTS
from studio.ui.pages.finding_text import show_findings

_NO_ROWS = "The recipe needs rows to train on."
_MAPPING_TROUBLES = {"data.no-usable-row", "data.mapping", "data.format-unknown"}
_OPEN_ERROR = "An error among the findings has to be mended first."


class DataPage(QWidget):
    """Wires the Data page.

    Attributes:
        view: Its widgets.
        edits: What it changes in the recipe, and what can be taken back.
        drafts: Makes examples from documents.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._shown: ChatFile | None = None
        self._split = Split(0, frozenset())
        self._trouble: Finding | None = None
        self._is_assigning = False
        self._pricer = LinePricer(desk)
        self.edits = DataEdits(desk, self)
        self._mending = Mending(desk, self.edits, self._pricer, self)
        self.drafts = DraftsEntry(desk, self.edits.use_file, self)
        self.view = DataView(MappingForm(desk.data_tools.previewer), self.drafts.panel)
        filled = self.view.filled
        self._row = ShownRow(filled.rows, filled.row, desk.data_tools.tokens, self)
        self._filter = RowFilter(desk, filled.rows, filled.findings, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect_services()
        self._connect_header()
        self._connect_cards()
        self._declare_keys()
        self._show()

    @Slot(str)
    def use_file(self, path: str) -> None:
        """Make a file or folder the project's data; it is read at once."""
        self.edits.use_file(path)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._pricer.look_again()
        self._show()

    def _connect_services(self) -> None:
        desk = self._desk
        desk.data.data_changed.connect(self._on_data_changed)
        desk.data.progress_changed.connect(self._on_progress)
        self._mending.failed.connect(self._on_row_failed)
        self._mending.way_changed.connect(self._on_progress)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.projects.recipe_changed.connect(self._on_recipe_changed)
        desk.hardware.reading_changed.connect(self._on_reading_changed)
        self._filter.search_failed.connect(self._on_row_failed)

    def _connect_header(self) -> None:
        view, strip = self.view, self.view.filled.strip
        for chooser in (view.choose, view.choose_other, view.empty.drop_zone):
            chooser.clicked.connect(self._on_choose)
        strip.other_file.triggered.connect(self._on_choose)
        strip.other_folder.triggered.connect(self._on_choose_folder)
        strip.from_hub.triggered.connect(self._on_from_hub)
        view.empty.from_hub.clicked.connect(self._on_from_hub)
        view.choose_folder.clicked.connect(self._on_choose_folder)
        view.to_start.clicked.connect(self._on_to_start)
        view.go_on.clicked.connect(self._on_go_on)
        view.try_again.clicked.connect(self._on_read_again)
        strip.read_again.triggered.connect(self._on_read_again)
        for assign in (view.assign, strip.assign):
            assign.clicked.connect(self._on_assign)
        view.mapping.choice_made.connect(self._on_choice_made)
        view.mapping.left.connect(self._on_form_left)
        view.empty.make_drafts.clicked.connect(self.drafts.make)
        strip.make_drafts.triggered.connect(self.drafts.make)
        self.drafts.is_open_changed.connect(self._on_drafts_changed)

    def _connect_cards(self) -> None:
        filled = self.view.filled
        filled.rows.current_changed.connect(self._on_row_changed)
        filled.rows.held_out.activated.connect(self._on_held_out_chosen)
        queued = Qt.ConnectionType.QueuedConnection  # it fails while a row is painted
        filled.rows.model.row_failed.connect(self._on_row_failed, queued)
        filled.lengths.histogram.line_moved.connect(self._on_line_moved)
        filled.lengths.histogram.line_set.connect(self._on_line_set)
        filled.findings.stop.clicked.connect(self._on_stop)
        filled.findings.check.clicked.connect(self._desk.data.check_again)
        filled.findings.fix_chosen.connect(self._on_fix_chosen)

    def _declare_keys(self) -> None:
        bind_keys(self, Deed.FIND, self._filter.find)
        bind_keys(self, Deed.UNDO, self.edits.stack.undo)
        bind_keys(self, Deed.REDO, self.edits.stack.redo)
        bind_keys(self, Deed.NEXT_FINDING, self._on_next_finding)
        bind_keys(self, Deed.LAST_FINDING, self._on_last_finding)

    def _recipe(self) -> Recipe:
        project = self._desk.projects.current
        return Recipe() if project is None else project.recipe

    def _show(self) -> None:
        view, data = self.view, self._desk.data
        has_project = self._desk.projects.current is not None
        if not has_project:
            view.show_face(view.no_project)
        elif self.drafts.is_open:
            view.show_face(view.drafts)
        elif not data.path:
            view.show_face(view.empty)
        elif self._is_assigning:
            view.show_face(view.mapping)
        elif data.finding is not None:
            show_findings(view.trouble_findings, [data.finding])
            view.assign.setVisible(data.finding.code in _MAPPING_TROUBLES)
            view.show_face(view.trouble)
        elif data.chat_file is None:
            view.reading.text.setText(data.path)
            view.show_face(view.reading)
        else:
            self._show_file(data.chat_file)
            view.show_face(view.filled)
        self._show_header(has_project=has_project)

    def _show_header(self, *, has_project: bool) -> None:
        view, data = self.view, self._desk.data
        facts = page_facts(self._recipe(), data.path)
        view.header.set_facts(FACTS if self.drafts.is_open else facts)
        for chooser in (view.choose, view.choose_folder):
            chooser.setVisible(
                has_project and not data.path and not self.drafts.is_open
            )
        reason = "" if data.chat_file is not None else _NO_ROWS
        if not reason and findings.has_open_error(self._findings(data.chat_file)):
            reason = _OPEN_ERROR
        view.go_on.setVisible(not (self._is_assigning or self.drafts.is_open))
        view.go_on.setEnabled(not reason)
        view.go_on.setToolTip(reason)
        view.go_on.setAccessibleDescription(reason)

    def _show_file(self, file: ChatFile) -> None:
        filled, recipe = self.view.filled, self._recipe()
        split = split_of(file, recipe)
        before, self._shown = self._shown, file
        self._filter.set_file(file)
        if file is not before:
            filled.lengths.show_bars(length_bars(file))
        if before is None or file.chats is not before.chats:
            self._split, self._trouble = split, None
            # The rest of a large file comes later; its first rows stay where they are.
            goes_on = before is not None and not before.is_whole
            kept = filled.rows.current_place() if goes_on else 0
            filled.rows.set_chats(file.chats, split)
            # Only now: an emptied search shows rows, and those of before are gone.
            filled.rows.search.clear()
            filled.rows.show_places(range(len(file.chats)), "", kept)
        elif split != self._split:
            self._split = split
            filled.rows.model.set_split(split)
        filled.rows.model.set_tokens(self._desk.data.row_tokens)
        filled.strip.show_facts(data_facts(file, split, recipe, self._desk.data.report))
        self._show_held_out(file)
        self._show_lengths()
        self._show_findings()
        self._show_row()

    def _show_held_out(self, file: ChatFile) -> None:
        field, share = (
            self.view.filled.rows.held_out,
            self._recipe().data.share_held_out,
        )
        field.set_choices(held_out_choices(share))
        field.set_value(share_key(share))
        words = held_out_words(file, self._split)
        field.setToolTip(words)
        field.setAccessibleDescription(words)

    def _show_lengths(self, line: int = 0) -> None:
        """Tell what the line does: at its place in the recipe, or where it is held."""
        file, recipe = self._shown, self._recipe()
        if file is None or not self.isVisible():
            return
        then = self.edits.recipe_at(line) if line else recipe
        now_price = self._pricer.price(recipe)
        price = self._pricer.price(then) if line else now_price
        words = length_words(file, then, now_price, price)
        self.view.filled.lengths.show_words(words, then.train.sequence_length)

    def _findings(self, file: ChatFile | None) -> tuple[ShownFinding, ...]:
        if file is None:
            return ()
        recipe = self._recipe()
        return shown_findings(
            FindingInputs(
                file=file,
                recipe=recipe,
                report=self._desk.data.report,
                trouble=self._trouble or self._desk.data.trouble,
                mended=self._mending.mended_in(file),
                can_mend=self._mending.can_mend,
                context=self._pricer.context(recipe),
            )
        )

    def _show_findings(self) -> None:
        shown = self._findings(self._shown)
        self.view.filled.findings.show_findings(shown, check_state(self._desk.data))
        self._show_progress()

    def _show_row(self) -> None:
        recipe = self._recipe()
        has_model = self._pricer.has_model(recipe)
        self._row.show(self._shown, recipe, has_model=has_model)

    @Slot()
    def _on_choose(self) -> None:
        ask_for_file(self, self.use_file)

    @Slot()
    def _on_choose_folder(self) -> None:
        ask_for_folder(self, self.use_file)

    @Slot()
    def _on_from_hub(self) -> None:
        ask_for_hub_data(self._desk, self, self.use_file)

    @Slot()
    def _on_read_again(self) -> None:
        self._desk.data.read_again()

    @Slot()
    def _on_stop(self) -> None:
        if self._mending.is_busy:
            self._mending.stop()
        else:
            self._desk.data.stop_checking()

    @Slot()
    def _on_to_start(self) -> None:
        self._desk.go_to("start")

    @Slot()
    def _on_go_on(self) -> None:
        self._desk.go_to("recipe")

    @Slot()
    def _on_assign(self) -> None:
        self._is_assigning = True
        self._show()
        self.view.mapping.begin(self._recipe().data)

    @Slot(str, object)
    def _on_choice_made(self, format_name: str, columns: tuple[str, ...]) -> None:
        self._is_assigning = False
        self.edits.assign(format_name, columns)
        self._show()

    @Slot()
    def _on_form_left(self) -> None:
        self._is_assigning = False
        self._show()

    @Slot()
    def _on_drafts_changed(self) -> None:
        self._show()

    @Slot()
    def _on_row_changed(self) -> None:
        self._show_row()

    @Slot(object)
    def _on_row_failed(self, finding: Finding) -> None:
        self._trouble = finding
        self._show_findings()

    @Slot()
    def _on_held_out_chosen(self) -> None:
        self.edits.hold_out(float(self.view.filled.rows.held_out.value()))

    @Slot(int)
    def _on_line_moved(self, line: int) -> None:
        self._show_lengths(line)

    @Slot(int)
    def _on_line_set(self, line: int) -> None:
        self.edits.set_length(line)
        self._show_lengths()

    @Slot(str)
    def _on_fix_chosen(self, fix: str) -> None:
        kind, _, what = fix.partition(":")
        match kind:
            case findings.ASSIGN:
                self._on_assign()
            case findings.CONFIRM if self._shown is not None:
                self.edits.confirm(self._shown)
            case findings.READ_AGAIN:
                self._on_read_again()
            case findings.REVIEW:
                self.drafts.review()
            case findings.LENGTH:
                self.edits.set_length(int(what))
            case findings.MEND:
                self._mending.mend(what, self._findings(self._shown))
            case findings.UNDO:
                self._mending.take_back(what)

    @Slot()
    def _on_next_finding(self) -> None:
        self.view.filled.findings.go(1)

    @Slot()
    def _on_last_finding(self) -> None:
        self.view.filled.findings.go(-1)

    @Slot()
    def _on_progress(self) -> None:
        self._show_findings()

    def _show_progress(self) -> None:
        data, card = self._desk.data, self.view.filled.findings
        if self._mending.is_busy and self._shown is not None:
            rows = len(self._shown.chats) + self._shown.left_out
            words, done = self._mending.way(rows)
            can_stop = self._mending.can_stop
            card.show_progress(words, done, rows if done else 0, can_stop=can_stop)
            return
        words = checking_words(*data.progress) if data.is_checking else ""
        card.show_progress(words, *data.progress)

    @Slot()
    def _on_data_changed(self) -> None:
        self._show()

    @Slot()
    def _on_project_changed(self) -> None:
        self._is_assigning = False
        self.drafts.close()
        self.edits.stack.clear()
        self._show()

    @Slot()
    def _on_recipe_changed(self) -> None:
        self._show()

    @Slot()
    def _on_reading_changed(self) -> None:
        if not self.view.filled.lengths.histogram.is_dragged:
            self._show_lengths()
