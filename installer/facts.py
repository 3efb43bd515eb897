"""What the set-up knows of a machine, as one value that travels as JSON.

The choice of torch depends on nothing else, so that a file of facts stands in
for a machine that nobody here owns.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from json_reader import Reader


class DriverProblem(StrEnum):
    """Why the NVIDIA driver could not be asked, or not fully."""

    NOT_INSTALLED = "not-installed"  # a card on the bus, no driver for it
    NO_LIBRARY = "no-library"  # the kernel's half is loaded, libnvidia-ml is not here
    NOT_LOADED = "not-loaded"  # the library is here, the kernel's half is not
    MISMATCH = "mismatch"  # the two halves are of different versions
    NO_PERMISSION = "no-permission"
    TIMED_OUT = "timed-out"
    UNREADABLE = "unreadable"  # it answered, but not in a form known here


class Display(StrEnum):
    """What a window would be drawn on."""

    NONE = "none"
    X11 = "x11"
    WAYLAND = "wayland"
    NATIVE = "native"  # Windows and macOS


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA card, or one MIG slice of a card.

    Attributes:
        name: As the driver calls it.
        capability: Compute capability, major and minor; None if unknown.
        memory_mib: Memory in MiB; None if unknown, as with unified memory.
        mig: Whether it is (part of) a card in MIG mode.
    """

    name: str
    capability: tuple[int, int] | None = None
    memory_mib: int | None = None
    mig: bool = False

    @property
    def label(self) -> str:
        """The name with its compute capability, for use in a sentence."""
        if self.capability is None:
            return f"{self.name} (compute capability unknown)"
        return f"{self.name} (compute capability {dotted(self.capability)})"


@dataclass(frozen=True)
class Nvidia:
    """What is known of the NVIDIA driver and its cards.

    Attributes:
        driver: The driver's version, such as "580.95.05".
        cuda: The newest CUDA the driver serves, such as "13.0".
        gpus: The cards, in the driver's order.
        problem: Why the driver could not be asked.
        source: Who answered: "nvml", "nvidia-smi", "proc" or "none".
    """

    driver: str | None = None
    cuda: str | None = None
    gpus: tuple[Gpu, ...] = ()
    problem: DriverProblem | None = None
    source: str = "none"


@dataclass(frozen=True)
class Facts:
    """A machine as the set-up sees it.

    Attributes:
        system: "Linux", "Windows" or "Darwin".
        machine: "x86_64", "aarch64" or what the machine calls itself.
        distribution: A Linux distribution's id and its relatives, in order.
        libc: "glibc", "musl" or "" where the question doesn't arise.
        libc_version: Such as "2.36".
        python: The running Python's version, such as "3.11.7".
        has_venv: Whether Python brings the venv module.
        has_ensurepip: Whether it can put pip into an environment.
        nvidia: The NVIDIA driver and its cards.
        other_gpus: Graphics of other makers, by name.
        is_wsl: Whether this Linux runs inside Windows.
        is_jetson: Whether this is an NVIDIA Jetson board.
        free_disk_bytes: Free where the environment will lie; None if unknown.
        missing_qt_libraries: File names of system libraries Qt would miss.
        display: What a window would be drawn on.
        is_root: Whether system packages can be installed from here.
        has_apt: Whether apt-get is on the path.
        has_xvfb: Whether the virtual display Xvfb is on the path.
    """

    system: str
    machine: str
    python: str
    distribution: tuple[str, ...] = ()
    libc: str = ""
    libc_version: str = ""
    has_venv: bool = True
    has_ensurepip: bool = True
    nvidia: Nvidia = Nvidia()
    other_gpus: tuple[str, ...] = ()
    is_wsl: bool = False
    is_jetson: bool = False
    free_disk_bytes: int | None = None
    missing_qt_libraries: tuple[str, ...] = ()
    display: Display = Display.NONE
    is_root: bool = False
    has_apt: bool = False
    has_xvfb: bool = True


def dotted(version: tuple[int, ...]) -> str:
    """Return (8, 9) as "8.9"."""
    return ".".join(str(part) for part in version)


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "580.95.05" as (580, 95, 5)."""
    parts: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)


def facts_to_json(facts: Facts) -> dict[str, object]:
    """Return the facts as plain values that json can write."""
    return dataclasses.asdict(facts)


def facts_from_json(document: object) -> Facts:
    """Read facts from what json returned.

    Raises:
        SetUpError: A field is unknown, missing or of the wrong kind.
    """
    reader = Reader(document, "the facts")
    reader.only_fields_of(Facts)
    return Facts(
        system=reader.text("system"),
        machine=reader.text("machine"),
        python=reader.text("python"),
        distribution=reader.texts("distribution"),
        libc=reader.text("libc", ""),
        libc_version=reader.text("libc_version", ""),
        has_venv=reader.flag("has_venv", default=True),
        has_ensurepip=reader.flag("has_ensurepip", default=True),
        nvidia=nvidia_from_json(reader.value("nvidia", {})),
        other_gpus=reader.texts("other_gpus"),
        is_wsl=reader.flag("is_wsl", default=False),
        is_jetson=reader.flag("is_jetson", default=False),
        free_disk_bytes=reader.whole("free_disk_bytes"),
        missing_qt_libraries=reader.texts("missing_qt_libraries"),
        display=Display(reader.one_of("display", list(Display), None) or Display.NONE),
        is_root=reader.flag("is_root", default=False),
        has_apt=reader.flag("has_apt", default=False),
        has_xvfb=reader.flag("has_xvfb", default=True),
    )


def nvidia_from_json(document: object) -> Nvidia:
    """Read what a probing child printed; the same refusals as for facts."""
    reader = Reader(document, "nvidia")
    reader.only_fields_of(Nvidia)
    problem = reader.one_of("problem", list(DriverProblem), None)
    return Nvidia(
        driver=reader.optional_text("driver"),
        cuda=reader.optional_text("cuda"),
        gpus=tuple(_gpu_from_json(gpu) for gpu in reader.items("gpus")),
        problem=None if problem is None else DriverProblem(problem),
        source=reader.text("source", "none"),
    )


def _gpu_from_json(document: object) -> Gpu:
    reader = Reader(document, "a card")
    reader.only_fields_of(Gpu)
    capability = reader.items("capability")
    pair = tuple(part for part in capability if isinstance(part, int))
    if len(pair) not in {0, 2} or len(pair) != len(capability):
        raise reader.wrong("capability", "two whole numbers")
    return Gpu(
        name=reader.text("name"),
        capability=(pair[0], pair[1]) if pair else None,
        memory_mib=reader.whole("memory_mib"),
        mig=reader.flag("mig", default=False),
    )
