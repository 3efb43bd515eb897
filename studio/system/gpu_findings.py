"""Why there is no card to train on, in words."""

from dataclasses import replace
from pathlib import Path

from studio.domain.finding import Finding, Severity, error, warning

_PCI_DEVICES = Path("/sys/bus/pci/devices")
_NVIDIA = "0x10de"
_DISPLAY_CLASS = "0x03"

_LOST = error(
    "gpu.lost",
    "The NVIDIA card stopped answering.",
    why="What runs had saved is safe.",
    fix="Restart the machine.",
)

# By the name of pynvml's exception, without its prefix.
_TROUBLES = {
    "DriverNotLoaded": error(
        "gpu.driver-not-loaded",
        "The NVIDIA driver is installed but not loaded.",
        fix="Restart the machine; with Secure Boot, enrol the driver's key.",
    ),
    "LibRmVersionMismatch": error(
        "gpu.driver-updated",
        "The NVIDIA driver was updated while the old one is still loaded.",
        fix="Restart the machine.",
    ),
    "NoPermission": error(
        "gpu.permission",
        "This account may not use the NVIDIA card.",
        fix="Ask for access to /dev/nvidia*; on some systems the group “video” or "
        "“render” gives it.",
    ),
    "GpuIsLost": _LOST,
    "ResetRequired": _LOST,
}


def driver_finding(fault: Exception) -> Finding:
    """Why NVML could not be used.

    Args:
        fault: A subclass of pynvml's ``NVMLError``.
    """
    name = type(fault).__name__.removeprefix("NVMLError_")
    if name == "LibraryNotFound":
        return _no_driver() if has_nvidia_card() else no_card(0)
    return _TROUBLES.get(name) or error(
        "gpu.driver",
        f"The NVIDIA driver answers with an error: {fault}.",
        fix="Look again; if it stays so, restart the machine.",
    )


def no_card(silent: int) -> Finding:
    """There is no card, or `silent` cards that don't answer their driver."""
    if silent:
        return error(
            "gpu.silent",
            "The NVIDIA driver is loaded, but no card answers it.",
            fix="Restart the machine.",
        )
    return Finding(
        code="gpu.none",
        severity=Severity.INFO,
        what="No NVIDIA card found.",
        why="You can still check data and train the example on the processor.",
    )


def lost(name: str) -> Finding:
    """A card that answered before, and doesn't any more."""
    return replace(_LOST, what=f"{name} stopped answering.")


def gone(name: str) -> Finding:
    """A card that was here, and that the driver doesn't count any more."""
    return warning(
        "gpu.gone",
        f"{name} is no longer there.",
        why="A run that used it has ended; what it had saved is safe.",
        fix="Plug it in again and look again.",
    )


def hidden(number: int) -> Finding:
    """All cards are kept from runs by the environment."""
    cards = "The NVIDIA card is" if number == 1 else f"All {number} NVIDIA cards are"
    return error(
        "gpu.hidden",
        f"{cards} hidden by CUDA_VISIBLE_DEVICES.",
        why="Runs can't use what is hidden.",
        fix="Start Snugtune without that variable, or name a card in it.",
    )


def no_answer(limit_s: float) -> Finding:
    """The driver blocks its callers."""
    return error(
        "gpu.no-answer",
        f"The NVIDIA driver has not answered for {limit_s:.0f} s.",
        why="The card's figures are missing until it does.",
        fix="If it stays so, restart the machine.",
    )


def broken_binding(fault: Exception) -> Finding:
    """The driver's binding failed in a way that is not one of NVML's own errors."""
    return error(
        "gpu.binding",
        f"The NVIDIA driver can't be asked: {type(fault).__name__}: {fault}.",
        fix="Look again; if it stays so, set Snugtune up again.",
    )


def nvidia_cards_on_bus(bus: Path = _PCI_DEVICES) -> int:
    """How many the bus shows, driver or not; only Linux can be asked like this."""
    return sum(_is_nvidia_card(device) for device in bus.glob("*"))


def has_nvidia_card(bus: Path = _PCI_DEVICES) -> bool:
    """Whether the bus shows one."""
    return nvidia_cards_on_bus(bus) > 0


def _is_nvidia_card(device: Path) -> bool:
    try:
        maker = (device / "vendor").read_text(encoding="ascii").strip()
        kind = (device / "class").read_text(encoding="ascii").strip()
    except OSError:
        return False
    return maker == _NVIDIA and kind.startswith(_DISPLAY_CLASS)


def _no_driver() -> Finding:
    return error(
        "gpu.no-driver",
        "An NVIDIA card is here, but its driver is not installed.",
        fix="Install the NVIDIA driver, restart, and look again.",
    )
