import pytest

from studio.domain.errors import StudioError
from studio.domain.finding import warning
from studio.domain.hardware import TrainingDevice
from studio.domain.recipe_options import ComputeDtype
from studio.services import preferences as preferences_module
from studio.services.notices import Notices
from studio.services.preferences import KeepRunning, Preferences, Theme
from studio.services.projects import Projects
from studio.storage.disk import disk_refusal

OLD_CARD = TrainingDevice(
    kind="cuda", name="T4", total_bytes=1, free_bytes=1, has_bf16=False
)


def test_that_preferences_are_saved_as_they_change_and_told():
    preferences = Preferences()
    assert (preferences.theme, preferences.keep_running) == ("system", "ask")
    told = []
    preferences.preference_changed.connect(told.append)
    preferences.theme = "dark"
    preferences.theme = Theme.DARK
    preferences.keep_running = KeepRunning.YES
    preferences.last_project = "cheese"
    assert told == ["theme", "keep_running", "last_project"]
    again = Preferences()
    assert again.theme is Theme.DARK
    assert again.keep_running is KeepRunning.YES
    assert again.last_project == "cheese"


def test_that_a_value_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="pink"):
        Preferences().theme = "pink"


@pytest.mark.parametrize("text", ["version = 99", "not toml", ""])
def test_that_a_file_that_can_t_be_read_is_told_and_left_alone(tmp_path, text):
    file = tmp_path / "preferences.toml"
    file.write_text(text)
    preferences = Preferences(file)
    assert preferences.finding is not None
    preferences.theme = "dark"
    assert preferences.theme is Theme.DARK
    assert file.read_text() == text


def test_that_values_nobody_knows_fall_back_to_the_defaults(tmp_path):
    file = tmp_path / "preferences.toml"
    file.write_text('version = 1\ntheme = "pink"\nlast_project = 7\n')
    preferences = Preferences(file)
    assert preferences.theme is Theme.SYSTEM
    assert preferences.last_project == ""
    assert preferences.finding is None


def test_that_a_full_disk_is_told_and_the_value_holds(monkeypatch):
    def refuse(path, _kind, _document):
        raise disk_refusal(OSError(28, "No space left on device"), path)

    monkeypatch.setattr(preferences_module, "write_toml_atomically", refuse)
    preferences = Preferences()
    failed = []
    preferences.saving_failed.connect(failed.append)
    preferences.theme = "light"
    assert [finding.code for finding in failed] == ["disk.full"]
    assert preferences.theme is Theme.LIGHT


def test_that_notices_reach_whoever_shows_them():
    notices = Notices()
    shown = []
    notices.posted.connect(shown.append)
    finding = warning("x", "Hm.")
    notices.post(finding)
    assert shown == [finding]


def test_that_the_current_project_and_its_recipe_are_told():
    projects = Projects()
    opened, recipes, made = [], [], []
    projects.current_changed.connect(opened.append)
    projects.recipe_changed.connect(recipes.append)
    projects.projects_changed.connect(lambda: made.append(True))
    assert projects.current is None
    first = projects.create("First")
    second = projects.create("Second")
    first.set_value("lora.rank", 4)
    second.set_value("lora.rank", 8)
    assert opened == [first, second]
    assert projects.current is second
    assert [recipe.lora.rank for recipe in recipes] == [8]
    assert projects.open("first").recipe.lora.rank == 4
    assert [project.name for project in projects.all()] == ["First", "Second"]
    assert len(made) == 2


def test_that_a_project_that_can_t_be_opened_leaves_the_current_one():
    projects = Projects()
    first = projects.create("First")
    with pytest.raises(StudioError):
        projects.open("none")
    assert projects.current is first
    made = []
    projects.projects_changed.connect(lambda: made.append(True))
    assert projects.open_or_create("First").directory == first.directory
    assert made == []
    assert projects.open_or_create("Second").name == "Second"
    assert made == [True]


def test_that_only_the_example_fits_itself_to_the_device():
    projects = Projects()
    projects.suit_example(OLD_CARD)
    own = projects.create("Own")
    projects.suit_example(OLD_CARD)
    assert own.recipe.model.compute_dtype is ComputeDtype.BF16
    example = projects.open(projects.ensure_example().slug)
    recipes = []
    projects.recipe_changed.connect(recipes.append)
    projects.suit_example(OLD_CARD)
    assert example.recipe.model.compute_dtype is ComputeDtype.FP16
    assert recipes == [example.recipe]
