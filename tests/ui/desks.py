"""A desk of real services in a home of its own, for tests of pages.

Import the fixture `desk` into a test module; only the machine's readings and, where a
run is needed, the engine are played.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from studio.domain.finding import Finding, Severity
from studio.domain.hardware import GIB, GpuProcess, GpuReading, MachineReading
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.services.data_reader import DataReader
from studio.services.dry_runs import Question
from studio.services.exact_pricer import ExactPricer
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.model_shelf import ModelShelf
from studio.services.notices import Notices
from studio.services.preferences import Preferences
from studio.services.projects import Projects
from studio.services.queue_driver import QueueDriver
from studio.services.run_controller import RunController
from studio.storage.run_directory import RunDirectory
from studio.ui.actions import ActionRegistry
from studio.ui.pages.data.tools import DataTools
from studio.ui.pages.desk import Desk, Folders
from studio.ui.pages.hardware.history import ReadingHistory
from studio.ui.pages.project_data import ProjectData
from studio.ui.theme import Theme
from tests.services.conftest import playing

__all__ = ["TestDesk", "desk", "reading_with_card", "reading_without_card"]

NO_CARD = Finding(
    code="gpu.none",
    severity=Severity.INFO,
    what="No NVIDIA card found.",
    why="You can still check data and train the example on the processor.",
)


class ToldHardware(HardwareMonitor):
    """A monitor whose readings the test tells."""

    def tell(self, reading: MachineReading) -> None:
        self._on_reading_arrived(reading)


class ToldPricer(ExactPricer):
    """A pricer without engines, whose answers the test tells."""

    def __init__(self) -> None:
        super().__init__(rest_ms=0)
        self.asked: Question | None = None

    def ask(self, question: Question | None) -> None:
        super().ask(question)
        self._timer.stop()
        self.asked = question

    def tell(self, recipe: Recipe, answer: MemoryEstimate | Finding) -> None:
        self._answers[recipe] = answer
        self.answers_changed.emit()


@dataclass
class TestDesk:
    """The desk, and what pages did with it."""

    __test__ = False

    desk: Desk = field(init=False)
    hardware: ToldHardware = field(default_factory=ToldHardware)
    pricer: ToldPricer = field(default_factory=ToldPricer)
    scene: str = "normal"
    visited: list[str] = field(default_factory=list)
    posted: list[Finding] = field(default_factory=list)

    def engine(self, directory: RunDirectory) -> list[str]:
        """The command line of the engine that plays `scene`."""
        return list(playing(self.scene)(directory))

    def open_example(self) -> None:
        projects = self.desk.projects
        projects.open(projects.ensure_example().slug)


def reading_without_card(free: float = 12.0, total: float = 16.0) -> MachineReading:
    return MachineReading(
        gpu_finding=NO_CARD,
        processor="A processor",
        processor_cores=8,
        processor_has_bf16=True,
        ram_total_bytes=round(total * GIB),
        ram_available_bytes=round(free * GIB),
        disk_free_bytes=100 * GIB,
        read_at=time.time(),
    )


def reading_with_card(free: float = 10.89, **changes: object) -> MachineReading:
    figures: dict[str, object] = {
        "index": 0,
        "uuid": "GPU-1",
        "name": "GeForce RTX 4070",
        "compute_capability": (8, 9),
        "total_bytes": round(11.99 * GIB),
        "used_bytes": round((11.99 - free) * GIB),
        "free_bytes": round(free * GIB),
        "processes": (
            GpuProcess(1204, "Xorg", 412 << 20),
            GpuProcess(2914, "firefox", 391 << 20),
        ),
        "utilization": 0.03,
        "temperature_c": 46,
        "slowdown_c": 83,
        "power_w": 31.0,
        "power_limit_w": 200.0,
    }
    return MachineReading(
        gpus=(GpuReading(**{**figures, **changes}),),
        driver_version="570.133.07",
        cuda_version="12.8",
        processor="A processor",
        processor_cores=8,
        ram_total_bytes=32 * GIB,
        ram_available_bytes=21 * GIB,
        disk_free_bytes=214 * GIB,
        read_at=time.time(),
    )


@pytest.fixture
def desk(
    qapp: QApplication, theme: Theme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestDesk]:
    """A desk without a project; its engine plays `TestDesk.scene`."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    owner = QWidget()
    told = TestDesk()
    hardware = told.hardware
    preferences = Preferences()
    projects = Projects()
    notices = Notices()
    controller = RunController(preferences, hardware, command_for=told.engine)
    made = Desk(
        preferences=preferences,
        projects=projects,
        data=ProjectData(projects, DataReader()),
        data_tools=DataTools(),
        hardware=hardware,
        history=ReadingHistory(hardware, controller),
        models=ModelShelf(),
        pricer=told.pricer,
        controller=controller,
        queue=QueueDriver(
            controller, projects, check=lambda _recipe: None, look_every_ms=20
        ),
        notices=notices,
        folders=Folders(tmp_path / "home" / "data", tmp_path / "home" / "cache"),
        actions=ActionRegistry(owner),
        theme=theme,
        go_to=told.visited.append,
    )
    told.desk = made
    notices.posted.connect(told.posted.append)
    yield told
    told.pricer.close()
    made.queue.close()
    made.controller.close(keep_running=False)
    made.data.close()
    made.data_tools.close()
    hardware.stop()
    owner.deleteLater()
