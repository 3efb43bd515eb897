"""The window's pages, in the order of the side nav.

Each page's module is imported at its first visit, so that the window shows before most
of its code is read.
"""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from studio.ui.icon_names import IconName
from studio.ui.pages import NavGroup, PageSpec
from studio.ui.pages.desk import Desk

Ask = Callable[[], Desk]
"""The desk, asked for when a page is built: it is laid after the window shows."""


def page_specs(desk: Ask) -> Sequence[PageSpec]:
    """Every page of the window."""
    start, results, foot = NavGroup.START, NavGroup.RESULTS, NavGroup.FOOT
    return (
        PageSpec("start", "Start", IconName.HOME, lambda: _start(desk()), start),
        PageSpec("hardware", "Hardware", IconName.CHIP, lambda: _hardware(desk())),
        PageSpec("model", "Model", IconName.CUBE, lambda: _model(desk())),
        PageSpec("data", "Data", IconName.TABLE, lambda: _data(desk())),
        PageSpec("recipe", "Recipe", IconName.SLIDERS, lambda: _recipe(desk())),
        PageSpec("run", "Run", IconName.PLAY, lambda: _run(desk())),
        PageSpec("runs", "Runs", IconName.BARS, lambda: _runs(desk()), results),
        PageSpec("export", "Export", IconName.EXPORT, lambda: _export(desk()), results),
        PageSpec(
            "playground",
            "Playground",
            IconName.CHAT,
            lambda: _playground(desk()),
            results,
        ),
        PageSpec(
            "settings", "Settings", IconName.GEAR, lambda: _settings(desk()), foot
        ),
        PageSpec("help", "Help", IconName.HELP, lambda: _help(desk()), foot),
    )


def _start(desk: Desk) -> QWidget:
    from studio.ui.pages.start.page import StartPage

    return StartPage(desk)


def _hardware(desk: Desk) -> QWidget:
    from studio.ui.pages.hardware.page import HardwarePage

    return HardwarePage(desk)


def _model(desk: Desk) -> QWidget:
    from studio.ui.pages.model.page import ModelPage

    return ModelPage(desk)


def _data(desk: Desk) -> QWidget:
    from studio.ui.pages.data.page import DataPage

    return DataPage(desk)


def _recipe(desk: Desk) -> QWidget:
    from studio.ui.pages.recipe.page import RecipePage

    return RecipePage(desk)


def _run(desk: Desk) -> QWidget:
    from studio.ui.pages.run.page import RunPage

    return RunPage(desk)


def _runs(desk: Desk) -> QWidget:
    from studio.ui.pages.runs.page import RunsPage

    return RunsPage(desk)


def _export(desk: Desk) -> QWidget:
    from studio.ui.pages.export.page import ExportPage

    return ExportPage(desk)


def _playground(desk: Desk) -> QWidget:
    from studio.ui.pages.playground.page import PlaygroundPage

    return PlaygroundPage(desk)


def _settings(desk: Desk) -> QWidget:
    from studio.ui.pages.settings.page import SettingsPage

    return SettingsPage(desk)


def _help(desk: Desk) -> QWidget:
    from studio.ui.pages.help.page import HelpPage

    return HelpPage(desk)
