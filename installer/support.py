"""Refuses machines that no build of torch or PySide6 serves, or that are full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facts import Facts, dotted, numbers
from plan import Plan, Refusal

if TYPE_CHECKING:
    from matrix import Matrix

_GIB = 1024**3


def unsupported(facts: Facts, matrix: Matrix) -> Refusal | None:
    """Return why this machine can't be served as it is, if it can't."""
    return _platform(facts, matrix) or _python(facts, matrix) or _environments(facts)


def _platform(facts: Facts, matrix: Matrix) -> Refusal | None:
    if facts.system == "Darwin" and facts.machine == "x86_64":
        return Refusal(
            "PyTorch has no builds for Macs with an Intel processor since 2.2;"
            f" Snugtune needs {matrix.default_torch}.",
            "Use a Mac with Apple silicon, or a machine with Linux or Windows.",
        )
    known = facts.system in {"Linux", "Windows", "Darwin"}
    if not known or facts.machine not in {"x86_64", "aarch64"}:
        return Refusal(
            f"PyTorch has no builds for {facts.system} on {facts.machine}.",
            "Use a 64-bit x86 or ARM machine with Linux, Windows or macOS.",
        )
    if facts.libc == "musl":
        return Refusal(
            "This Linux uses the C library musl (as Alpine does); PyTorch and"
            " PySide6 are built for glibc.",
            "Use a distribution with glibc, such as Debian, or a container of one.",
        )
    if facts.libc == "glibc" and numbers(facts.libc_version) < numbers(
        matrix.oldest_glibc
    ):
        return Refusal(
            f"The C library here is glibc {facts.libc_version}; PyTorch"
            f" {matrix.default_torch} needs {matrix.oldest_glibc}.",
            "Use a newer distribution, such as Debian 12 or Ubuntu 22.04.",
        )
    return None


def _python(facts: Facts, matrix: Matrix) -> Refusal | None:
    version = numbers(facts.python)[:2]
    remedy = (
        f"Start the set-up with another Python, from {matrix.oldest_python} to"
        f" {matrix.newest_python}: for example python3.12 installer/start.py."
    )
    if version < numbers(matrix.oldest_python):
        what = f"Python {facts.python} is too old: {matrix.oldest_python} is needed."
        return Refusal(what, remedy)
    if version > numbers(matrix.newest_python):
        what = f"Python {facts.python} is too new: not all packages have builds for it."
        return Refusal(what, remedy)
    if facts.python in matrix.faulty_pythons:
        what = f"Python {facts.python} has a fault that PyTorch can't be used under."
        return Refusal(what, remedy)
    return None


def _environments(facts: Facts) -> Refusal | None:
    if facts.has_venv and facts.has_ensurepip:
        return None
    if facts.has_apt and facts.is_root:
        return None  # installed before the environment is made
    what = f"Python {facts.python} lacks the modules venv and ensurepip."
    if facts.has_apt:
        return Refusal(what, f"Run: sudo apt-get install {venv_package(facts)}")
    return Refusal(what, "Install the package of your system that brings them.")


def venv_package(facts: Facts) -> str:
    """Return Debian's package that brings venv for the running Python."""
    return f"python{dotted(numbers(facts.python)[:2])}-venv"


def without_room(plan: Plan, facts: Facts) -> Refusal | None:
    """Return a refusal when the disk has less room than the plan takes."""
    free = facts.free_disk_bytes
    if free is None or free >= plan.disk_bytes:
        return None
    return Refusal(
        f"The disk of the environment has {free / _GIB:.1f} GiB free; this set-up"
        f" takes up to {plan.disk_bytes / _GIB:.0f} GiB.",
        "Free some space, or put the environment elsewhere: --prefix FOLDER.",
    )
