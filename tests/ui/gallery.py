"""Renders the kit in both palettes to PNG files, to be looked at.

Run it with a folder to write to: ``python tests/ui/gallery.py FOLDER``.
"""

import sys
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QRadioButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.domain.recipe import OPTIONS, Recipe
from studio.ui.forms.option_form import OptionForm
from studio.ui.forms.option_rows import OptionRow, SetBy
from studio.ui.forms.option_table import OptionTable
from studio.ui.icons import IconName
from studio.ui.theme import ColourScheme, Theme
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button, icon_button
from studio.ui.widgets.card import Card
from studio.ui.widgets.empty_state import EmptyState
from studio.ui.widgets.finding_card import FindingCard, FindingKind, FindingText, Fix
from studio.ui.widgets.fit_mark import FitMark, mark_for
from studio.ui.widgets.inputs import (
    ChoiceBox,
    IntegerField,
    SearchField,
    TextField,
    set_error,
)
from studio.ui.widgets.labels import Role, Sentence, label
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.memory_bar_layout import BarHeight
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment, Verdict
from studio.ui.widgets.metric_tile import MetricTile
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.progress_header import ProgressHeader, ProgressText
from studio.ui.widgets.segmented import Segmented
from studio.ui.widgets.table import (
    CAPTION_ROLE,
    DataTable,
    MarkDelegate,
    MemoryBarDelegate,
)

S = Segment
GIB = 1024**3


def a_bar(**held: float) -> MemoryBarState:
    """A bar of a card of 11.99 GiB; segments are given in GiB."""
    used = {
        "other": 1.10,
        "weights": 5.17,
        "adapter": 0.30,
        "activations": 1.85,
        "loss": 0.34,
        "overhead": 0.58,
        "headroom": 0.50,
    }
    used.update(held)
    bytes_of = {S(name): round(amount * GIB) for name, amount in used.items()}
    band = tuple(round(amount * GIB) for amount in (8.24, 8.12, 8.46))
    return MemoryBarState.filled(
        round(11.99 * GIB), bytes_of, verdict=Verdict.FITS, band=band
    )


def measured() -> MemoryBarState:
    return MemoryBarState.filled(
        round(11.99 * GIB),
        {S.OTHER: round(1.1 * GIB)},
        measured=True,
        band=tuple(round(amount * GIB) for amount in (8.24, 8.12, 8.46)),
    )


STATES = {
    "fits": a_bar(),
    "tight": a_bar(weights=7.7, headroom=0.12),
    "does not fit": a_bar(weights=8.8, headroom=0),
    "others rose": a_bar(other=2.3),
    "not priced yet": MemoryBarState.not_priced(round(11.99 * GIB)),
    "measuring now": measured(),
}


def named(name: str, widget: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    caption = label(name, Role.CAPTION, Tone.MUTED)
    caption.setFixedWidth(110)
    row.addWidget(caption)
    row.addWidget(widget, 1)
    return holder


def memory_page() -> PageFrame:
    page = PageFrame("The memory bar", "One picture for one promise.")
    anatomy = Card("Anatomy", "order never changes")
    bar = MemoryBar()
    bar.set_state(a_bar())
    anatomy.body.addWidget(bar)
    page.content.addWidget(anatomy)
    hardware = Card("Measured")
    reading = MemoryBar(shows_prediction=False)
    reading.set_state(measured())
    hardware.body.addWidget(reading)
    page.content.addWidget(hardware)
    columns = TwoColumns(side_width=504)
    sizes, states = Card("Sizes"), Card("States")
    for height in BarHeight:
        if height is not BarHeight.PAGE:
            small = MemoryBar(height)
            small.set_state(a_bar())
            sizes.body.addWidget(named(f"{height.value} px", small))
    off = MemoryBar(BarHeight.DETAILS)
    off.set_state(a_bar())
    off.setEnabled(False)
    sizes.body.addWidget(named("disabled", off))
    sizes.body.addStretch(1)
    for name, state in STATES.items():
        shown = MemoryBar(BarHeight.DETAILS)
        shown.set_state(state)
        states.body.addWidget(named(name, shown))
    columns.left.addWidget(sizes)
    columns.right.addWidget(states)
    page.content.addWidget(columns)
    page.content.addStretch(1)
    return page


def controls() -> Card:
    card = Card("Controls and marks", "all pages")
    for kinds in ((ButtonKind.PRIMARY, ButtonKind.NORMAL), (ButtonKind.DANGER,)):
        row = QHBoxLayout()
        for kind in kinds:
            row.addWidget(button(kind.value.title(), kind, IconName.PLAY))
            disabled = button("Disabled", kind)
            disabled.setEnabled(False)
            row.addWidget(disabled)
        row.addWidget(button("Show them", ButtonKind.FLAT))
        row.addWidget(icon_button(IconName.COPY, "Copy"))
        row.addStretch(1)
        card.body.addLayout(row)
    card.body.addWidget(
        Segmented([("a", "Balanced"), ("b", "Quality"), ("c", "Speed")], name="Aim")
    )
    fields = QHBoxLayout()
    length = IntegerField(16, 40_000, name="Length", unit="tokens")
    length.setValue(2048)
    wrong = TextField("40,000", name="Length")
    problem = label("", Role.CAPTION, Tone.DANGER)
    set_error(wrong, "This model reads at most 32,768 tokens.", problem)
    for field in (length, wrong, ChoiceBox([("0", "Card 0: RTX 4070")], name="Card")):
        fields.addWidget(field)
    card.body.addLayout(fields)
    card.body.addWidget(problem)
    card.body.addWidget(SearchField(name="Find", hint="Find a setting"))
    ticks = QHBoxLayout()
    for kind in (QCheckBox, QRadioButton):
        for checked in (True, False):
            tick = kind("On" if checked else "Off")
            tick.setAutoExclusive(False)
            tick.setChecked(checked)
            ticks.addWidget(tick)
    ticks.addStretch(1)
    card.body.addLayout(ticks)
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setValue(52)
    card.body.addWidget(slider)
    progress = QProgressBar()
    progress.setTextVisible(False)
    progress.setValue(65)
    card.body.addWidget(progress)
    marks = QHBoxLayout()
    for verdict in Verdict:
        marks.addWidget(FitMark(mark_for(verdict, round(0.63 * GIB))))
    marks.addStretch(1)
    card.body.addLayout(marks)
    text = QPlainTextEdit("studio.engine train runs/cheese-1\nstep 1 of 36")
    text.setProperty("role", "mono")
    text.setFixedHeight(56)
    card.body.addWidget(text)
    card.body.addStretch(1)
    return card


class Shelf(QAbstractTableModel):
    """A few rows with a mark and a bar."""

    ROWS = (
        ("Qwen2.5-7B-Instruct", "Qwen · on this disk", "8.24", "fits"),
        ("Mistral-Nemo-12B", "Mistral · one row at a time", "10.59", "tight"),
        ("Qwen2.5-14B-Instruct", "Qwen · 1,024 tokens", "11.52", "does not fit"),
    )
    VERDICTS = (Verdict.FITS, Verdict.TIGHT, Verdict.SHORT)

    @override
    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return len(self.ROWS)

    @override
    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 4

    @override
    def data(self, index: QModelIndex, role: int = 0) -> object:
        row = self.ROWS[index.row()]
        column = index.column()
        answers = {
            (0, Qt.ItemDataRole.DisplayRole): row[0],
            (0, CAPTION_ROLE): row[1],
            (1, Qt.ItemDataRole.UserRole): STATES[row[3]],
            (2, Qt.ItemDataRole.DisplayRole): row[2],
            (2, Qt.ItemDataRole.TextAlignmentRole): Qt.AlignmentFlag.AlignRight,
            (3, Qt.ItemDataRole.UserRole): mark_for(
                self.VERDICTS[index.row()], round(0.63 * GIB)
            ),
        }
        return answers.get((column, role))

    @override
    def headerData(self, section: int, way: Qt.Orientation, role: int = 0) -> object:
        if role == Qt.ItemDataRole.DisplayRole and way is Qt.Orientation.Horizontal:
            return ("Model", "Memory at peak", "GiB", "On this card")[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section == 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


def shelf() -> Card:
    card = Card("Models", flush=True)
    model = Shelf(card)
    table = DataTable(model, name="Models", row_height=Height.ROW_TWO_LINES)
    table.setItemDelegateForColumn(1, MemoryBarDelegate(table))
    table.setItemDelegateForColumn(3, MarkDelegate(table))
    table.set_widths({1: 168, 2: 72, 3: 140})
    table.stretch_column(0)
    table.selectRow(0)
    card.body.addWidget(table)
    return card


def findings() -> Card:
    card = Card("Before you start", "2 open, 1 mended", divided=True)
    card.body.addWidget(
        FindingCard(
            FindingText(
                kind=FindingKind.WARNING,
                what="21 rows are longer than 2,048 tokens",
                consequence="Their ends would be cut off, and the answers with them.",
                fixes=(
                    Fix("longer", "Use 2,560 (+0.42 GiB)"),
                    Fix("leave", "Leave them out"),
                    Fix("show", "Show them", flat=True),
                ),
            )
        )
    )
    card.add_row_line()
    card.body.addWidget(
        FindingCard(
            FindingText(
                kind=FindingKind.MENDED,
                what="6 rows came twice",
                consequence="One of each was kept.",
                fixes=(Fix("undo", "Undo", flat=True),),
            )
        )
    )
    card.body.addWidget(
        FindingCard(
            FindingText(
                kind=FindingKind.ERROR,
                what="Line 1,204 is not valid JSON.",
                consequence="The other 1,841 rows are read and kept.",
                fixes=(Fix("open", "Open at line"),),
            ),
            soft=True,
        )
    )
    return card


def states_page() -> PageFrame:
    page = PageFrame("States", "Each says what is so, what was kept, what to do next.")
    page.header.add_action_widget(button("Pause", icon=IconName.PAUSE))
    page.header.add_action_widget(button("Stop…", ButtonKind.DANGER, IconName.STOP))
    page.header.add_action_widget(
        button("Start", ButtonKind.PRIMARY, IconName.PLAY, size=ButtonSize.LARGE)
    )
    progress = ProgressHeader()
    progress.show_progress(
        ProgressText(
            share=0.654,
            answer="12 to 15 min left",
            detail="step 214 of 327, pass 2 of 3",
            gone="24 min 31 s gone, ends about 15:42",
            saved="last saved at step 200",
        )
    )
    progress.add_divider()
    for caption, value in (("Training loss", "1.093"), ("Held-out loss", "")):
        progress.add_tile(MetricTile(caption, value))
    page.content.addWidget(progress)
    grid = QGridLayout()
    grid.setSpacing(Space.LARGE)
    empty = EmptyState(
        IconName.BARS,
        "No runs yet",
        "Every run is kept here with its recipe, its losses and what it used.",
    )
    empty.add_button(button("Go to the recipe", ButtonKind.PRIMARY))
    empty.add_button(button("Example"))
    grid.addWidget(empty, 0, 0)
    grid.addWidget(controls(), 0, 1)
    grid.addWidget(shelf(), 1, 0)
    grid.addWidget(findings(), 1, 1)
    grid.setColumnStretch(0, 1)
    grid.setColumnStretch(1, 1)
    page.content.addLayout(grid)
    answer = QHBoxLayout()
    answer.addWidget(FitMark(mark_for(Verdict.FITS), large=True))
    answer.addWidget(Sentence("The run needs **8.24 GiB** of the 10.89 GiB free."))
    answer.addStretch(1)
    page.content.addLayout(answer)
    return page


def forms_page() -> PageFrame:
    page = PageFrame("Recipe", "SmolLM2-135M-Instruct · 135 rows to train on")
    columns = TwoColumns(side_width=448)
    choices = Card("Choices", divided=True, flush=True)
    table = OptionTable()
    choices.add_header_widget(table.find_field)
    recipe = Recipe()
    rows = [OptionRow(option=o, value=recipe.value(k)) for k, o in OPTIONS.items()]
    rows[0] = replace(rows[0], value="SmolLM2-135M-Instruct", set_by=SetBy.ONLY_ONE)
    rows[1] = replace(rows[1], effect_bytes=-round(9.02 * GIB))
    rows[5] = replace(rows[5], set_by=SetBy.YOURS, effect_bytes=round(0.08 * GIB))
    table.set_rows(rows)
    table.select_option("lora.rank")
    table._model.setData(table._model.index(6, 1), "40,000")
    choices.body.addWidget(table)
    columns.left.addWidget(choices)
    few = Card("A few", divided=True)
    simple = ("lora.rank", "train.epochs", "model.precision", "model.double_quant")
    form = OptionForm((OPTIONS[key], recipe.value(key)) for key in simple)
    form.set_error("train.epochs", "“many” is not accepted. Give a number.")
    few.body.addWidget(form)
    few.body.addStretch(1)
    columns.right.addWidget(few)
    page.content.addWidget(columns, 1)
    return page


PAGES = {"memory": memory_page, "states": states_page, "forms": forms_page}


def render(theme: Theme, folder: Path) -> list[Path]:
    """Write every page in both palettes; the paths of the pictures."""
    written = []
    for scheme in (ColourScheme.LIGHT, ColourScheme.DARK):
        theme.set_scheme(scheme)
        for name, build in PAGES.items():
            window = QWidget()
            layout = QVBoxLayout(window)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.addWidget(build())
            window.resize(1280, 900)
            window.show()
            QApplication.processEvents()
            path = folder / f"{name}-{scheme.value}.png"
            window.grab().save(str(path))
            window.close()
            window.deleteLater()
            written.append(path)
    return written


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    application = QApplication(sys.argv)
    for path in render(Theme(application), folder):
        print(path)


if __name__ == "__main__":
    main()
