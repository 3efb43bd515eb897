"""The smaller widgets of the kit."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from studio.domain.run import RunSnapshot, RunState, StepPoint
from studio.ui import text
from studio.ui.actions import ActionRegistry
from studio.ui.icons import IconName
from studio.ui.shell_model import ShellFacts, captions, percent_of
from studio.ui.tokens import Tone
from studio.ui.widgets.buttons import button, icon_button
from studio.ui.widgets.card import Card
from studio.ui.widgets.finding_card import FindingCard, FindingKind, FindingText, Fix
from studio.ui.widgets.fit_mark import FitMark, mark_for
from studio.ui.widgets.inputs import ChoiceBox, IntegerField, TextField, set_error
from studio.ui.widgets.labels import ElidedLabel, Sentence, label
from studio.ui.widgets.memory_bar_state import Verdict
from studio.ui.widgets.metric_tile import MetricTile
from studio.ui.widgets.progress_header import ProgressHeader, ProgressText
from studio.ui.widgets.segmented import Segmented
from tests.ui import gallery
from tests.ui.helpers import accessible_name, assert_reachable, nameless_widgets


def test_that_text_from_outside_is_never_taken_for_markup(qtbot):
    shown = label("<img src=file:///secret> & <b>bold</b>")
    qtbot.addWidget(shown)
    assert shown.textFormat() is Qt.TextFormat.PlainText
    sentence = Sentence("needs **8 GiB** of <b>")
    qtbot.addWidget(sentence)
    assert "&lt;b&gt;" in sentence.text()
    assert accessible_name(sentence) == "needs 8 GiB of <b>"


def test_that_a_shortened_label_keeps_its_whole_text_at_hand(qtbot):
    shown = ElidedLabel("a very long name of a model in a narrow place")
    qtbot.addWidget(shown)
    shown.resize(60, 20)
    shown.show()
    assert shown.text().endswith("…")
    assert shown.toolTip() == shown.full_text()


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.FITS, "Fits"),
        (Verdict.MUCH_ROOM, "Fits, much room"),
        (Verdict.TIGHT, "Tight"),
        (Verdict.SHORT, "Short by 0.63"),
        (Verdict.NOT_PRICED, "Not priced yet"),
    ],
)
def test_that_every_verdict_has_words_and_an_icon(verdict, words):
    mark = mark_for(verdict, round(0.63 * text.GIB))
    assert mark.words == words
    assert mark.icon in set(IconName)


def test_that_a_mark_read_aloud_adds_unit_and_model(qtbot):
    mark = FitMark(mark_for(Verdict.SHORT, text.GIB), "Qwen3-8B")
    qtbot.addWidget(mark)
    assert accessible_name(mark) == "Qwen3-8B: Short by 1.00 GiB"


def test_that_a_field_without_the_focus_leaves_the_wheel_to_the_page(qtbot):
    for field in (
        ChoiceBox([("a", "A"), ("b", "B")], name="Aim"),
        IntegerField(0, 10, name="Rank"),
    ):
        qtbot.addWidget(field)
        wheel = QWheelEvent(
            QPointF(5, 5),
            QPointF(5, 5),
            QPoint(0, -120),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(field, wheel)
        assert not wheel.isAccepted()


def test_that_a_number_has_room_in_its_field(qtbot):
    field = IntegerField(16, 40_000, name="Length", unit="tokens")
    qtbot.addWidget(field)
    field.setValue(2_048)
    field.show()
    inner = field.lineEdit()
    assert inner.text() == "2,048 tokens"
    text_width = inner.fontMetrics().horizontalAdvance(inner.text())
    assert inner.width() >= text_width + 16


def test_that_a_choice_box_keeps_its_value_when_its_entries_change(qtbot):
    box = ChoiceBox([("a", "A"), ("b", "B")], name="Aim")
    qtbot.addWidget(box)
    box.set_value("b")
    box.set_choices([("b", "B"), ("c", "C")])
    assert box.value() == "b"
    box.set_value("nothing")
    assert box.value() == "b"


def test_that_an_error_is_a_sentence_under_the_field(qtbot):
    field, below = TextField(name="Length"), QLabel()
    for widget in (field, below):
        qtbot.addWidget(widget)
    set_error(field, "This model reads at most 32,768 tokens.", below)
    assert below.text() == "This model reads at most 32,768 tokens."
    assert field.property("invalid") is True
    assert field.accessibleDescription() == below.text()
    set_error(field, "", below)
    assert not below.isVisibleTo(below.parentWidget() or below)
    assert field.property("invalid") is False


def test_that_arrows_choose_among_segments_and_stop_at_the_ends(qtbot):
    row = Segmented([("a", "A"), ("b", "B")], name="Aim")
    qtbot.addWidget(row)
    told: list[str] = []
    row.choice_changed.connect(told.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        qtbot.keyClick(row, key)
    assert told == ["b", "a"]
    row.set_current("b")
    assert told == ["b", "a"]


def test_that_tab_lands_on_the_chosen_segment_alone(qtbot):
    row = Segmented([("a", "A"), ("b", "B")], name="Aim", current="b")
    qtbot.addWidget(row)
    strong = [
        made.text()
        for made in row.findChildren(QPushButton)
        if made.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
    ]
    assert strong == ["B"]


def test_that_a_finding_offers_at_most_three_fixes(qtbot):
    fixes = tuple(Fix(str(number), f"Fix {number}") for number in range(4))
    with pytest.raises(ValueError, match="at most 3"):
        FindingCard(FindingText(kind=FindingKind.ERROR, what="What", fixes=fixes))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_that_a_fix_is_told_by_its_key(qtbot, number):
    fixes = tuple(Fix(f"key-{place}", f"Fix {place}") for place in range(number))
    card = FindingCard(
        FindingText(kind=FindingKind.WARNING, what="21 rows are long", fixes=fixes)
    )
    qtbot.addWidget(card)
    last = card.findChildren(QPushButton)[-1]
    with qtbot.waitSignal(card.fix_chosen) as told:
        last.click()
    assert told.args == [f"key-{number - 1}"]
    assert accessible_name(last) == f"Fix {number - 1}: 21 rows are long"


def test_that_what_was_not_measured_does_not_read_zero(qtbot):
    tile = MetricTile("Held-out loss")
    qtbot.addWidget(tile)
    assert tile.value_label.text() == "not measured yet"
    tile.set_value("1.201", "best", Tone.SUCCESS)
    assert accessible_name(tile) == "Held-out loss: 1.201, best"
    tile.set_stale("15:42")
    assert tile.change_label.text() == "15:42"


def test_that_progress_is_read_aloud_at_every_five_percent(qtbot):
    header = ProgressHeader()
    qtbot.addWidget(header)
    said = []
    for share in (0.10, 0.11, 0.14, 0.151):
        header.show_progress(ProgressText(share=share, answer="9 min left"))
        said.append(header.bar.accessibleDescription())
    assert said == ["10 %, 9 min left"] * 3 + ["15 %, 9 min left"]


def test_that_the_header_tells_the_same_percent_as_title_and_nav(qtbot):
    header = ProgressHeader()
    qtbot.addWidget(header)
    run = RunSnapshot(
        name="notes-3",
        directory=Path("/notes-3"),
        state=RunState.RUNNING,
        total_steps=40,
        steps=(StepPoint(11, 1.0, 1e-4, None, None, 1.0),),
    )
    header.show_progress(ProgressText(share=run.fraction, answer="9 min left"))
    told = f"{percent_of(run)} %"
    assert header._percent.text() == told
    assert captions(ShellFacts(run=run))["run"] == told
    assert header.bar.accessibleDescription() == f"{told}, 9 min left"


def test_that_unknown_progress_shows_words_and_an_empty_bar(qtbot):
    header = ProgressHeader()
    qtbot.addWidget(header)
    header.show_progress(ProgressText(share=None, answer="Loading weights"))
    assert header.bar.value() == 0
    assert header.bar.maximum() > 0
    assert header._percent.text() == ""


def test_that_a_card_is_called_by_its_title(qtbot):
    card = Card("Before you start", "2 open")
    qtbot.addWidget(card)
    card.set_note("1 open")
    card.set_title("Findings")
    assert card.accessibleName() == "Findings"
    assert card.note_label.text() == "1 open"


def test_that_an_icon_alone_has_a_tooltip_and_a_name(qtbot):
    made = icon_button(IconName.COPY, "Copy report")
    qtbot.addWidget(made)
    assert made.toolTip() == "Copy report"
    assert accessible_name(made) == "Copy report"


def test_that_a_buttons_icon_leaves_its_name_alone(qtbot):
    made = button("Start training", icon=IconName.PLAY)
    qtbot.addWidget(made)
    assert accessible_name(made) == "Start training"


def test_that_the_walk_finds_a_nameless_control(qtbot):
    holder = QWidget()
    qtbot.addWidget(holder)
    TextField(name="", parent=holder)
    assert nameless_widgets(holder) == ["TextField in QWidget"]


@pytest.mark.parametrize("name", list(gallery.PAGES))
def test_that_the_kit_can_be_reached_and_read_aloud(qtbot, name):
    page = gallery.PAGES[name]()
    qtbot.addWidget(page)
    for box in page.findChildren(QWidget):
        if box.metaObject().className() == "QSlider":
            box.setAccessibleName("Slider")
        if box.metaObject().className() == "QPlainTextEdit":
            box.setAccessibleName("Log")
    assert_reachable(page)


def test_that_a_shortcut_is_declared_once(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    actions = ActionRegistry(owner)
    actions.add("run.stop", "Stop", owner.hide, ["Ctrl+."])
    with pytest.raises(ValueError, match="twice"):
        actions.add("run.halt", "Halt", owner.hide, ["Ctrl+."])
    with pytest.raises(ValueError, match="twice"):
        actions.add("run.stop", "Stop", owner.hide)
    assert actions.names() == ["run.stop"]
    assert actions["run.stop"].text() == "Stop"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (text.size(726 * text.MIB), "726 MiB"),
        (text.size(round(8.24 * text.GIB)), "8.24 GiB"),
        (text.signed_gib(-9.02 * text.GIB), "−9.02"),
        (text.signed_gib(0.8 * text.GIB), "+0.80"),
        (text.signed_gib(100), "0"),
        (text.count(1841, "row"), "1,841 rows"),
        (text.count(1, "row"), "1 row"),
        (text.count(2, "pass", "passes"), "2 passes"),
        (text.percent(0.65), "65 %"),
        (text.whole_percent(11 / 40), 27),
        (text.whole_percent(29 / 100), 29),
        (text.whole_percent(399 / 400), 99),
        (text.whole_percent(1.0), 100),
    ],
)
def test_that_numbers_are_written_with_unit_and_grouping(said, wanted):
    assert said == wanted
