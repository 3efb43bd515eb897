"""The window's projects: which one is open, and signals when it changes."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from studio.domain.hardware import TrainingDevice
from studio.domain.recipe import Recipe
from studio.services import project_store
from studio.services.project import Project


class Projects(QObject):
    """All projects, and the current one.

    Signals:
        current_changed(object): The `Project` that is open now.
        recipe_changed(object): The current project's new `Recipe`, already saved.
        projects_changed(): One was made; `all` tells more.
    """

    current_changed = Signal(object)
    recipe_changed = Signal(object)
    projects_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._current: Project | None = None

    @property
    def current(self) -> Project | None:
        """The project that is open; None before the first."""
        return self._current

    def all(self) -> Sequence[Project]:
        """Every project that can be opened, by name."""
        return project_store.all_projects()

    def open(self, slug: str) -> Project:
        """Open a project by its slug and make it the current one.

        Raises:
            StudioError: There is none, or its documents can't be read.
        """
        return self._make_current(project_store.open_project(slug))

    def create(self, name: str) -> Project:
        """Make a project and open it.

        Raises:
            StudioError: The name is blank, or the disk refuses.
        """
        project = project_store.create_project(name)
        self.projects_changed.emit()
        return self._make_current(project)

    def open_or_create(self, name: str) -> Project:
        """Open the project of that name or slug; make it when there is none.

        Raises:
            StudioError: The name is blank, or the disk refuses.
        """
        return self._make_current(self.keeper(name))

    def keeper(self, name: str) -> Project:
        """The project of that name or slug, made when there is none; not opened.

        Raises:
            StudioError: The name is blank, or the disk refuses.
        """
        known = {project.slug for project in self.all()}
        project = project_store.open_or_create(name)
        if project.slug not in known:
            self.projects_changed.emit()
        return project

    def ensure_example(self) -> Project:
        """The example project, made when it is missing; not opened.

        Raises:
            StudioError: The disk refuses.
        """
        return project_store.ensure_example()

    def suit_example(self, device: TrainingDevice) -> None:
        """Fit the current project's formats to the device if it is the example.

        Nothing is done once the user has changed its recipe.

        Raises:
            StudioError: The disk refuses.
        """
        example = self._current
        if example is not None and example.name == project_store.EXAMPLE_NAME:
            project_store.suit_example(example, device)

    def _make_current(self, project: Project) -> Project:
        if self._current is not None:
            self._current.on_recipe_saved = None
        self._current = project
        project.on_recipe_saved = self._on_recipe_saved
        self.current_changed.emit(project)
        return project

    def _on_recipe_saved(self, recipe: Recipe) -> None:
        self.recipe_changed.emit(recipe)
