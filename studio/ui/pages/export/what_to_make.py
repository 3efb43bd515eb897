"""The card of what a run becomes: its parts, where they go, and the one button."""

from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.export.form_rows import FormRows, PartRow
from studio.ui.pages.export.view_model import ExportView, MergedFormat, short_path
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import ElidedLabel, Role, label, line, set_tone

_SCALE = 1000
_LEAST_ROWS = 196
_AS_TRAINED = (
    "Merges into the base as 4 bits held it in training, for who must match training "
    "exactly. The base’s own weights are better as a rule; the certificate says how "
    "far both are apart."
)


class _Rows(ScrollColumn):
    """Rows that keep room for a few of them, and take more where there is some."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setMinimumHeight(_LEAST_ROWS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @override
    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), _LEAST_ROWS)


class WhatToMake(Card):
    """Adapter, merged model and other forms, their folder, and the deed.

    Attributes:
        adapter, merged: Whether each shall be made.
        forms: Of exporters.
        number_format: Of the merged weights.
        as_trained: Whether the merge is made into the base as 4 bits held it; offered
            where they did.
        change_folder: Asks where it shall be written.
        export: Begins.
        cancel: Ends what is under way.
        open_folder: Shows what was exported.
        push: Asks to which repository of a hub it shall go.
        save_copy: Asks where a whole model shall be copied to.
        copied: Where the last copy was made.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What to make", divided=True, flush=True, parent=parent)
        self.adapter = _part("Adapter")
        self.merged = _part("Merged model")
        self.forms = FormRows()
        self._is_whole = False
        self._can_be_as_trained = False
        choices = [(choice.value, choice.words) for choice in MergedFormat]
        self.number_format = ChoiceBox(choices, name="Format of the merged weights")
        self.as_trained = QCheckBox("As trained, 4 bits unpacked")
        self.as_trained.setToolTip(_AS_TRAINED)
        self.as_trained.setAccessibleDescription(_AS_TRAINED)
        self.change_folder = button("Change folder…", ButtonKind.FLAT)
        self.export = button(
            "Export and prove",
            ButtonKind.PRIMARY,
            IconName.SHIELD,
            size=ButtonSize.LARGE,
        )
        self.export.setToolTip(key_of(Deed.EXPORT))
        self.cancel = button("Cancel")
        self.open_folder = button("Open export", icon=IconName.FOLDER)
        self.push = button("Push to a hub…")
        self.save_copy = button("Save a copy…", icon=IconName.SAVE)
        self.copied = ElidedLabel("", Role.CAPTION, Tone.SUCCESS)
        self._make_labels()
        self._lay_out()
        self.show_progress(None)

    def kinds(self) -> tuple[str, ...]:
        """What is ticked, as the engine names it."""
        ticked = (("adapter", self.adapter), ("merged", self.merged))
        own = [name for name, box in ticked if box.isChecked() and not self._is_whole]
        return (*own, *self.forms.kinds())

    @property
    def is_as_trained(self) -> bool:
        """Whether it is offered and ticked."""
        return self._can_be_as_trained and self.as_trained.isChecked()

    def show_parts(self, shown: ExportView) -> None:
        """Show what can be made and what was made."""
        self._is_whole = shown.is_whole
        self._can_be_as_trained = shown.can_be_as_trained
        self.as_trained.setVisible(shown.can_be_as_trained)
        self._adapter_row.figure.setText(shown.result_size)
        self._merged_row.figure.setText(shown.merged_size)
        self.forms.show_rows(shown.forms)
        self._whole_size.setText(shown.result_size)
        _show_path(self._target, "Into ", shown.target)
        self._need.setText(shown.need)
        self._need.setVisible(bool(shown.need))
        self.export.setEnabled(not shown.export_refused and bool(self.kinds()))
        self._refused.setText(shown.export_refused)
        is_idle = self.cancel.isHidden()
        has_deed = not shown.is_whole or self.forms.can_make_any
        self._refused.setVisible(bool(shown.export_refused) and is_idle)
        self._result.set_text(shown.made, told=shown.exported)
        set_tone(self._result, Tone.WARNING if shown.is_doubtful else Tone.SUCCESS)
        self._made.setVisible(bool(shown.exported))
        for widget in self._for_adapters:
            widget.setVisible(not shown.is_whole)
        self._whole.setVisible(shown.is_whole)
        self._foot.setVisible(has_deed)
        self.export.setVisible(has_deed and is_idle)

    def show_copy(self, path: str) -> None:
        """Tell where the last copy was made; empty before the first."""
        _show_path(self.copied, "Copied: ", path)

    def show_progress(self, words: str | None, share: float = -1.0) -> None:
        """Show what the engine is doing; None when it isn't exporting."""
        working = words is not None
        at_work: tuple[QWidget, ...] = (self._doing, self._bar, self.cancel)
        for widget in at_work:
            widget.setVisible(working)
        self.export.setVisible(not working)
        at_rest: tuple[QWidget, ...] = (
            self.change_folder,
            self.number_format,
            self.as_trained,
            self.adapter,
            self.merged,
            self.forms,
            self.push,
        )
        for widget in at_rest:
            widget.setEnabled(not working)
        self._doing.set_text(words or "")
        self._bar.setValue(round(max(0.0, share) * _SCALE))
        self._bar.setAccessibleDescription(words or "")

    def _make_labels(self) -> None:
        self._whole_size = label("", Role.ANSWER)
        self._target = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self._need = label("", Role.CAPTION, Tone.MUTED)
        self._refused = label("", Role.CAPTION, wraps=True)
        self._result = ElidedLabel("", Role.CAPTION, Tone.SUCCESS)
        self._doing = ElidedLabel("", Role.STRONG)
        self._bar = QProgressBar()
        self._bar.setRange(0, _SCALE)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the export")

    def _lay_out(self) -> None:
        self.body.setSpacing(0)
        self._adapter_row = PartRow(self.adapter, "for peft and vLLM, and a zip")
        self._merged_row = PartRow(
            self.merged, "safetensors, needs no adapter", beside=self.number_format
        )
        self._merged_row.add_below(self.as_trained)
        self._whole = self._make_whole()
        self._foot = self._make_foot()
        self._for_adapters: tuple[QWidget, ...] = (
            self._adapter_row,
            line(),
            self._merged_row,
        )
        rows = _Rows("What can be made")
        for widget in (*self._for_adapters, self._whole, self.forms):
            rows.add_row(widget)
        self.body.addWidget(rows, 1)
        self.body.addWidget(line())
        self.body.addWidget(self._foot)

    def _make_foot(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM)
        column.setSpacing(Space.SMALL)
        where = QHBoxLayout()
        where.addWidget(self._target, 1)
        where.addWidget(self.change_folder)
        doing = QHBoxLayout()
        doing.addWidget(self._doing, 1)
        doing.addWidget(self.cancel)
        self._made = QWidget()
        made = QVBoxLayout(self._made)
        made.setContentsMargins(0, 0, 0, 0)
        made.setSpacing(Space.SMALL)
        made.addWidget(self._result)
        with_it = QHBoxLayout()
        with_it.addWidget(self.open_folder)
        with_it.addWidget(self.push)
        with_it.addStretch(1)
        made.addLayout(with_it)
        column.addWidget(self._need)
        column.addLayout(where)
        column.addWidget(self.export)
        column.addWidget(self._refused)
        column.addLayout(doing)
        column.addWidget(self._bar)
        column.addWidget(self._made)
        return holder

    def _make_whole(self) -> QWidget:
        """For a run of all weights, whose result is a model already."""
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM)
        column.setSpacing(Space.SMALL)
        title = label("Trained model", Role.STRONG)
        head = QHBoxLayout()
        head.addLayout(_titled(title, "safetensors, all weights"), 1)
        head.addWidget(self._whole_size)
        row = QHBoxLayout()
        row.addWidget(self.save_copy)
        row.addWidget(self.copied, 1)
        column.addLayout(head)
        column.addLayout(row)
        return holder


def _part(name: str) -> QCheckBox:
    box = QCheckBox(name)
    box.setChecked(True)
    return box


def _titled(title: QLabel, caption: str) -> QVBoxLayout:
    texts = QVBoxLayout()
    texts.setSpacing(2)
    texts.addWidget(title)
    texts.addWidget(label(caption, Role.CAPTION, Tone.MUTED))
    return texts


def _show_path(where: ElidedLabel, words: str, path: str) -> None:
    """Show the end of a path, which tells more than its beginning."""
    where.set_text(f"{words}{short_path(path)}" if path else "", told=path)
