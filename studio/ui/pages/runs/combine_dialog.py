"""The dialog that makes one adapter of several runs' adapters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLabel, QWidget
from typing_extensions import override

from studio.domain.combining import DENSITY, LEAST, Way
from studio.domain.errors import StudioError
from studio.protocol.codec import heard
from studio.protocol.events import EngineEvent, Progress, Warned
from studio.protocol.export_events import Combined
from studio.services.combining import VERB, combine_arguments, combined_folder
from studio.services.engine_task import EngineTask
from studio.ui.pages.desk import Desk
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.finding_text import clear
from studio.ui.pages.runs.combine_model import TITLES, Asked, proposed_name, sentence
from studio.ui.pages.runs.combine_rows import CombineRows
from studio.ui.pages.runs.view_model import RunFacts
from studio.ui.pages.task_dialog import TASK_DIALOG_WIDTH, TaskDialog, title_of
from studio.ui.tokens import Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import ChoiceBox, DecimalField, IntegerField, TextField
from studio.ui.widgets.labels import label

if TYPE_CHECKING:
    from studio.domain.finding import Finding

_TITLE: Final = "Combine adapters"
_MOST_RANK: Final = 1024
_MOST_SEED: Final = 2**31 - 1
_WORDS: Final = (
    "Runs of one base can act together as one adapter, each by its weight. Neither "
    "the runs nor the base are changed."
)


class CombineDialog(TaskDialog):
    """Which runs, by which weights and how; Escape ends what is under way.

    Attributes:
        rows: The runs.
        way, density, seed, rank, name: What else is asked for.
        meaning: What comes of it, or what is missing.
        combine: Begins.

    Signals:
        runs_combined(object): The `Combined` event.
    """

    runs_combined = Signal(object)

    def __init__(
        self,
        desk: Desk,
        runs: Sequence[RunFacts],
        parent: QWidget,
        task_for: TaskFor = EngineTask,
    ) -> None:
        """Make the dialog; `open` shows it.

        Args:
            desk: Of the window.
            runs: That can be combined, the chosen one first; two or more.
            parent: The page that asks.
            task_for: Makes the engine's task.
        """
        log_path = desk.folders.cache / "combine-log.txt"
        super().__init__(_TITLE, log_path, task_for, parent)
        self._name_is_own = False
        self._doubts: list[Finding] = []
        self._make(runs)
        self._lay_out()
        self._connect()
        self._on_edited()
        self.way.setFocus()

    def asked(self) -> Asked:
        """What the fields say."""
        return Asked(
            weights=tuple(row.weight.value() for row in self.rows.ticked()),
            way=Way(self.way.value()),
            density=self.density.value(),
            seed=self.seed.value(),
            rank=self.rank.value(),
            name=self.name.text().strip(),
        )

    def _make(self, runs: Sequence[RunFacts]) -> None:
        self.rows = CombineRows(runs)
        titles = [(way.value, title) for way, title in TITLES.items()]
        self.way = ChoiceBox(titles, name="How")
        self.density = DecimalField(0.01, 1.0, name="Density")
        self.density.setValue(DENSITY)
        self.density.setToolTip("The share of entries that is kept.")
        self.seed = IntegerField(0, _MOST_SEED, name="Seed")
        self.seed.setToolTip("Of what is dropped at random; the same repeats it.")
        self.rank = IntegerField(0, _MOST_RANK, name="Rank")
        self.rank.setSpecialValueText("Highest of the runs")
        self.name = TextField(name="Name")
        self.meaning = label("", tone=Tone.MUTED, wraps=True)
        self.combine = button("Combine", ButtonKind.PRIMARY)
        self.combine.setDefault(True)

    def _lay_out(self) -> None:
        column = self.column_of(_TITLE, _WORDS)
        column.addWidget(self.rows)
        self._titles: dict[QWidget, QLabel] = {}
        for field in (self.way, self.density, self.seed, self.rank):
            column.addWidget(self._title_of(field))
            column.addWidget(field)
        column.addWidget(self.meaning)
        column.addWidget(self._title_of(self.name))
        column.addWidget(self.name)
        self.end_column(column, self.combine)

    def _title_of(self, field: QWidget) -> QLabel:
        title = self._titles[field] = title_of(field)
        return title

    def _connect(self) -> None:
        self.rows.rows_edited.connect(self._on_edited)
        self.way.currentIndexChanged.connect(self._on_edited)
        for field in (self.density, self.seed, self.rank):
            field.valueChanged.connect(self._on_edited)
        self.name.textEdited.connect(self._on_named)
        self.name.textChanged.connect(self._on_name_changed)
        self.combine.clicked.connect(self._on_combine)

    def _show(self, field: QWidget, *, is_shown: bool) -> None:
        field.setVisible(is_shown)
        self._titles[field].setVisible(is_shown)

    @Slot()
    def _on_named(self) -> None:
        self._name_is_own = True

    @Slot()
    def _on_edited(self) -> None:
        asked, ticked = self.asked(), self.rows.ticked()
        self._show(self.density, is_shown=asked.way.drops)
        self._show(self.seed, is_shown=asked.way.draws)
        self._show(self.rank, is_shown=asked.way.decomposes)
        self.meaning.setText(sentence(asked))
        if not self._name_is_own:
            names = [row.facts.snapshot.name for row in ticked]
            self.name.setText(proposed_name(names))
        self.refresh()

    @Slot()
    def _on_name_changed(self) -> None:
        self.refresh()

    @override
    def refresh(self) -> None:
        """Allow what can be done now."""
        is_running = self.is_running
        is_whole = bool(self.name.text().strip()) and len(self.rows.ticked()) >= LEAST
        self.combine.setEnabled(is_whole and not is_running)
        fields = (self.way, self.density, self.seed, self.rank, self.name)
        for field in (self.rows, *fields):
            field.setEnabled(not is_running)
        self._fit()

    def _fit(self) -> None:
        """Be as high as what is shown: fields come and go."""
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.setFixedHeight(layout.totalHeightForWidth(TASK_DIALOG_WIDTH))

    @Slot()
    def _on_combine(self) -> None:
        clear(self.findings)
        asked = self.asked()
        runs = [row.facts.snapshot.directory for row in self.rows.ticked()]
        try:
            combination = asked.combination()
        except StudioError as refused:
            self.show_finding(refused.finding)
            self._fit()
            return
        out = combined_folder(runs[0], asked.name)
        self.begin("Starting", VERB, *combine_arguments(runs, combination, out))

    @override
    def hear(self, event: EngineEvent) -> None:
        """Say how far it is, and keep what is doubted."""
        match event:
            case Progress(stage=stage, done=done, total=total):
                words = f"{stage}: {done:,.0f} of {total:,.0f} layers"
                self.course.say(words, done, total)
            case Warned(finding=finding):
                self._doubts.append(heard(finding))
            case _:
                return

    @override
    def finish(self, result: EngineEvent) -> None:
        """Hand on what was made, and what is doubted of it."""
        assert isinstance(result, Combined)
        self.accept()
        self.runs_combined.emit((result, tuple(self._doubts)))
        self.deleteLater()
