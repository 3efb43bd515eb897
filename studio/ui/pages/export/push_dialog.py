"""The dialog that pushes an artefact to a hub: what, where, who may see it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.hub_names import repository_name
from studio.protocol.events import EngineEvent, Progress
from studio.protocol.export_events import Pushed
from studio.services.engine_task import EngineTask
from studio.services.launch import PUSH
from studio.services.pushing import PushOffer, PushOffers, push_offers
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.errand import Errand
from studio.ui.pages.export.push_form import PushForm
from studio.ui.pages.finding_text import clear
from studio.ui.pages.task_dialog import TaskDialog
from studio.ui.text import count, size

OpenPage = Callable[[str], object]
_ASKING: Final = "Asking the hub"
_NO_TOKEN: Final = (
    "No token was found. Set HF_TOKEN, or sign in with hf auth login, and open this "
    "again."
)


def open_in_browser(address: str) -> None:
    """Show a page of the hub."""
    QDesktopServices.openUrl(QUrl(address))


class PushDialog(TaskDialog):
    """What goes up and how far it is; Escape ends it and commits nothing.

    Attributes:
        form: All that is seen of it.
    """

    def __init__(
        self,
        export: Path,
        log_path: Path,
        parent: QWidget,
        task_for: TaskFor = EngineTask,
        opens: OpenPage = open_in_browser,
    ) -> None:
        """Make the dialog; `open` shows it.

        Args:
            export: The folder that holds the artefacts.
            log_path: Where the output of the engine's libraries goes.
            parent: The page that asks.
            task_for: Makes the engine's task.
            opens: Shows a page of the hub.
        """
        super().__init__("Push to a hub", log_path, task_for, parent)
        self._export, self._opens = export, opens
        self._offers = PushOffers()
        self._pushed: Pushed | None = None
        self._is_read = False
        self._read = Errand(self._read_offers, self)
        self.form = PushForm(self)
        self._connect()
        self.refresh()
        self._read.run()

    @override
    def reject(self) -> None:
        """Leave; a push under way is ended first, and commits nothing."""
        if not self.is_running:
            self._read.close()
        super().reject()

    @override
    def event(self, event: QEvent) -> bool:
        """Follow what is shown in height; texts that wrap need more of it."""
        is_taken = super().event(event)
        if event.type() is QEvent.Type.LayoutRequest:
            layout = self.layout()
            assert layout is not None
            self.resize(self.width(), layout.totalHeightForWidth(self.width()))
        return is_taken

    def _connect(self) -> None:
        form = self.form
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_unread)
        form.artefact.currentIndexChanged.connect(self._on_changed)
        form.name.textChanged.connect(self._on_changed)
        form.name.returnPressed.connect(self._on_push)
        form.private.toggled.connect(self._on_changed)
        form.unproven.toggled.connect(self._on_changed)
        form.push.clicked.connect(self._on_push)
        form.page.clicked.connect(self._on_page)

    def _read_offers(self) -> PushOffers:
        """Called in a thread."""
        return push_offers(self._export)

    def _chosen(self) -> PushOffer | None:
        folder = self.form.artefact.value()
        return next(
            (x for x in self._offers.artefacts if str(x.folder) == folder), None
        )

    @override
    def refresh(self) -> None:
        """Show what can be pushed now, and why not."""
        form, chosen = self.form, self._chosen()
        is_running, has_token = self.is_running, bool(self._offers.token_from)
        form.what.setText("" if chosen is None else _told(chosen))
        form.token.setText(self._signs_in())
        doubt = "" if chosen is None else chosen.doubt
        form.show_doubt(doubt)
        can = chosen is not None and chosen.refusal is None and has_token
        accepted = not doubt or form.unproven.isChecked()
        named = bool(form.name.text().strip())
        form.push.setEnabled(can and accepted and named and not is_running)
        form.show_state(is_running=is_running, is_done=self._pushed is not None)
        self.back.setText("Cancel" if self._pushed is None else "Close")

    def _signs_in(self) -> str:
        if not self._is_read:
            return "Looking for a token"
        found = self._offers.token_from
        return f"Signs in by {found}." if found else _NO_TOKEN

    def _arguments(self, chosen: PushOffer) -> list[str]:
        """For the engine.

        Raises:
            StudioError: The name is none.
        """
        form = self.form
        arguments = [str(chosen.folder), "--to", repository_name(form.name.text())]
        arguments += [] if form.private.isChecked() else ["--public"]
        arguments += ["--accept-unproven"] if chosen.doubt else []
        return arguments

    @Slot(object)
    def _on_read(self, offers: PushOffers) -> None:
        self._offers, self._is_read = offers, True
        choices = [(str(x.folder), x.folder.name) for x in offers.artefacts]
        self.form.artefact.set_choices(choices)
        self.refresh()

    @Slot(object)
    def _on_unread(self, finding: Finding) -> None:
        self.show_finding(finding)
        self.refresh()

    @Slot()
    def _on_changed(self) -> None:
        clear(self.findings)
        chosen = self._chosen()
        if chosen is not None and chosen.refusal is not None:
            self.show_finding(chosen.refusal)
        self.refresh()

    @Slot()
    def _on_push(self) -> None:
        chosen = self._chosen()
        if not self.form.push.isEnabled() or chosen is None:
            return
        clear(self.findings)
        try:
            arguments = self._arguments(chosen)
        except StudioError as refused:
            self.show_finding(refused.finding)
            return
        self.begin(_ASKING, PUSH, *arguments)

    @override
    def hear(self, event: EngineEvent) -> None:
        """Say how far it is."""
        if isinstance(event, Progress):
            words = f"{event.stage}: {size(event.done)} of {size(event.total)}"
            self.course.say(words, event.done, event.total)

    @override
    def finish(self, result: EngineEvent) -> None:
        """Say what came of it, and by which address it is found."""
        assert isinstance(result, Pushed)
        self._pushed = result
        self.course.say(_came(result))
        self.refresh()
        self.back.setEnabled(True)

    @Slot()
    def _on_page(self) -> None:
        if self._pushed is not None:
            self._opens(self._pushed.address)


def _told(offer: PushOffer) -> str:
    if offer.refusal is not None:
        return "It can’t be pushed."
    goes = f"{count(offer.files, 'file')}, {size(offer.size_bytes)}, as one commit."
    stays = f" Not pushed: {', '.join(offer.left_out)}." if offer.left_out else ""
    return goes + stays


def _came(pushed: Pushed) -> str:
    seen = "private" if pushed.is_private else "public"
    if pushed.was_there:
        return f"All of it was there already, in {pushed.name}, which is {seen}."
    return f"Pushed to {pushed.name}, which is {seen}."
