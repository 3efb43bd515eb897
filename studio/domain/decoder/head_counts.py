"""Counts of attention heads that no model can have, told before anything is built.

transformers builds some of them, and fails later over the shapes of two tensors. Which
family takes what was tried with transformers 5.23 on models of a few weights.
"""

from typing import TypeAlias

from studio.domain.decoder.config import Config, config_refused
from studio.domain.finding import Finding

_Named: TypeAlias = tuple[str, int]
_Given: TypeAlias = dict[tuple[str, ...], _Named]

# Heads share the model's width out evenly, also where they are given one of their own.
_EVEN = frozenset(
    {"llama", "gemma2", "gemma3_text", "stablelm", "olmoe"}
    | {"gpt2", "gpt_bigcode", "gpt_neox"}
)
# Heads have a usual width of their own, whatever the model's.
_OWN_WIDTH = frozenset({"qwen3", "gemma", "gemma2", "gemma3_text"})
# Positions turn no head, or a part of each.
_NOT_TURNED = frozenset({"gpt2", "gpt_bigcode", "gpt_neox", "stablelm"})
# The config has no say in the number of keys.
_WITHOUT_GROUPS = frozenset({"gpt2", "gpt_bigcode", "gpt_neox"})

_WIDTH = ("hidden_size", "n_embd")
_HEADS = ("num_attention_heads", "n_head")
_KEYS = ("num_key_value_heads",)
_HEAD_WIDTH = ("head_dim",)


def impossible_heads(text: Config) -> Finding | None:
    """What stands against a model's heads; None where nothing does.

    Args:
        text: Of a family that the formula knows. What it leaves out isn't judged, for
            families have defaults.
    """
    given: _Given = {}
    for names in (_WIDTH, _HEADS, _HEAD_WIDTH, _KEYS):
        found = next((n for n in names if text.values.get(n) is not None), None)
        if found is None or (names is _KEYS and text.family in _WITHOUT_GROUPS):
            continue
        count = text.values[found]
        if type(count) is int and count > 0:
            given[names] = (found, count)
        elif names is not _WIDTH:
            return config_refused(f"gives no usable “{found}”")
    return _width_refused(text, given) or _uneven(given.get(_HEADS), given.get(_KEYS))


def _width_refused(text: Config, given: _Given) -> Finding | None:
    is_unfit = _is_unfit(text, given)
    if text.family in _EVEN or (is_unfit and _HEAD_WIDTH not in given):
        uneven = _uneven(given.get(_WIDTH), given.get(_HEADS))
        if uneven is not None:
            return uneven
    if is_unfit:
        return config_refused(
            "gives heads an odd width, but positions turn pairs of entries"
        )
    return None


def _is_unfit(text: Config, given: _Given) -> bool:
    """Whether heads have no width, or an odd one all of which positions turn."""
    if text.family in _NOT_TURNED or text.share("partial_rotary_factor", default=1) < 1:
        return False
    if _HEAD_WIDTH in given:
        return given[_HEAD_WIDTH][1] % 2 == 1
    if text.family in _OWN_WIDTH or not {_WIDTH, _HEADS} <= given.keys():
        return False
    width = given[_WIDTH][1] // given[_HEADS][1]
    return width % 2 == 1 or not width


def _uneven(whole: _Named | None, parts: _Named | None) -> Finding | None:
    if whole is None or parts is None or whole[1] % parts[1] == 0:
        return None
    (name, count), (part, among) = whole, parts
    return config_refused(
        f"says {part} = {among}, by which {name} = {count} can’t be divided"
    )
