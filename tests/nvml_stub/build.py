"""Builds the played driver and names its scenes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SOURCE = _HERE / "nvml_stub.c"
SCENES = _HERE / "scenes"
SCENE = "SNUGTUNE_NVML_SCENE"
CALLS = "SNUGTUNE_NVML_CALLS"


@pytest.fixture(scope="session")
def played_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libnvidia-ml.so.1 that plays scenes."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if os.name != "posix" or compiler is None:
        pytest.skip("no C compiler here to build the played driver with")
    folder = tmp_path_factory.mktemp("played-driver")
    library = folder / "libnvidia-ml.so.1"
    command = [compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(_SOURCE), "-lpthread"], check=True, timeout=120)
    return folder


def environment(driver: Path, scene: str, home: Path, **more: str) -> dict[str, str]:
    """The environment of a program that shall see a scene's cards."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CUDA_VISIBLE_DEVICES", "WSL_DISTRO_NAME"}
    }
    return kept | {
        "LD_LIBRARY_PATH": str(driver),
        SCENE: str(SCENES / f"{scene}.scene"),
        "SNUGTUNE_HOME": str(home),
        **more,
    }
