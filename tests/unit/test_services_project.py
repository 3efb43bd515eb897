import json
import subprocess
import sys
from dataclasses import replace

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.dataset import split_rows
from studio.domain.errors import ExitCode, StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import AdapterDtype, ComputeDtype
from studio.domain.recommend.policy import Goal
from studio.protocol.codec import encode
from studio.protocol.events import Hello, RunFinished, StepFinished
from studio.services import project as project_module
from studio.services import project_store
from studio.services.library import all_runs, find_run
from studio.services.project import Project, tidy_name
from studio.services.project_store import (
    all_projects,
    create_project,
    ensure_example,
    open_or_create,
    open_project,
    suit_example,
    suited,
)
from studio.storage import documents
from studio.storage.chat_files import read_chats
from studio.storage.disk import disk_refusal
from studio.system.paths import projects_dir

OLD_CARD = TrainingDevice(
    kind="cuda", name="T4", total_bytes=1, free_bytes=1, has_bf16=False
)
OLD_PROCESSOR = replace(OLD_CARD, kind="cpu", name="An old processor")
NEW_CARD = replace(OLD_CARD, has_bf16=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    return tmp_path


def test_that_a_project_keeps_its_name_and_gets_a_safe_folder():
    project = create_project("  Käse:\n  & Brot/..  ")
    assert project.name == "Käse: & Brot/.."
    assert project.slug == "kase-brot"
    assert open_project("kase-brot").name == project.name


@given(st.text(max_size=300))
def test_that_a_tidy_name_can_be_shown_on_one_line(name):
    try:
        tidy = tidy_name(name)
    except StudioError:
        assert not any(c.isprintable() and not c.isspace() for c in name)
        return
    assert tidy.isprintable()
    assert tidy == " ".join(tidy.split())


def test_that_projects_of_one_name_get_folders_of_their_own():
    slugs = [create_project(name).slug for name in ("Cheese", "cheese!", "日本", "本")]
    assert slugs == ["cheese", "cheese-2", "project", "project-2"]


def test_that_projects_are_listed_by_name_without_broken_ones():
    create_project("beta")
    create_project("Alpha")
    broken = create_project("broken")
    (broken.directory / "recipe.toml").write_text("version = 99")
    (projects_dir() / "no project").mkdir()
    assert [project.name for project in all_projects()] == ["Alpha", "beta"]
    with pytest.raises(StudioError, match="newer Snugtune"):
        open_project("broken")


@pytest.mark.parametrize("slug", ["", "none", "../../etc"])
def test_that_an_unknown_project_is_refused(slug):
    with pytest.raises(StudioError, match="no project"):
        open_project(slug)


def test_that_a_project_is_opened_or_made_by_name():
    made = open_or_create("Terminal")
    assert open_or_create("Terminal").directory == made.directory
    assert open_or_create("terminal").directory == made.directory
    assert len(all_projects()) == 1


def test_that_a_failed_creation_leaves_no_folder(monkeypatch):
    def refuse(path, _recipe):
        raise disk_refusal(OSError(28, "No space left on device"), path)

    monkeypatch.setattr(project_module, "save_recipe", refuse)
    with pytest.raises(StudioError) as refused:
        create_project("Cheese")
    assert refused.value.exit_code == ExitCode.DISK
    assert list(projects_dir().iterdir()) == []


def test_that_a_changed_option_is_on_disk_at_once_and_told():
    project = create_project("Cheese")
    told: list[Recipe] = []
    project.on_recipe_saved = told.append
    project.set_value("lora.rank", 8)
    assert open_project("cheese").recipe.lora.rank == 8
    assert [recipe.lora.rank for recipe in told] == [8]


def test_that_the_user_s_own_options_are_remembered_beside_the_goal():
    project = create_project("Notes")
    assert project.own_keys == frozenset()
    project.set_own_keys({"lora.rank", "train.epochs"})
    project.set_goal(Goal.SPEED)
    again = open_project(project.slug)
    assert (again.own_keys, again.goal) == ({"lora.rank", "train.epochs"}, Goal.SPEED)
    document = project.directory / "project.toml"
    document.write_text(document.read_text().replace("lora.rank", "lora.wings"))
    assert open_project(project.slug).own_keys == {"train.epochs"}


def test_that_a_refused_value_changes_nothing():
    project = create_project("Cheese")
    with pytest.raises(StudioError):
        project.set_value("lora.rank", -1)
    with pytest.raises(StudioError):
        project.set_value("lora.ranc", 8)
    assert project.recipe == open_project("cheese").recipe == Recipe()


def test_that_two_windows_don_t_overwrite_each_others_changes():
    create_project("Cheese")
    one, other = open_project("cheese"), open_project("cheese")
    one.set_value("lora.rank", 8)
    other.set_value("train.seed", 7)
    other.set_recipe(other.recipe.with_value("train.epochs", 2.0))
    one.set_recipe(one.recipe.with_value("lora.alpha", 64))
    found = open_project("cheese").recipe
    assert (found.lora.rank, found.lora.alpha) == (8, 64)
    assert (found.train.seed, found.train.epochs) == (7, 2.0)
    one.reload()
    assert one.recipe == found


def test_that_programs_changing_a_recipe_at_once_lose_no_change():
    project = create_project("Cheese")
    change = (
        "import sys; from pathlib import Path;"
        "from studio.services.project import Project;"
        "project = Project(Path(sys.argv[1]));"
        "[project.set_value(sys.argv[2], n) for n in range(2, 12)]"
    )
    changers = [
        subprocess.Popen([sys.executable, "-c", change, str(project.directory), key])
        for key in ("lora.rank", "train.seed")
    ]
    assert [changer.wait() for changer in changers] == [0, 0]
    project.reload()
    assert (project.recipe.lora.rank, project.recipe.train.seed) == (11, 11)


def test_that_a_project_that_another_window_holds_is_told(monkeypatch):
    monkeypatch.setattr(project_module, "_LOCK_PATIENCE_S", 0.05)
    project = create_project("Cheese")
    with FileLock(project.directory / ".lock"), pytest.raises(StudioError) as refused:
        project.set_value("lora.rank", 8)
    assert refused.value.finding.code == "project.busy"
    assert project.recipe.lora.rank == 16


def test_that_a_full_disk_keeps_the_old_recipe(monkeypatch):
    project = create_project("Cheese")
    monkeypatch.setattr(
        documents, "_replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(StudioError) as refused:
        project.set_value("lora.rank", 8)
    assert refused.value.exit_code == ExitCode.DISK
    assert project.recipe.lora.rank == 16


def journal(run, seconds_apart=1):
    hello = Hello(protocol=1, verb="train", pid=4_194_305, started_at=1.0)
    step = StepFinished(step=1, total=1, epoch=1, loss=1, lr=1)
    done = RunFinished(adapter="adapter", steps=1)
    run.journal_path.write_bytes(b"".join(map(encode, [hello, step, done])))


def test_that_runs_are_told_newest_first_and_a_merge_is_seen():
    project = create_project("Cheese")
    first, second = (project.new_run(project.recipe) for _ in range(2))
    journal(first)
    journal(second)
    assert [run.name for run in project.runs()] == ["cheese-2", "cheese-1"]
    assert project.runs()[1].merged is None
    first.merged_path.mkdir()
    (first.merged_path / "config.json").write_text("{}")
    assert project.runs()[1].merged == "merged"


def test_that_a_journal_that_has_not_grown_is_not_read_again(monkeypatch):
    project = create_project("Cheese")
    journal(project.new_run(project.recipe))
    before = project.runs()
    monkeypatch.setattr(project_module, "snapshot_of", None)
    assert project.runs() == before


def test_that_a_run_is_found_by_name_and_by_path(home, monkeypatch):
    run = create_project("Cheese").new_run(Recipe())
    assert find_run("cheese-1") == run
    assert find_run(str(run.path)) == run
    monkeypatch.chdir(run.path.parent)
    assert find_run("./cheese-1") == run
    assert list(all_runs()) == [run]


def test_that_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    run = create_project("Cheese").new_run(Recipe())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cheese-1").mkdir()
    assert find_run("cheese-1") == run


def test_that_unknown_and_ambiguous_runs_are_told(tmp_path):
    with pytest.raises(StudioError, match="No runs yet"):
        find_run("cheese-1")
    run = create_project("Cheese").new_run(Recipe())
    with pytest.raises(StudioError, match="Did you mean cheese-1"):
        find_run("chese-1")
    with pytest.raises(StudioError, match="snugtune runs"):
        find_run("")
    with pytest.raises(StudioError, match="no run"):
        find_run(str(tmp_path))
    twin = create_project("Brie").directory / "runs" / run.name
    twin.mkdir(parents=True)
    (twin / "recipe.toml").write_bytes(run.recipe_path.read_bytes())
    with pytest.raises(StudioError, match="2 runs called “cheese-1”"):
        find_run("cheese-1")


def test_that_the_example_is_ready_to_train():
    example = ensure_example()
    recipe = example.recipe
    assert example.name == "Cheesemonger"
    assert recipe.contradictions() == []
    chats = read_chats(example.directory / "data" / "cheesemonger.jsonl")
    assert recipe.data.path == str(example.directory / "data" / "cheesemonger.jsonl")
    assert len(recipe.data.prompts) == 3
    training, held_out = split_rows(
        len(chats.chats), recipe.data.held_out, recipe.train.seed
    )
    assert held_out
    assert recipe.total_steps(len(training)) > 0


def test_that_the_example_is_made_once_and_changes_to_it_stay():
    ensure_example().set_value("lora.rank", 4)
    data = ensure_example().directory / "data" / "cheesemonger.jsonl"
    data.write_text("changed by the user")
    assert ensure_example().recipe.lora.rank == 4
    assert data.read_text() == "changed by the user"


def test_that_what_is_missing_of_the_example_is_made_again():
    example = ensure_example()
    data = example.directory / "data" / "cheesemonger.jsonl"
    data.unlink()
    (example.directory / "project.toml").unlink()
    assert ensure_example().name == "Cheesemonger"
    assert data.is_file()


def test_that_the_example_fits_its_formats_to_the_device_until_it_is_changed():
    example = ensure_example()
    suit_example(example, OLD_CARD)
    assert example.recipe.model.compute_dtype is ComputeDtype.FP16
    assert example.recipe.contradictions() == []
    before = example.recipe
    suit_example(example, OLD_PROCESSOR)
    assert example.recipe == before


@pytest.mark.parametrize(
    ("device", "compute", "adapter"),
    [
        (NEW_CARD, ComputeDtype.BF16, AdapterDtype.BF16),
        (OLD_CARD, ComputeDtype.FP16, AdapterDtype.FP32),
        (OLD_PROCESSOR, ComputeDtype.FP32, AdapterDtype.FP32),
    ],
)
def test_that_formats_follow_the_device(device, compute, adapter):
    recipe = suited(Recipe(), device)
    assert recipe.model.compute_dtype is compute
    assert recipe.lora.adapter_dtype is adapter
    assert recipe.contradictions() == []


def test_that_the_examples_prompts_are_those_of_the_data_set():
    resources = project_store.resource_root() / "examples"
    prompts = json.loads((resources / "cheesemonger_prompts.json").read_text())
    assert list(ensure_example().recipe.data.prompts) == prompts["prompts"]


def test_that_a_folder_that_is_no_project_can_t_be_opened(tmp_path):
    with pytest.raises(StudioError, match="no project"):
        Project(tmp_path)
