"""The window as a whole: what opens, what is rejoined, what is asked at its end."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShortcut
from PySide6.QtWidgets import QApplication, QLabel

from studio import app
from studio.app import Arguments, Studio
from studio.domain.cards import find_card
from studio.domain.errors import refusal
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState, StepPoint
from studio.services.cards import known_cards
from studio.services.crash_log import CrashLog
from studio.services.preferences import KeepRunning, Preferences
from studio.services.project_store import create_project
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.services.run_queue import RunQueue
from studio.storage.run_directory import RunDirectory
from studio.system.processes import is_alive, kill_group, own_group
from studio.ui.close_dialog import CloseDialog
from studio.ui.keys import PAGE_KEYS
from studio.ui.theme import Theme
from studio.ui.tokens import DARK
from tests.services.conftest import fake_engine, playing
from tests.ui.helpers import assert_reachable

Open = Callable[..., Studio]
NOTHING = Arguments()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "home"


@pytest.fixture
def open_studio(qtbot, theme: Theme, home: Path) -> Iterator[Open]:
    opened: list[Studio] = []

    def opener(arguments: Arguments = NOTHING, last_crash: str = "") -> Studio:
        studio = Studio(arguments, Preferences(), theme, CrashLog(home / "logs"))
        opened.append(studio)
        studio.show(last_crash)
        qtbot.waitUntil(lambda: studio.desk is not None)
        return studio

    yield opener
    for studio in opened:
        studio.close()
        studio.window.set_close_hook(lambda: True)
        studio.window.close()
        studio.window.deleteLater()
        studio.deleteLater()


def training(studio: Studio, scene: str, qtbot) -> RunController:
    """Let the opened project train with an engine that plays a scene."""
    desk = studio.desk
    assert desk is not None
    controller = desk.controller
    controller._command_for = playing(scene)
    project = desk.projects.current
    controller.start(project, project.recipe)
    qtbot.waitUntil(lambda: controller.snapshot.step >= 1, timeout=20_000)
    return controller


def bound_keys(studio: Studio) -> set[tuple[str, str]]:
    """Each page's shortcuts, as (page, keys)."""
    return {
        (key, shortcut.key().toString())
        for key in studio.window.side_nav.page_keys()
        for shortcut in studio.window.built_page(key).findChildren(QShortcut)
    }


def listed_keys() -> set[tuple[str, str]]:
    """What Help lists for each page, but for the keys of a table's row."""
    found = [keys for keys in PAGE_KEYS.values() if not keys.in_table]
    return {(page, key) for keys in found for page in keys.pages for key in keys.keys}


def test_that_the_frame_shows_before_anything_else_is_built(
    qtbot, theme: Theme, home: Path
):
    studio = Studio(Arguments(), Preferences(), theme, CrashLog(home / "logs"))
    shown = []
    studio.show(on_shown=lambda window: shown.append((window, studio.desk)))
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [(studio.window, None)]
    qtbot.waitUntil(lambda: studio.window.current_page() == "start")
    studio.close()
    studio.window.close()
    studio.window.deleteLater()


def test_that_a_first_start_shows_the_start_page_without_a_project(open_studio):
    studio = open_studio()
    assert studio.window.current_page() == "start"
    assert studio.desk.projects.current is None
    assert studio.window.windowTitle() == "Snugtune"


def test_that_the_example_is_ready_when_asked_for(open_studio):
    studio = open_studio(Arguments(example=True))
    assert studio.desk.projects.current.name == "Cheesemonger"
    assert studio.window.windowTitle() == "Cheesemonger · Snugtune"
    assert Preferences().last_project == "cheesemonger"


def test_that_the_last_project_opens_again(open_studio):
    create_project("Support replies")
    Preferences().last_project = "support-replies"
    assert open_studio().desk.projects.current.name == "Support replies"


def test_that_a_last_project_that_is_gone_is_told_and_the_window_opens(open_studio):
    Preferences().last_project = "gone"
    studio = open_studio()
    assert studio._shell.notices.findings() == ["There is no project “gone”."]
    assert studio.window.current_page() == "start"


@pytest.mark.parametrize("page", ["recipe", "run", "runs", "export"])
def test_that_an_empty_page_speaks_at_its_top_left(open_studio, qtbot, page):
    studio = open_studio()
    studio.window.show_page(page)
    shown = studio.window.built_page(page)
    empty = shown.view.empty
    qtbot.waitUntil(empty.isVisible)
    header = shown.view.header
    place = empty.mapTo(shown, empty.rect().topLeft())
    below = header.mapTo(shown, header.rect().bottomLeft())
    assert place.y() - below.y() < 40
    assert place.x() < 40


def test_that_every_page_can_be_visited_and_every_control_has_a_name(
    open_studio, qtbot
):
    studio = open_studio(Arguments(example=True))
    qtbot.waitUntil(lambda: studio.desk.data.chat_file is not None)
    for key in studio.window.side_nav.page_keys():
        studio.window.show_page(key)
        QApplication.processEvents()
    assert_reachable(studio.window)
    assert bound_keys(studio) == listed_keys()
    from studio.ui.charts.feed import shared_feed

    studio.window.show_page("start")
    studio.desk.hardware.stop()
    shared_feed().drain()


def test_that_the_captions_tell_the_project(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    nav = studio.window.side_nav
    qtbot.waitUntil(lambda: nav.item("data").caption == "180 rows")
    qtbot.waitUntil(lambda: nav.item("hardware").caption.endswith(" free"))
    assert nav.item("model").caption == "SmolLM2-135M"
    assert nav.item("recipe").caption.endswith(" GiB")


def test_that_a_plan_for_another_card_is_never_told_of_this_machine(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    nav, bar = studio.window.side_nav, studio.window.status.memory_bar
    qtbot.waitUntil(lambda: nav.item("recipe").caption.endswith(" GiB"))
    assert bar.state.peak_bytes is not None
    plan = studio.desk.planned_card
    plan.choose(find_card(known_cards(), "RTX 4090").device())
    assert nav.item("recipe").caption.endswith(" planned")
    assert nav.item("hardware").caption.endswith(" free")
    assert bar.state.peak_bytes is None
    plan.choose(None)
    assert nav.item("recipe").caption.endswith(" GiB")
    assert bar.state.peak_bytes is not None


def test_that_the_title_tells_the_percent_of_a_run(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    training(studio, "steps", qtbot)
    assert studio.window.windowTitle().split(" · ")[0].endswith(" %")
    assert studio.window.side_nav.item("run").caption.endswith(" %")


@pytest.fixture
def left_running(home, qtbot) -> Iterator[RunDirectory]:
    """A run of the project Support replies that no window leads."""
    run = create_project("Support replies").new_run(Recipe())
    engine = subprocess.Popen(
        fake_engine("steps", run), stdin=subprocess.PIPE, **own_group()
    )
    qtbot.waitUntil(run.journal_path.exists, timeout=20_000)
    yield run
    engine.stdin.close()  # an engine that isn't told to go on ends then
    engine.wait(20)


@pytest.mark.parametrize("last", ["support-replies", "another", ""])
def test_that_a_run_that_outlived_its_window_is_shown_again(
    open_studio, qtbot, left_running, last
):
    create_project("Another")
    Preferences().last_project = last
    studio = open_studio()
    controller = studio.desk.controller
    qtbot.waitUntil(lambda: controller.is_running, timeout=20_000)
    assert studio.window.current_page() == "run"
    assert controller.snapshot.name == "support-replies-1"
    assert studio.desk.projects.current.slug == "support-replies"
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=20_000)
    assert controller.snapshot.state is RunState.STOPPED
    assert controller.snapshot == snapshot_of(left_running)


def test_that_a_window_told_a_project_opens_that_and_tells_of_another_s_run(
    open_studio, qtbot, left_running
):
    studio = open_studio(Arguments(project="Another"))
    notices = studio._shell.notices
    qtbot.waitUntil(notices.isVisible, timeout=20_000)
    assert "support-replies-1 of the project" in notices.findings()[0]
    assert studio.desk.projects.current.slug == "another"
    assert not studio.desk.controller.is_running
    studio.window.side_nav.project_chosen.emit("support-replies")
    studio.window.show_page("run")
    controller = studio.desk.controller
    qtbot.waitUntil(lambda: controller.is_running, timeout=20_000)
    assert controller.directory == left_running


def test_that_a_window_without_a_run_closes_at_once(open_studio):
    studio = open_studio()
    assert studio.window.close()


def test_that_closing_during_a_run_asks_first(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    training(studio, "steps", qtbot)
    assert not studio.window.close()
    dialog = studio._shell.guard.dialog
    assert dialog.isVisible()
    assert_reachable(dialog)
    dialog.stay.click()
    assert studio.window.isVisible()
    assert studio.desk.controller.is_running


@pytest.mark.parametrize("drives", [False, True])
def test_that_the_question_at_the_end_is_told_whole(qtbot, theme: Theme, drives):
    points = tuple(StepPoint(step, 2.0, 1e-4, None, None, 1.0) for step in (1, 12_345))
    run = RunSnapshot(
        name="cheesemonger-1", directory=Path(), steps=points, total_steps=123_456
    )
    dialog = CloseDialog(run, drives=drives)
    qtbot.addWidget(dialog)
    dialog.show()
    words = [found for found in dialog.findChildren(QLabel) if found.wordWrap()]
    assert any("if memory runs out" in each.text() for each in words)
    assert all(each.height() >= each.heightForWidth(each.width()) for each in words)
    for each in (dialog.keep, dialog.pause, dialog.stop, dialog.stay):
        assert each.width() >= each.sizeHint().width()
        assert dialog.rect().contains(each.geometry())


def test_that_stop_and_close_waits_for_the_step_and_then_closes(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    studio.window.close()
    studio._shell.guard.dialog.stop.click()
    qtbot.waitUntil(lambda: not studio.window.isVisible(), timeout=20_000)
    assert controller.snapshot.state == "stopped"


def test_that_pause_and_close_leaves_a_run_to_go_on_with(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    studio.window.close()
    studio._shell.guard.dialog.pause.click()
    qtbot.waitUntil(lambda: not studio.window.isVisible(), timeout=20_000)
    assert controller.snapshot.state == "paused"
    assert controller.snapshot.checkpoints


def test_that_a_run_that_ends_by_itself_answers_the_question(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    studio.window.close()
    assert studio._shell.guard.dialog.isVisible()
    controller.stop(save=True)
    qtbot.waitUntil(lambda: not studio.window.isVisible(), timeout=20_000)
    assert studio._shell.guard.dialog is None


def let_wait(studio: Studio, *titles: str, **more: object) -> None:
    """Put the open project's recipe into the queue."""
    project = studio.desk.projects.current
    runs = [(title, project.recipe) for title in titles]
    studio.desk.queue.queue.add(project.slug, runs, **more)
    studio.desk.queue.tell_changed()


def waiting() -> list[str]:
    return [run.title for run in RunQueue().read().runs]


def test_that_what_waits_survives_a_restart_and_starts_only_when_asked(
    open_studio, qtbot
):
    first = open_studio(Arguments(example=True))
    let_wait(first, "a", "b", start_at=datetime.now().astimezone() - timedelta(days=1))
    assert first.window.close()
    first.close()
    again = open_studio()
    again.window.show_page("runs")
    rows = again.window.built_page("runs").waiting.card.rows
    qtbot.waitUntil(lambda: rows.rowCount() == 2)
    assert again.window.side_nav.item("runs").caption == "2 waiting"
    qtbot.wait(100)
    assert waiting() == ["a", "b"]
    assert not again.desk.controller.is_running


def test_that_closing_while_the_queue_waits_asks_first(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    let_wait(studio, "a", start_at=datetime.now().astimezone() + timedelta(days=1))
    studio.desk.queue.drive()
    assert not studio.window.close()
    studio._shell.guard.question.back.click()
    assert studio.window.isVisible()
    assert studio.desk.queue.is_driving
    studio.window.close()
    studio._shell.guard.question.deed.click()
    assert not studio.window.isVisible()
    assert not RunQueue().is_driven()
    assert waiting() == ["a"]


def test_that_a_window_whose_runs_go_on_asks_about_those_that_wait(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    studio.desk.preferences.keep_running = KeepRunning.YES
    let_wait(studio, "a")
    studio.desk.queue.drive()
    assert not studio.window.close()
    studio._shell.guard.question.deed.click()
    assert not studio.window.isVisible()
    assert waiting() == ["a"]
    engine = controller.snapshot.engine
    assert is_alive(engine)
    kill_group(engine)
    os.waitpid(engine.pid, 0)


def test_that_nothing_is_asked_when_the_last_run_of_the_queue_trains(
    open_studio, qtbot
):
    studio = open_studio(Arguments(example=True))
    training(studio, "steps", qtbot)
    studio.desk.queue.drive()
    studio.desk.preferences.keep_running = KeepRunning.NO
    studio.window.close()
    assert studio._shell.guard.question is None
    qtbot.waitUntil(lambda: not studio.window.isVisible(), timeout=20_000)


@pytest.mark.parametrize("answer", ["keep", "pause", "stop"])
def test_that_closing_during_a_run_starts_no_other(open_studio, qtbot, answer):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    let_wait(studio, "a")
    studio.desk.queue.drive()
    studio.window.close()
    getattr(studio._shell.guard.dialog, answer).click()
    qtbot.waitUntil(lambda: not studio.window.isVisible(), timeout=20_000)
    assert waiting() == ["a"]
    assert not studio.desk.queue.is_driving
    if answer == "keep":
        engine = controller.snapshot.engine
        kill_group(engine)
        os.waitpid(engine.pid, 0)


def test_that_a_run_that_was_refused_is_told_above_the_page(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    studio.desk.queue._check = refuse
    let_wait(studio, "a")
    studio.desk.queue.drive()
    notices = studio._shell.notices
    qtbot.waitUntil(notices.isVisible, timeout=20_000)
    assert not studio.desk.queue.is_driving
    assert [run.trouble.what for run in RunQueue().read().runs] == ["Short by 1 GiB."]


def refuse(_recipe: Recipe) -> None:
    raise refusal("memory.short", "Short by 1 GiB.")


def test_that_a_run_told_to_go_on_lives_when_the_window_is_gone(open_studio, qtbot):
    studio = open_studio(Arguments(example=True))
    controller = training(studio, "steps", qtbot)
    studio.window.close()
    studio._shell.guard.dialog.keep.click()
    assert not studio.window.isVisible()
    assert not controller.is_running
    told = snapshot_of(controller.directory)
    assert is_alive(told.engine)
    kill_group(told.engine)
    os.waitpid(told.engine.pid, 0)


def drop(window, *paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    place = QPointF(400, 400)
    how = Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton
    free = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place.toPoint(), *how, free)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(place, *how, free))


def test_that_several_dropped_files_are_refused_in_words(open_studio, tmp_path):
    studio = open_studio(Arguments(example=True))
    told = []
    studio.desk.notices.posted.connect(told.append)
    drop(studio.window, tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert studio.window.current_page() == "start"
    assert told[0].what == "2 files were dropped at once; none was taken."
    assert "one folder" in told[0].how_to_fix


def test_that_a_dropped_folder_is_asked_about_like_a_file(open_studio, tmp_path):
    studio = open_studio(Arguments(example=True))
    folder = tmp_path / "chats"
    folder.mkdir()
    drop(studio.window, folder)
    page = studio.window.built_page("start")
    assert page.view.dropped.file_name.full_text() == "chats"


def test_that_a_dropped_file_is_asked_about(open_studio, tmp_path):
    studio = open_studio(Arguments(example=True))
    studio.window.show_page("settings")
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"question": "Why?", "answer": "So."}\n', encoding="utf-8")
    drop(studio.window, chats)
    assert studio.window.current_page() == "start"
    page = studio.window.built_page("start")
    assert page.view.dropped.file_name.full_text() == "chats.jsonl"


def test_that_a_project_is_chosen_in_the_switcher(open_studio):
    create_project("First")
    create_project("Second")
    studio = open_studio()
    studio.window.side_nav.project_chosen.emit("second")
    assert studio.desk.projects.current.name == "Second"
    assert studio.window.windowTitle() == "Second · Snugtune"


def test_that_a_chosen_theme_is_applied_at_once(open_studio, theme: Theme):
    studio = open_studio()
    studio.desk.preferences.theme = "dark"
    assert theme.tokens is DARK


def test_that_a_fault_in_a_thread_is_shown_with_a_report(open_studio, qtbot, home):
    studio = open_studio()
    log = studio._crashes
    try:
        log.install()

        def fail() -> None:
            message = f"lost {Path.home()}/secret"
            raise LookupError(message)

        failing = threading.Thread(target=fail)
        failing.start()
        failing.join()
        qtbot.waitUntil(lambda: studio._watch.dialog is not None)
    finally:
        log.uninstall()
    report = studio._watch.dialog.report.toPlainText()
    assert "LookupError: lost ~/secret" in report
    assert report.startswith("Snugtune ")
    assert "LookupError" in log.path.read_text(encoding="utf-8")
    assert_reachable(studio._watch.dialog)
    studio._watch.dialog.accept()


def test_that_the_last_session_s_crash_is_told(open_studio):
    studio = open_studio(last_crash="Fatal Python error: Segmentation fault")
    dialog = studio._watch.dialog
    assert "Segmentation fault" in dialog.report.toPlainText()
    dialog.accept()


def test_that_a_damaged_preferences_file_is_told_and_left_alone(open_studio, home):
    path = home / "config" / "preferences.toml"
    path.parent.mkdir(parents=True)
    path.write_text("not toml at all [", encoding="utf-8")
    studio = open_studio()
    assert len(studio._shell.notices.findings()) == 1
    studio.desk.preferences.theme = "dark"
    assert path.read_text(encoding="utf-8") == "not toml at all ["


def test_that_a_notice_stays_until_it_is_dismissed(open_studio):
    Preferences().last_project = "gone"
    notices = open_studio()._shell.notices
    assert notices.isVisible()
    from studio.ui.widgets.finding_card import FindingCard

    notices.findChild(FindingCard).fix_chosen.emit("dismiss")
    assert notices.isHidden()


def test_that_main_runs_until_the_window_closes(qtbot, monkeypatch):
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    closed = []

    def shown(window) -> None:
        QTimer.singleShot(300, lambda: closed.append(window.close()))

    assert app.main(["--example"], on_shown=shown) == 0
    assert closed == [True]


def test_that_an_unknown_argument_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        app.parse(["--exmaple"])
    assert ended.value.code == 2
    assert "--exmaple" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "no display is named"),
        ({"DISPLAY": ":4711"}, "“:4711”"),
        ({"QT_QPA_PLATFORM": "nosuch"}, "nosuch"),
    ],
)
def test_that_without_a_display_a_sentence_is_said_instead_of_an_abort(
    variables, words, home
):
    # The others name a display of this machine, or Qt's way around one.
    display = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    kept = {k: v for k, v in os.environ.items() if k not in display}
    done = subprocess.run(
        [sys.executable, "-m", "studio"],
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert words in done.stderr
    assert "snugtune demo" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (home / "data" / "logs" / "crash.txt").read_text() == ""


def test_that_the_module_hands_commands_to_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "studio", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert "train" in done.stdout
