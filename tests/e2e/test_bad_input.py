"""What a user gets wrong: one sentence with what, where and how; nothing is left."""

import pytest

from studio.domain.recipe import Recipe
from studio.storage.recipes import save_recipe
from tests.e2e.conftest import Machine

pytestmark = [pytest.mark.e2e]

ROW = '{"question": "What is Brie?", "answer": "A soft cheese."}\n'


def recipe_file(folder, **options):
    recipe = Recipe().with_value("model.name", "SmolLM2-135M-Instruct")
    (folder / "rows.jsonl").write_text(ROW * 20)
    recipe = recipe.with_value("data.path", str(folder / "rows.jsonl"))
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    save_recipe(folder / "recipe.toml", recipe)
    return str(folder / "recipe.toml")


def assert_refused(done, machine, *words):
    assert done.returncode not in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split())
    for word in words:
        assert word in said, said
    assert machine.run_directories() == []


def test_that_a_missing_recipe_is_named(machine, tmp_path):
    done = machine.run("train", str(tmp_path / "none.toml"))
    assert_refused(done, machine, "none.toml", "Check the path")


def test_that_a_torn_recipe_is_named_with_its_line(machine, tmp_path):
    (tmp_path / "torn.toml").write_text("version = 1\n[train]\nseed = = 3\n")
    done = machine.run("train", str(tmp_path / "torn.toml"))
    assert_refused(done, machine, "torn.toml", "line 3")


def test_that_an_unknown_option_is_answered_with_the_nearest(machine, tmp_path):
    done = machine.run("train", recipe_file(tmp_path), "--set", "lora.rnk=4")
    assert_refused(done, machine, "lora.rank")


def test_that_a_recipe_of_the_future_is_refused(machine, tmp_path):
    (tmp_path / "new.toml").write_text("version = 99\n")
    done = machine.run("train", str(tmp_path / "new.toml"))
    assert_refused(done, machine, "newer Snugtune", "Update")


def test_that_missing_data_is_named(machine, tmp_path):
    path = str(tmp_path / "gone.jsonl")
    done = machine.run("train", recipe_file(tmp_path, data__path=path))
    assert_refused(done, machine, "gone.jsonl")


def test_that_no_data_at_all_is_said(machine, tmp_path):
    done = machine.run("train", recipe_file(tmp_path, data__path=""))
    assert_refused(done, machine, "data.path")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no rows"),
        (b"\n\n\n", "no rows"),
        (b"not json\n" * 3, "JSON"),
        (b'{"messages": []}\n' * 3, "no messages"),
        (b'{"foo": 1}\n', "foo"),
        (b"\xff\xfe\x00\x01", "UTF-8"),
    ],
)
def test_that_bad_data_is_described(machine, tmp_path, content, word):
    (tmp_path / "bad.jsonl").write_bytes(content)
    path = str(tmp_path / "bad.jsonl")
    done = machine.run("train", recipe_file(tmp_path, data__path=path))
    assert_refused(done, machine, "bad.jsonl", word)


def test_that_a_folder_which_is_no_model_is_said_to_be_none(machine, tmp_path):
    (tmp_path / "holiday").mkdir()
    path = str(tmp_path / "holiday")
    done = machine.run("train", recipe_file(tmp_path, model__name=path))
    assert_refused(done, machine, "holiday", "config.json")


def test_that_a_model_of_no_name_is_refused(machine, tmp_path):
    done = machine.run("train", recipe_file(tmp_path, model__name="no/such-model"))
    assert_refused(done, machine, "no/such-model")


def test_that_a_contradiction_names_both_options(machine, tmp_path):
    recipe = recipe_file(tmp_path, model__precision="fp16")
    done = machine.run("train", recipe)
    assert_refused(done, machine, "model.precision", "model.compute_dtype")


def test_that_an_unknown_run_is_answered_in_words(machine, tmp_path):
    for command in (
        ("generate", "none-1", "--prompt", "x"),
        ("merge", "none-1", "--out", str(tmp_path / "out")),
    ):
        done = machine.run(*command)
        assert_refused(done, machine, "none-1")
    assert not (tmp_path / "out").exists()


def test_that_a_home_which_can_not_be_written_is_named(machine, tmp_path):
    # A file where the folder should be refuses root as well, unlike mode bits.
    (machine.home / "data").write_text("in the way")
    done = machine.run("train", recipe_file(tmp_path))
    assert done.returncode not in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert str(machine.home) in " ".join(done.stderr.split())


def test_that_a_command_line_which_is_none_is_answered_by_usage(machine):
    done = machine.run("trian")
    assert done.returncode == 2
    assert "trian" in done.stderr


@pytest.mark.parametrize(
    "command",
    ["", "train", "demo", "hardware", "runs", "merge", "generate", "doctor"],
)
def test_that_every_command_explains_itself(machine, command):
    done = machine.run(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("targets", "word"), [("foo", "“foo”"), ("", "all-linear"), ("q_proj,foo", "down_")]
)
def test_that_layers_which_the_model_lacks_are_refused_before_a_run_is_made(
    machine, tmp_path, targets, word
):
    recipe = recipe_file(tmp_path)
    done = machine.run("train", recipe, "--set", f"lora.targets={targets}")
    assert_refused(done, machine, word, "lora.targets")


def test_that_a_folder_in_a_recipe_s_place_is_named_as_one(machine, tmp_path):
    done = machine.run("train", str(tmp_path))
    assert_refused(done, machine, "a folder", "recipe.toml")
    assert done.returncode == 10


def test_that_a_full_disk_is_told_before_a_run_is_made(tmp_path, disk):
    home = disk("size=40m")
    machine = Machine(home)
    done = machine.run("train", recipe_file(tmp_path))
    assert_refused(done, machine, "of disk", "are free", str(home))
    assert done.returncode == 13


def test_that_a_disk_which_can_not_be_written_is_named(tmp_path, disk):
    home = disk("ro")
    machine = Machine(home)
    done = machine.run("train", recipe_file(tmp_path))
    assert_refused(done, machine, str(home))
    assert done.returncode == 13
