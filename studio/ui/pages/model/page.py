"""The Model page: lists, prices and chooses the model that is trained."""

from collections.abc import Sequence

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.recipe import Recipe
from studio.services.model_shelf import ModelPlace
from studio.services.pricing import price
from studio.ui.actions import bind_keys
from studio.ui.item_models.cells import Cell
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.pages.model.filters import ANY, Filters
from studio.ui.pages.model.prices import ListPrices, Price
from studio.ui.pages.model.view import (
    Details,
    FactLine,
    ModelView,
    PartLine,
    TextLine,
)
from studio.ui.pages.model.view_model import (
    ModelDetails,
    ModelRow,
    in_order,
    list_facts,
    model_details,
    model_row,
)


class ModelPage(QWidget):
    """Wires the Model page.

    Attributes:
        view: Its widgets.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._places: dict[str, ModelPlace] = {}
        self._folders: dict[str, ModelPlace] = {}
        self._selected = ""
        self._shown: ModelDetails | None = None
        self._shelf = Errand(desk.models.entries, self)
        self._prices = ListPrices(self)
        self.view = ModelView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect()

    def select(self, name: str) -> None:
        """Show the details of a model by its name."""
        row = self.view.models.row_of(name)
        if row >= 0:
            self.view.models_table.selectRow(row)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._shelf.run()
        self._show()

    def _connect(self) -> None:
        view, desk = self.view, self._desk
        bind_keys(self, Deed.FIND, self._on_find)
        bind_keys(self, Deed.ONLY_FITTING, view.only_fitting.toggle)
        self._shelf.errand_done.connect(self._on_shelf_read)
        self._shelf.errand_failed.connect(desk.notices.post)
        self._prices.prices_changed.connect(self._on_world_changed)
        view.from_folder.clicked.connect(self._on_from_folder)
        view.use.clicked.connect(self._on_use)
        view.search.textChanged.connect(self._on_filters_changed)
        for chip in (view.only_fitting, view.only_here):
            chip.toggled.connect(self._on_filters_changed)
        for box in (view.sizes, view.licences):
            box.currentIndexChanged.connect(self._on_filters_changed)
        view.clear_filters.clicked.connect(self.clear_filters)
        view.models_table.selectionModel().currentRowChanged.connect(
            self._on_row_changed
        )
        view.models_table.activated.connect(self._on_use)
        view.details.open_folder.clicked.connect(self._on_open_folder)
        desk.hardware.reading_changed.connect(self._on_world_changed)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.projects.recipe_changed.connect(self._on_world_changed)

    def _recipe(self) -> Recipe:
        project = self._desk.projects.current
        return Recipe() if project is None else project.recipe

    def _known(self) -> Sequence[ModelPlace]:
        own = self._own_place()
        extra = dict(self._folders)
        if own is not None and own.name not in self._places:
            extra.setdefault(own.name, own)
        return [*self._places.values(), *extra.values()]

    def _own_place(self) -> ModelPlace | None:
        """The model of the project's recipe, which may be a folder of its own."""
        name = self._recipe().model.name
        if not name or name in self._places:
            return self._places.get(name)
        try:
            return self._desk.models.look_up(name)
        except StudioError:
            return None

    def _show(self) -> None:
        reading = self._desk.hardware.latest
        if reading is None or not self.isVisible():
            return
        device = reading.device()
        self._prices.ask(self._known(), device)
        rows = self._rows(device)
        asked = self._filters()
        shown = [row for row in rows if asked.let_through(row)]
        table = self.view.models_table
        self.view.bars.set_scale(device.total_bytes)
        self.view.models.set_rows([(row.name, _cells(row)) for row in shown])
        self.view.header.set_facts(list_facts(len(shown), len(rows), device))
        table.setVisible(bool(shown))
        self.view.nothing.setVisible(bool(rows) and not shown)
        if shown and table.current_row() < 0:
            chosen = self._selected or self._recipe().model.name
            self.select(chosen if chosen in {r.name for r in shown} else shown[0].name)
        self._show_details(device)
        self._show_use()

    def _rows(self, device: TrainingDevice) -> list[ModelRow]:
        in_use = self._recipe().model.name
        rows = [
            model_row(place, self._price_of(place, device), device, in_use)
            for place in self._known()
        ]
        return in_order(rows)

    def _price_of(self, place: ModelPlace, device: TrainingDevice) -> Price | None:
        """By the project's recipe for its model, by that of the marks for others."""
        recipe = self._recipe()
        if place.name == recipe.model.name:
            return price(recipe, place, device)
        return self._prices.of(place.name)

    def _filters(self) -> Filters:
        view = self.view
        return Filters(
            searched=view.search.text(),
            only_fitting=view.only_fitting.isChecked(),
            only_here=view.only_here.isChecked(),
            size=view.sizes.value(),
            licence=view.licences.value(),
        )

    def _place(self) -> ModelPlace | None:
        known = {place.name: place for place in self._known()}
        return known.get(self._selected)

    def _show_details(self, device: TrainingDevice) -> None:
        place = self._place()
        self.view.details.setVisible(place is not None)
        if place is None:
            return
        found = self._price_of(place, device)
        details = model_details(place, found, device, self._recipe())
        if details != self._shown:
            self._shown = details
            _tell(self.view.details, details)

    def _show_use(self) -> None:
        button, place = self.view.use, self._place()
        if self._desk.projects.current is None:
            button.setText("Open a project first")
            button.setEnabled(True)
        elif place is not None and place.name == self._recipe().model.name:
            button.setText("Go on to the data")
            button.setEnabled(True)
        else:
            title = "" if place is None else place.title.replace("&", "&&")
            button.setText(f"Use {title}".strip())
            can_use = self._shown is not None and self._shown.can_use
            button.setEnabled(can_use)
            button.setToolTip("" if can_use else "This model is not on this disk.")

    def _use(self, name: str) -> None:
        project = self._desk.projects.current
        if project is None:
            return
        clear(self.view.findings)
        try:
            project.set_value("model.name", name)
        except StudioError as refused:
            show_findings(self.view.findings, [refused.finding])

    @Slot(str)
    def add_folder(self, folder: str) -> None:
        """List the model of a folder and select it, or say why it is none."""
        clear(self.view.findings)
        try:
            place = self._desk.models.look_up(folder)
        except StudioError as refused:
            show_findings(self.view.findings, [refused.finding])
            return
        self._folders[place.name] = place
        self._selected = place.name
        self.clear_filters()
        self._show()
        self.select(place.name)

    @Slot()
    def clear_filters(self) -> None:
        """Show the whole list again."""
        view = self.view
        view.search.clear()
        view.only_fitting.setChecked(False)
        view.only_here.setChecked(False)
        view.sizes.set_value(ANY)
        view.licences.set_value(ANY)

    @Slot()
    def _on_from_folder(self) -> None:
        dialog = QFileDialog(self, "Choose a model's folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self.add_folder)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_use(self) -> None:
        if self._desk.projects.current is None:
            self._desk.go_to("start")
        elif self._selected == self._recipe().model.name:
            self._desk.go_to("data")
        elif self.view.use.isEnabled():
            self._use(self._selected)

    @Slot()
    def _on_row_changed(self) -> None:
        name = self.view.models.key_at(self.view.models_table.current_row())
        if name and name != self._selected:
            self._selected = name
            self._show()

    @Slot()
    def _on_find(self) -> None:
        self.view.search.setFocus()

    @Slot()
    def _on_filters_changed(self) -> None:
        self._show()

    @Slot()
    def _on_open_folder(self) -> None:
        if self._shown is not None and self._shown.folder:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self._shown.folder))

    @Slot(object)
    def _on_shelf_read(self, places: Sequence[ModelPlace]) -> None:
        self._places = {place.name: place for place in places}
        self._show()

    @Slot()
    def _on_project_changed(self) -> None:
        self._selected = ""
        self._show()

    @Slot()
    def _on_world_changed(self) -> None:
        self._show()


def _cells(row: ModelRow) -> list[Cell]:
    peak = f"{row.peak} GiB at its peak" if row.peak else "Not priced yet"
    return [
        Cell(row.title, caption=row.caption, hint=row.hint),
        Cell(row.weights),
        Cell(peak, painted=row.bar, hint=row.reason),
        Cell(row.peak, hint=row.reason),
        Cell(row.mark.words, painted=row.mark, hint=row.reason),
    ]


def _tell(card: Details, details: ModelDetails) -> None:
    card.title.set_text(details.title)
    card.mark.set_mark(details.mark, details.title)
    card.description.setText(details.description)
    card.description.setVisible(bool(details.description))
    card.bar.set_state(details.bar)
    clear(card.parts)
    for part in details.parts:
        card.parts.addWidget(PartLine(part))
    card.peak_row.setVisible(bool(details.peak))
    card.peak.setText(details.peak)
    card.peak_range.setText(details.peak_range)
    card.why_not_priced.setText(details.why_not_priced)
    card.why_not_priced.setVisible(bool(details.why_not_priced))
    card.texts_title.setVisible(bool(details.texts))
    clear(card.texts)
    for text in details.texts:
        card.texts.addWidget(TextLine(text))
    clear(card.facts)
    for name, value in details.facts:
        card.facts.addWidget(FactLine(name, value))
    card.preparation.setText(details.preparation)
    card.preparation.setVisible(bool(details.preparation))
    card.open_folder.setVisible(bool(details.folder))
