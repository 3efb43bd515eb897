"""Counts of experts that no mixture can have, told before anything is built."""

from typing import Final

from studio.domain.decoder.config import Config, config_refused
from studio.domain.finding import Finding

# By the family: what its config may call the number of experts.
_EXPERTS: Final = {
    "mixtral": ("num_local_experts",),
    "qwen3_moe": ("num_experts", "num_local_experts"),
    "olmoe": ("num_experts", "num_local_experts"),
}
_CHOSEN: Final = "num_experts_per_tok"


def impossible_experts(text: Config) -> Finding | None:
    """What stands against a mixture's experts; None where nothing does.

    Args:
        text: Of a family that the formula knows. What it leaves out isn't judged, for
            families have defaults.
    """
    names = _EXPERTS.get(text.family, ())
    found = next((n for n in names if text.values.get(n) is not None), None)
    experts = text.values[found] if found else None
    chosen = text.values.get(_CHOSEN)
    for name, count in ((found, experts), (_CHOSEN if names else None, chosen)):
        if name and count is not None and (type(count) is not int or count < 1):
            return config_refused(f"gives no usable “{name}”")
    if isinstance(experts, int) and isinstance(chosen, int) and chosen > experts:
        return config_refused(f"says {_CHOSEN} = {chosen}, but {found} = {experts}")
    return None
