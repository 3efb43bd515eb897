"""The Start page: from nothing to a running example in one press."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QModelIndex, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError, refusal
from studio.ui.actions import bind_keys
from studio.ui.item_models.cells import Cell
from studio.ui.keys import Deed
from studio.ui.pages.data_files import ask_for_file
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.pages.start.recent import RecentRuns, recent_runs
from studio.ui.pages.start.view import StartView
from studio.ui.pages.start.view_model import (
    LOOKING,
    RecentRun,
    device_answer,
    recent_run,
    unused_name,
)
from studio.ui.text import count


class StartPage(QWidget):
    """Wires the Start page.

    Attributes:
        view: Its widgets.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._dropped = ""
        self._recent = Errand(recent_runs, self)
        self.view = StartView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect_buttons()
        self._recent.errand_done.connect(self._on_runs_told)
        desk.hardware.reading_changed.connect(self._on_reading_changed)
        desk.projects.current_changed.connect(self._on_projects_changed)
        desk.projects.projects_changed.connect(self._on_projects_changed)
        desk.controller.snapshot_changed.connect(self._on_run_changed)
        desk.controller.run_ended.connect(self._on_run_ended)
        self._show_machine()
        self._show_example_state()

    def ask_for_name(self, data_path: str = "") -> None:
        """Ask how a new project is called.

        Args:
            data_path: The file that becomes its data; none when empty.
        """
        self._dropped = data_path
        taken = [project.name for project in self._desk.projects.all()]
        wanted = Path(data_path).stem if data_path else "My project"
        naming = self.view.naming
        naming.words.setText(
            f"It begins with {Path(data_path).name} as its data."
            if data_path
            else "It begins with the recommended settings, without data."
        )
        naming.name.setText(unused_name(wanted, taken))
        naming.error.hide()
        self._show_face(naming)
        naming.name.setFocus()
        naming.name.selectAll()

    def ask_about_file(self, path: str) -> None:
        """Ask what a dropped file is for; with no project open, a new one is."""
        current = self._desk.projects.current
        if current is None:
            self.ask_for_name(path)
            return
        self._dropped = path
        dropped = self.view.dropped
        dropped.file_name.set_text(Path(path).name)
        dropped.use_here.setText(f"Data of {current.name}".replace("&", "&&"))
        self._show_face(dropped)
        dropped.use_here.setFocus()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._recent.run()
        self._show_projects()

    def _connect_buttons(self) -> None:
        view, desk = self.view, self._desk
        view.measure_again.clicked.connect(desk.hardware.refresh)
        bind_keys(self, Deed.MEASURE, desk.hardware.refresh)
        view.memory.bar_clicked.connect(self._on_memory_clicked)
        view.tune_example.clicked.connect(self._on_tune_example)
        view.open_example.clicked.connect(self._on_open_example)
        view.drop_zone.clicked.connect(self._on_choose_file)
        view.new_project.clicked.connect(self._on_new_project)
        view.all_runs.clicked.connect(self._on_all_runs)
        view.runs_table.activated.connect(self._on_all_runs)
        view.projects_table.clicked.connect(self._on_project_clicked)
        view.projects_table.activated.connect(self._on_project_clicked)
        view.naming.make.clicked.connect(self._on_make_project)
        view.naming.name.returnPressed.connect(self._on_make_project)
        view.naming.cancel.clicked.connect(self._on_cancelled)
        view.dropped.use_here.clicked.connect(self._on_use_here)
        view.dropped.new_project.clicked.connect(self._on_new_project_with_file)
        view.dropped.cancel.clicked.connect(self._on_cancelled)

    def _show_face(self, face: QWidget) -> None:
        view = self.view
        for other in (view.own_idle, view.naming, view.dropped):
            other.setVisible(other is face)

    def _show_machine(self) -> None:
        answer = device_answer(self._desk.hardware.latest)
        self.view.header.set_facts(answer.facts)
        self.view.answer_title.setText(answer.title)
        self.view.answer_words.setText(answer.words)
        self.view.memory.set_state(answer.bar)

    def _show_example_state(self) -> None:
        run = self._desk.controller.snapshot
        note = ""
        if self._desk.hardware.latest is None:
            note = f"{LOOKING}; the run is fitted to it."
        elif self._desk.controller.is_running and run is not None:
            note = f"{run.name} is training; one run at a time."
        self.view.tune_example.setEnabled(not note)
        self.view.tune_example.setAccessibleDescription(note)
        self.view.example_note.setText(note)
        self.view.example_note.setVisible(bool(note))

    def _try(self, deed: Callable[[], object]) -> bool:
        """Do something that may be refused; the refusal is shown by the example."""
        clear(self.view.findings)
        try:
            deed()
        except StudioError as refused:
            show_findings(self.view.findings, [refused.finding])
            return False
        return True

    def _open_example(self) -> None:
        projects = self._desk.projects
        projects.open(projects.ensure_example().slug)

    def _start_example(self) -> None:
        self._open_example()
        project = self._desk.projects.current
        assert project is not None  # just opened
        self._desk.controller.start(project, project.recipe)

    def _make_project(self) -> None:
        name = self.view.naming.name.text()
        if name.strip() in {project.name for project in self._desk.projects.all()}:
            raise refusal(
                "project.taken",
                f"There is a project “{name.strip()}” already.",
                fix="Type another name.",
            )
        project = self._desk.projects.create(name)
        if self._dropped:
            project.set_value("data.path", self._dropped)

    def _show_projects(self) -> None:
        view, current = self.view, self._desk.projects.current
        opened = "" if current is None else current.slug
        rows = [
            (project.slug, [Cell(project.name), Cell("open")])
            if project.slug == opened
            else (project.slug, [Cell(project.name), Cell("")])
            for project in self._desk.projects.all()
        ]
        view.projects.set_rows(rows)
        view.projects_card.set_note(count(len(rows), "project") if rows else "")
        view.projects_table.setVisible(bool(rows))
        view.no_projects.setVisible(not rows)

    def _show_runs(self, rows: list[RecentRun], total: int) -> None:
        view = self.view
        view.runs.set_rows([(row.directory, _cells(row)) for row in rows])
        view.runs_card.setVisible(bool(rows))
        view.no_runs.setVisible(not rows)
        view.all_runs.setText(f"All {total:,} runs" if total > 1 else "All runs")
        view.all_runs.setVisible(bool(rows))

    @Slot(QModelIndex)
    def _on_project_clicked(self, index: QModelIndex) -> None:
        slug = self.view.projects.key_at(index.row())
        current = self._desk.projects.current
        if current is not None and current.slug == slug:
            self._desk.go_to("model")
            return
        try:
            self._desk.projects.open(slug)
        except StudioError as refused:
            self._desk.notices.post(refused.finding)

    @Slot()
    def _on_tune_example(self) -> None:
        if self._try(self._start_example):
            self._show_example_state()
            self._desk.go_to("run")

    @Slot()
    def _on_open_example(self) -> None:
        if self._try(self._open_example):
            self._desk.go_to("data")

    @Slot()
    def _on_new_project(self) -> None:
        self.ask_for_name()

    @Slot()
    def _on_new_project_with_file(self) -> None:
        self.ask_for_name(self._dropped)

    @Slot()
    def _on_make_project(self) -> None:
        naming = self.view.naming
        try:
            self._make_project()
        except StudioError as refused:
            naming.error.setText(refused.finding.sentence())
            naming.error.show()
            return
        self._show_face(self.view.own_idle)
        self._desk.go_to("data" if self._dropped else "model")

    @Slot()
    def _on_use_here(self) -> None:
        project = self._desk.projects.current
        if project is None:
            self.ask_for_name(self._dropped)
            return
        try:
            # How the rows of another file were read says nothing about these.
            data = {"data.path": self._dropped, "data.format": "", "data.columns": ()}
            project.set_recipe(project.recipe.with_values(data))
        except StudioError as refused:
            self._desk.notices.post(refused.finding)
            return
        self._show_face(self.view.own_idle)
        self._desk.go_to("data")

    @Slot()
    def _on_cancelled(self) -> None:
        self._show_face(self.view.own_idle)
        self.view.new_project.setFocus()

    @Slot()
    def _on_choose_file(self) -> None:
        ask_for_file(self, self.ask_about_file)

    @Slot()
    def _on_all_runs(self) -> None:
        self._desk.go_to("runs")

    @Slot()
    def _on_memory_clicked(self) -> None:
        self._desk.go_to("hardware")

    @Slot()
    def _on_reading_changed(self) -> None:
        self._show_machine()
        self._show_example_state()

    @Slot()
    def _on_projects_changed(self) -> None:
        self._show_projects()

    @Slot()
    def _on_run_changed(self) -> None:
        self._show_example_state()

    @Slot()
    def _on_run_ended(self) -> None:
        self._show_example_state()
        self._recent.run()

    @Slot(object)
    def _on_runs_told(self, told: RecentRuns) -> None:
        now = datetime.now().astimezone()
        rows = [recent_run(run.snapshot, run.recipe, now) for run in told.newest]
        self._show_runs(rows, told.total)


def _cells(row: RecentRun) -> list[Cell]:
    return [
        Cell(row.name),
        Cell(row.model),
        Cell(row.outcome.words, painted=row.outcome),
        Cell(row.held_out),
        Cell(row.peak),
        Cell(row.time),
        Cell(row.when),
    ]
