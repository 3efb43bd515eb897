"""What is worth knowing of a kind of card before somebody trains on it."""

from collections.abc import Iterator

from studio.domain.finding import Finding, Severity, warning
from studio.domain.hardware import GpuReading


def platform_remark(platform: str) -> Finding:
    """What a platform's driver leaves out.

    Args:
        platform: ``WSL`` or ``Windows``.
    """
    return _remark(
        f"gpu.{platform.casefold()}",
        f"{platform} doesn't tell what each program holds of a card.",
        why="What the whole card holds is true; this run is told apart from all others "
        "by its own count.",
    )


def remarks_on(gpu: GpuReading) -> Iterator[Finding]:
    """What follows from the kind of a card that answered."""
    if gpu.is_divided:
        yield _divided(gpu)
    if gpu.virtualization == "vgpu":
        yield _remark(
            "gpu.virtual",
            f"{gpu.name} is a virtual card (vGPU).",
            why="Power, clocks and fan belong to the host and are not told; others "
            "may use the same chip.",
        )
    if gpu.is_unified:
        yield _remark(
            "gpu.unified-memory",
            f"{gpu.name} shares the machine's main memory.",
            why="What is free is what the system can still give; every program on "
            "this machine takes from it.",
        )
    if _is_of_old_driver(gpu):
        yield warning(
            "gpu.old-driver",
            f"The driver of {gpu.name} is too old for some of the questions.",
            why="The figures that it can't tell are marked with this reason.",
            fix="Update the NVIDIA driver.",
        )
    if gpu.ecc_errors:
        yield warning(
            "gpu.memory-errors",
            f"{gpu.name} had {gpu.ecc_errors:,} memory errors that it could not "
            "correct.",
            why="A run that meets one is ended by the driver.",
            fix="Restart the machine; if they come back, the card needs service.",
        )


def _divided(gpu: GpuReading) -> Finding:
    part = gpu.own_slice()
    if part is None:
        return warning(
            "gpu.no-slice",
            f"{gpu.name} is set to be divided (MIG), and no slice of it can be used.",
            why="A program can't use the card as a whole while it is so.",
            fix="Make a slice with “nvidia-smi mig -cgi”, or switch the division off "
            "with “nvidia-smi -mig 0”.",
        )
    others = len(gpu.slices) - 1
    return _remark(
        "gpu.divided",
        f"{gpu.name} is divided (MIG); a run uses {part.name}.",
        why="A program can use one slice only."
        + (" Others are chosen by CUDA_VISIBLE_DEVICES." if others else ""),
    )


def _is_of_old_driver(gpu: GpuReading) -> bool:
    return any("too old" in reason for reason in gpu.missing.values())


def _remark(code: str, what: str, *, why: str) -> Finding:
    return Finding(code=code, severity=Severity.INFO, what=what, why=why)
