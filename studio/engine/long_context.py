"""Longer rows than a model was made for: its positions are drawn closer together.

After "Extending Context Window of Large Language Models via Positional Interpolation"
(Chen et al., 2023): a position is divided by a factor before it turns queries and keys,
so that a row of factor times the length spans the same angles. A little training gets
the model used to it; LongLoRA has it train norms and embeddings beside the adapter.
"""

import copy

from transformers import PretrainedConfig

from studio.domain.errors import StudioError, refusal


def stretched(config: PretrainedConfig, factor: float) -> PretrainedConfig:
    """A configuration for rows of so many times the length.

    Args:
        config: The model's own; it stays as it is.
        factor: From 1, where nothing is changed.

    Raises:
        StudioError: The model turns by no positions, or scales them already.
    """
    if factor == 1:
        return config
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or "rope_theta" not in rope:
        raise _unstretchable("This model’s positions can’t be interpolated.")
    kind = rope.get("rope_type", "default")
    if kind != "default":
        raise _unstretchable(f"This model scales its positions already ({kind}).")
    longer = copy.deepcopy(config)
    longer.rope_parameters = {**rope, "rope_type": "linear", "factor": float(factor)}
    longer.max_position_embeddings = int(config.max_position_embeddings * factor)
    return longer


def refuse_windows(config: PretrainedConfig) -> None:
    """Refuse models whose layers attend by a window of their own.

    Raises:
        StudioError: This is one, so shifted groups would change what it is.
    """
    text = config.get_text_config(decoder=True)
    kinds = set(getattr(text, "layer_types", None) or ())
    caps = getattr(text, "attn_logit_softcapping", None)
    if kinds <= {"full_attention"} and not caps and not _has_window(text):
        return
    raise refusal(
        "recipe.attention",
        "This model’s layers attend in a way of their own, which shifted groups "
        "would change.",
        fix="Set model.attention to sdpa.",
        where="model.attention",
    )


def _has_window(text: PretrainedConfig) -> bool:
    window = getattr(text, "sliding_window", None)
    return bool(window) and getattr(text, "use_sliding_window", True)


def _unstretchable(what: str) -> StudioError:
    return refusal(
        "recipe.stretch",
        what,
        why="Only rotary positions without a scale of their own are stretched.",
        fix="Set model.stretch to 1, or choose another model.",
        where="model.stretch",
    )
