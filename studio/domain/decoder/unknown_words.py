"""Words in a config that transformers doesn't know, told before anything is built.

They were read in transformers 5.23, modeling_rope_utils.py and configuration_utils.py.
What it knows but can't do in a family, the engine tells.
"""

from collections.abc import Mapping

from studio.domain.decoder.config import Config, config_refused
from studio.domain.finding import Finding

_STRETCHED = frozenset({"factor"})
_BY_LENGTH = frozenset({"short_factor", "long_factor"})
# Kinds of rotary positions, and the numbers that each can't do without.
_ROTARY: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "proportional": frozenset(),
    "linear": _STRETCHED,
    "dynamic": _STRETCHED,
    "yarn": _STRETCHED,
    "llama3": _STRETCHED | {"low_freq_factor", "high_freq_factor"},
    "longrope": _BY_LENGTH,
}
# Older files of Phi-3 call longrope so (configuration_phi3.py).
_PHI3_ROTARY = {**_ROTARY, "su": _BY_LENGTH, "yarn": _BY_LENGTH}
# Without such positions, or with a kind for each sort of layers.
_NOT_JUDGED = frozenset({"gpt2", "gpt_bigcode", "gemma3_text"})
# What a layer may be called that a config lists; the last four are older names.
LAYER_KINDS = frozenset(
    {"full_attention", "sliding_attention", "chunked_attention", "window_attention"}
    | {"indexed_attention", "compressed_sparse_attention", "minimax_m3_sparse"}
    | {"heavily_compressed_attention", "reference_sliding_attention", "conv", "moe"}
    | {"hybrid", "hybrid_sliding", "linear_attention"}
    | {"mamba", "attention", "deepseek_sparse_attention", "qwen_sparse_attention"}
)


def unknown_words(text: Config) -> Finding | None:
    """What a config asks for that nobody knows; None where all is known.

    Args:
        text: Of a family that the formula knows.
    """
    return _rotary_refused(text) or _list_refused(text)


def _rotary_refused(text: Config) -> Finding | None:
    keys = ("rope_parameters", "rope_scaling")
    key = next((each for each in keys if text.values.get(each)), "")
    told = text.values.get(key)
    if text.family in _NOT_JUDGED or not isinstance(told, Mapping):
        return None
    known = _PHI3_ROTARY if text.family == "phi3" else _ROTARY
    kind = told.get("rope_type", told.get("type", "default"))
    if not isinstance(kind, str) or kind not in known:
        return config_refused(
            f"says rope_type = “{kind}”, positions that transformers doesn’t know"
        )
    lacking = sorted(known[kind] - told.keys())
    if lacking:
        return config_refused(
            f"asks for positions of the kind “{kind}”, but gives no “{lacking[0]}”"
        )
    return None


def _list_refused(text: Config) -> Finding | None:
    kinds = text.values.get("layer_types")
    if not isinstance(kinds, list):
        return None
    odd = [x for x in kinds if not (isinstance(x, str) and x in LAYER_KINDS)]
    if odd:
        return config_refused(
            f"lists a layer of the kind “{odd[0]}”, which transformers doesn’t know"
        )
    layers = text.values.get("num_hidden_layers")
    if isinstance(layers, int) and layers != len(kinds):
        return config_refused(
            f"lists {len(kinds)} layer_types, but num_hidden_layers = {layers}"
        )
    return None
