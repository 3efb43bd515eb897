"""The Playground page: wires voices, questions and the engine that answers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.chatting import Voice
from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.services.conversing import ChatSource, save_conversation, sources_in
from studio.services.launch import engine_command
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.pages.playground.talking import Talking
from studio.ui.pages.playground.view import PlaygroundPageView
from studio.ui.pages.playground.view_model import (
    TRAINING,
    chosen,
    entries,
    facts_of,
    first_voices,
    voice_choices,
)
from studio.ui.pages.playground.voice_panel import VoicePanel
from studio.ui.pages.run.view_model import READING_RUN
from studio.ui.widgets.finding_card import FindingCard


class PlaygroundPage(QWidget):
    """Talks to two voices at once.

    Attributes:
        view: The layout.
        talking: What is said.
    """

    def __init__(
        self,
        desk: Desk,
        parent: QWidget | None = None,
        *,
        command_for: Callable[..., Sequence[str]] = engine_command,
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._sources: tuple[ChatSource, ...] = ()
        self._source: ChatSource | None = None
        self._was_training = desk.controller.is_running
        self._may_ask_beside = False
        self.talking = Talking(command_for, self)
        self._read = Errand(self._read_sources, self)
        self.view = PlaygroundPageView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect_services()
        self._connect_view()
        self._show_runs(is_read=False)
        self._show_course()
        self._on_settings_changed()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.read_again()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():  # another page came to the front
            self._free_behind()

    @Slot()
    def read_again(self) -> None:
        """Read from disk who can be talked to; the page follows."""
        if self.isVisible():
            self._read.run()

    def _connect_services(self) -> None:
        desk = self._desk
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_failed)
        self.talking.talk_changed.connect(self._on_talk_changed)
        self.talking.noted.connect(self._on_noted)
        self.talking.talk_failed.connect(self._on_failed)
        self.talking.engine.course_changed.connect(self._show_course)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.chosen_run.run_chosen.connect(self.read_again)
        desk.controller.run_ended.connect(self._on_run_ended)
        desk.controller.snapshot_changed.connect(self._on_run_went_on)

    def _connect_view(self) -> None:
        view, engine = self.view, self.talking.engine
        view.runs.activated.connect(self._on_run_chosen)
        view.free.clicked.connect(self._on_free)
        view.begin.clicked.connect(self._on_begin)
        view.save.clicked.connect(self._on_save)
        view.to_recipe.clicked.connect(self._on_to_recipe)
        view.to_runs.clicked.connect(self._on_to_runs)
        view.ask.clicked.connect(self._on_ask)
        view.stop.clicked.connect(engine.stop_answer)
        view.settings.sampling_changed.connect(self._on_settings_changed)
        for panel in (view.left, view.right):
            panel.voices.activated.connect(self._on_voice_chosen)
        bind_keys(self, Deed.SAY, self._on_ask)
        bind_keys(self, Deed.STOP_ANSWER, engine.stop_answer)
        bind_keys(self, Deed.NEW_TALK, self._on_begin)

    def _read_sources(self) -> tuple[ChatSource, ...]:
        """What lies on disk; called in a thread."""
        project = self._desk.projects.current
        return () if project is None else sources_in(project.directory)

    def _panels(self) -> tuple[VoicePanel, VoicePanel]:
        return self.view.left, self.view.right

    def _voices(self) -> tuple[Voice, ...]:
        """Who is asked, each once."""
        sides = (chosen(panel.voices.value()) for panel in self._panels())
        return tuple(dict.fromkeys(voice for voice in sides if voice))

    def _show_runs(self, *, is_read: bool = True) -> None:
        view, source = self.view, self._source
        view.empty.setVisible(is_read and source is None)
        view.filled.setVisible(source is not None)
        for widget in (view.begin, view.save):
            widget.setVisible(source is not None)
        view.runs.setVisible(len(self._sources) > 1)
        view.runs.set_choices([(each.argument, each.title) for each in self._sources])
        if source is None:
            view.header.set_facts("" if is_read else READING_RUN)
        else:
            view.runs.set_value(source.argument)
            view.header.set_facts(facts_of(source.title, source.voices))

    def _show_voices(self, source: ChatSource, *, anew: bool) -> None:
        """Fill both lists; a choice of the user's stays while it is there."""
        first = first_voices(source.voices)
        for panel, word in zip(self._panels(), first, strict=True):
            before = panel.voices.value()
            is_right = panel is self.view.right
            choices = voice_choices(source.voices, may_be_nobody=is_right)
            panel.voices.set_choices(choices)
            is_kept = not anew and before in dict(choices)
            panel.voices.set_value(before if is_kept else word)

    def _show_talk(self) -> None:
        talking = self.talking
        for panel in self._panels():
            voice = chosen(panel.voices.value())
            panel.show_entries(entries(talking.talk, talking.pending, voice))

    @Slot()
    def _show_course(self) -> None:
        view, talking = self.view, self.talking
        answers = talking.pending is not None
        view.ask.setVisible(not answers)
        view.stop.setVisible(answers)
        view.free.setVisible(talking.engine.is_open)
        for panel in self._panels():
            panel.voices.setEnabled(not answers)
        view.runs.setEnabled(not answers)
        view.begin.setEnabled(not answers)
        view.save.setEnabled(not answers and bool(talking.talk.rounds))
        self._free_behind()

    def _free_behind(self) -> None:
        """Let go of the memory once the page was left and all is answered.

        Other pages say what is free, which shall not leave out what only waits here.
        """
        talking = self.talking
        if not self.isVisible() and talking.engine.is_open and talking.pending is None:
            self._on_free()

    def _refuse_beside_a_run(self) -> bool:
        """Ask what to do while a run trains; whether nothing is to be done yet."""
        if not self._desk.controller.is_running or self._may_ask_beside:
            return False
        card = FindingCard(TRAINING)
        card.fix_chosen.connect(self._on_ask_anyway)
        clear(self.view.findings)
        self.view.findings.addWidget(card)
        return True

    def _look_at(self, source: ChatSource | None) -> None:
        """Talk to another source, or to the same one, which may have more voices."""
        before, self._source = self._source, source
        is_other = before is None or source is None or before.title != source.title
        if before != source:
            self.talking.engine.close()  # it doesn't know of the new voices
        if is_other:
            self.talking.begin("" if source is None else source.title)
            self._clear_notes()
        if source is not None:
            self._show_voices(source, anew=is_other)
        self._show_runs()
        self._show_talk()
        self._show_course()

    def _clear_notes(self) -> None:
        for panel in self._panels():
            panel.set_note("")

    @Slot(object)
    def _on_read(self, sources: tuple[ChatSource, ...]) -> None:
        if self.talking.pending is not None:
            return  # what is being asked stays; the next visit reads again
        self._sources = sources
        wanted = self._desk.chosen_run.directory
        kept = None if self._source is None else Path(self._source.argument)
        known = {Path(each.argument): each for each in sources}
        found = [known[at] for at in (wanted, kept) if at is not None and at in known]
        self._look_at(next(iter(found or sources), None))

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        show_findings(self.view.findings, [finding])

    @Slot()
    def _on_talk_changed(self) -> None:
        self._show_talk()
        self._show_course()

    @Slot(object, str)
    def _on_noted(self, voices: Sequence[Voice], note: str) -> None:
        for panel in self._panels():
            if chosen(panel.voices.value()) in voices:
                panel.set_note(note)

    @Slot()
    def _on_voice_chosen(self) -> None:
        self._clear_notes()
        self._show_talk()

    @Slot()
    def _on_ask(self) -> None:
        source, view, voices = self._source, self.view, self._voices()
        question = view.prompt.toPlainText().strip()
        if source is None or self.talking.pending is not None:
            return
        if not question:
            view.prompt.setFocus()
            return
        if self._refuse_beside_a_run():
            return
        clear(view.findings)
        view.prompt.clear()
        system = view.settings.system.text().strip()
        sampling = view.settings.sampling()
        self.talking.ask(source, question, voices, sampling, system)

    @Slot(str)
    def _on_ask_anyway(self, _key: str) -> None:
        self._may_ask_beside = True
        self._on_ask()

    @Slot()
    def _on_settings_changed(self) -> None:
        words = self.view.settings.sampling().in_words()
        self.view.show_settings_in_words(words)

    @Slot()
    def _on_free(self) -> None:
        self.talking.free()
        self._clear_notes()

    @Slot()
    def _on_begin(self) -> None:
        if self._source is not None and self.talking.pending is None:
            self.talking.begin(self._source.title)
            self._clear_notes()
            clear(self.view.findings)
            self.view.prompt.setFocus()

    @Slot()
    def _on_save(self) -> None:
        dialog = QFileDialog(self, "Save the comparison", "", "Markdown (*.md)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("md")
        dialog.selectFile(f"{self.talking.talk.source}-answers.md")
        dialog.fileSelected.connect(self._on_file_named)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(str)
    def _on_file_named(self, name: str) -> None:
        """Write it for people, and beside it for programs."""
        file = Path(name)
        try:
            for suffix in (".md", ".json"):
                save_conversation(self.talking.talk, file.with_suffix(suffix))
        except StudioError as refused:
            show_findings(self.view.findings, [refused.finding])
        else:
            self.view.show_settings_in_words(f"Saved as {file.stem}.md and .json")

    @Slot()
    def _on_run_chosen(self) -> None:
        directory = Path(self.view.runs.value())
        known = {Path(each.argument): each for each in self._sources}
        if directory in known:
            self._look_at(known[directory])
            self._desk.chosen_run.choose(directory)

    @Slot()
    def _on_run_went_on(self) -> None:
        """Free the memory for a run that begins."""
        trains = self._desk.controller.is_running
        if trains and not self._was_training and self.talking.engine.is_open:
            self._on_free()
        self._was_training = trains

    @Slot()
    def _on_run_ended(self) -> None:
        self._was_training = self._may_ask_beside = False
        self.read_again()

    @Slot()
    def _on_project_changed(self) -> None:
        self._sources = ()
        clear(self.view.findings)
        self._look_at(None)
        self._show_runs(is_read=False)
        self.read_again()

    @Slot()
    def _on_to_recipe(self) -> None:
        self._desk.go_to("recipe")

    @Slot()
    def _on_to_runs(self) -> None:
        self._desk.go_to("runs")
