"""LoRA+: the B matrices of adapters learn at a rate of their own.

Hayou et al. 2024, arXiv 2402.12354: in wide models B bears a higher rate than A, in a
fixed ratio. Both follow one schedule, for a schedule multiplies each group's own rate.
"""

import torch

_B = ".lora_B."


def quicken(
    optimizer: torch.optim.Optimizer, model: torch.nn.Module, ratio: float
) -> None:
    """Let B matrices learn at a multiple of the rate, in groups of their own.

    Each group is parted in two that keep its other options. Those that learn at the
    plain rate, which are A matrices, DoRA's lengths and whatever else is trained, stay
    in front: a trainer tells the rate of the first group.

    Args:
        optimizer: That has taken no step; it is changed.
        model: Whose weights it holds.
        ratio: The rate of B over that of everything else.
    """
    quick = {id(weight) for name, weight in model.named_parameters() if _B in name}
    for group in list(optimizer.param_groups):
        weights = group["params"]
        group["params"] = [each for each in weights if id(each) not in quick]
        theirs = [each for each in weights if id(each) in quick]
        if theirs:
            optimizer.add_param_group(
                {**group, "params": theirs, "lr": ratio * group["lr"]}
            )
