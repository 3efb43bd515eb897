"""The platform, as far as it decides what NVIDIA's driver tells."""

import os
import platform
import sys
from collections.abc import Mapping

_WSL = "WSL"


def platform_of_driver(
    environment: Mapping[str, str] | None = None, release: str | None = None
) -> str:
    """``WSL`` or ``Windows``, where the driver leaves figures out; else empty.

    Args:
        environment: Of this process; WSL sets ``WSL_DISTRO_NAME`` in every shell.
        release: The kernel's, which WSL's builds name "microsoft".
    """
    if sys.platform == "win32":
        return "Windows"
    environment = os.environ if environment is None else environment
    release = platform.release() if release is None else release
    if "WSL_DISTRO_NAME" in environment or "microsoft" in release.casefold():
        return _WSL
    return ""
