"""What every page is handed: the services, and the way to another page.

Pages know no concrete window and build no service; whatever they work with lies on the
desk. Services are named for the type checker only, so that importing a page costs
nothing at the window's start.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from studio.ui.pages.planned_card import PlannedCard
from studio.ui.pages.run.chosen_run import ChosenRun

if TYPE_CHECKING:
    from studio.services.exact_pricer import ExactPricer
    from studio.services.hardware_monitor import HardwareMonitor
    from studio.services.model_shelf import ModelShelf
    from studio.services.notices import Notices
    from studio.services.preferences import Preferences
    from studio.services.projects import Projects
    from studio.services.queue_driver import QueueDriver
    from studio.services.run_controller import RunController
    from studio.ui.actions import ActionRegistry
    from studio.ui.pages.data.tools import DataTools
    from studio.ui.pages.hardware.history import ReadingHistory
    from studio.ui.pages.project_data import ProjectData
    from studio.ui.theme import Theme


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the user's files lie, for those who want to look.

    Attributes:
        data: Projects and their runs.
        cache: What can be made again, such as converted models.
    """

    data: Path
    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The services of the window, shared by all pages.

    Attributes:
        preferences: The user's own settings.
        projects: All projects and the current one, whose recipe every page edits.
        data: The chats of the current project's data file, as far as read.
        data_tools: What the Data page works with beside them.
        hardware: The machine, measured once a second.
        history: What was measured in the last five minutes.
        models: The models of this machine.
        pricer: The dry run of the recipe that is shown.
        controller: The one training run of this window.
        queue: Runs that wait, and what starts them in turn.
        notices: Where problems are posted that no page shows at its own place.
        folders: Where the user's files lie.
        actions: The window's named actions; a page declares its shortcuts here.
        theme: The palette in force and the switch for movement.
        go_to: Shows another page by its key: start, hardware, model, data, recipe,
            run, runs, export, playground, settings or help.
        chosen_run: The run that the user opened, which Run and Export show.
        planned_card: The card that the Recipe page plans for.
    """

    preferences: "Preferences"
    projects: "Projects"
    data: "ProjectData"
    data_tools: "DataTools"
    hardware: "HardwareMonitor"
    history: "ReadingHistory"
    models: "ModelShelf"
    pricer: "ExactPricer"
    controller: "RunController"
    queue: "QueueDriver"
    notices: "Notices"
    folders: Folders
    actions: "ActionRegistry"
    theme: "Theme"
    go_to: Callable[[str], object]
    chosen_run: ChosenRun = field(default_factory=ChosenRun)
    planned_card: PlannedCard = field(default_factory=PlannedCard)
