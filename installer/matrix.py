"""The table of torch builds, read from resources/torch_matrix.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from facts import numbers
from json_reader import Reader

MATRIX_FILE = Path(__file__).parents[1] / "resources" / "torch_matrix.toml"
_GIB = 1024**3


@dataclass(frozen=True)
class CudaBuild:
    """One CUDA build of torch.

    Attributes:
        tag: The index's name for it, such as "cu130".
        name: For use in a sentence, such as "CUDA 13.0".
        torch: The newest version built that way that is tested here.
        index: The package index that serves it.
        driver: Oldest driver for each system.
        capabilities: What it is compiled for, for each "system machine".
    """

    tag: str
    name: str
    torch: str
    index: str
    driver: dict[str, str]
    capabilities: dict[str, tuple[str, ...]]

    def accepts_driver(self, driver: str, system: str) -> bool:
        """Return whether a driver is new enough."""
        return system in self.driver and numbers(driver) >= numbers(self.driver[system])

    def serves(self, capability: tuple[int, int], platform: str) -> bool:
        """Return whether the build holds kernels that run on a card."""
        for entry in self.capabilities.get(platform, ()):
            built = numbers(entry.removesuffix("+"))
            if capability[0] == built[0] and capability >= built:
                return True
            if entry.endswith("+") and capability >= built:
                return True
        return False

    def oldest(self, platform: str) -> str:
        """Return the first capability it is compiled for."""
        return self.capabilities[platform][0]


@dataclass(frozen=True)
class Matrix:
    """Everything the choice needs to know about torch.

    Attributes:
        oldest_python: First Python version with wheels for all packages.
        newest_python: Last minor version with wheels for all packages.
        faulty_pythons: Versions that torch can't be imported under.
        oldest_glibc: What torch's Linux wheels are built against.
        oldest_nf4_capability: Where bitsandbytes' kernels begin.
        processor_bytes: Disk that a set-up without CUDA takes.
        cuda_bytes: Disk that a set-up with CUDA takes.
        default_torch: The version taken from the default package index.
        cpu_torch: The version of the processor build.
        cpu_index: The index that serves the processor build.
        cuda: The CUDA builds, the preferred first.
    """

    oldest_python: str
    newest_python: str
    faulty_pythons: tuple[str, ...]
    oldest_glibc: str
    oldest_nf4_capability: tuple[int, ...]
    processor_bytes: int
    cuda_bytes: int
    default_torch: str
    cpu_torch: str
    cpu_index: str
    cuda: tuple[CudaBuild, ...]


def load_matrix(path: Path = MATRIX_FILE) -> Matrix:
    """Read the table.

    Raises:
        SetUpError: A field is missing or of the wrong kind.
    """
    document = Reader(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    python = Reader(document.value("python"), "[python]")
    disk = Reader(document.value("disk"), "[disk]")
    cpu = Reader(document.value("cpu"), "[cpu]")
    bitsandbytes = Reader(document.value("bitsandbytes"), "[bitsandbytes]")
    return Matrix(
        oldest_python=python.text("oldest"),
        newest_python=python.text("newest"),
        faulty_pythons=python.texts("faulty"),
        oldest_glibc=Reader(document.value("linux"), "[linux]").text("oldest_glibc"),
        oldest_nf4_capability=numbers(bitsandbytes.text("oldest_capability")),
        processor_bytes=(disk.whole("processor_gib") or 0) * _GIB,
        cuda_bytes=(disk.whole("cuda_gib") or 0) * _GIB,
        default_torch=Reader(document.value("default"), "[default]").text("torch"),
        cpu_torch=cpu.text("torch"),
        cpu_index=cpu.text("index"),
        cuda=tuple(_cuda_build(build) for build in document.items("cuda")),
    )


def _cuda_build(document: object) -> CudaBuild:
    reader = Reader(document, "[[cuda]]")
    drivers = Reader(reader.value("driver"), "driver")
    capabilities = Reader(reader.value("capabilities"), "capabilities")
    return CudaBuild(
        tag=reader.text("tag"),
        name=reader.text("name"),
        torch=reader.text("torch"),
        index=reader.text("index"),
        driver={name: drivers.text(name) for name in drivers.names()},
        capabilities={name: capabilities.texts(name) for name in capabilities.names()},
    )
