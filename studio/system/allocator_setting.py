"""What the environment asks of torch's allocator, as engines will find it."""

import os
from collections.abc import Mapping

# Torch reads the second name where the first isn't set (c10/core/AllocatorConfig.h).
_NAMES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
EXPANDABLE = "expandable segments"


def expands_segments(environment: Mapping[str, str] | None = None) -> bool:
    """Whether each pool is to be one segment that grows.

    Args:
        environment: Names and values; this process's own when None.
    """
    known = os.environ if environment is None else environment
    setting = next((known[name] for name in _NAMES if name in known), "")
    pairs = (each.partition(":") for each in setting.replace(" ", "").split(","))
    asked = {name: value for name, _, value in pairs}
    return asked.get("expandable_segments", "").casefold() == "true"
