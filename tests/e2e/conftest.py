"""A user's machine in a folder: every test starts the real program in it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Machine:
    """A home folder, and the program started in it.

    Attributes:
        home: What SNUGTUNE_HOME points to.
    """

    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "SNUGTUNE_HOME": str(self.home),
            "QT_QPA_PLATFORM": "offscreen",
            **more,
        }

    def run(
        self, *arguments: str, timeout: float = 900, **more: str
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "studio", *arguments],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def run_json(self, *arguments: str, timeout: float = 900, **more: str):
        done = self.run(*arguments, "--json", timeout=timeout, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run_directories(self) -> list[Path]:
        return sorted((self.home / "data" / "projects").glob("*/runs/*"))


@pytest.fixture(scope="session")
def converted_models(tmp_path_factory):
    """One cache for all tests, so that the model is converted once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def machine(tmp_path, converted_models):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").symlink_to(converted_models)
    return Machine(tmp_path / "home")


@pytest.fixture(scope="session")
def example_machine(tmp_path_factory, converted_models):
    """A machine on which tests that only look share one finished run."""
    home = tmp_path_factory.mktemp("example") / "home"
    home.mkdir()
    (home / "cache").symlink_to(converted_models)
    return Machine(home)


@pytest.fixture(scope="session")
def example_run(example_machine):
    """The main job, done once: what it printed as JSON."""
    return example_machine.run_json("demo")


@pytest.fixture
def disk(tmp_path):
    """Mounts disks of memory: ``disk("size=40m")`` gives the folder of one."""
    mounted = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
