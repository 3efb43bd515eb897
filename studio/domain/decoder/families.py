"""The families that the formula knows: one small function each.

What is said here follows transformers 5.23, models/<family>/modeling_<family>.py and
configuration_<family>.py. A family that isn't here is refused; the dry run prices it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from studio.domain.decoder.block import (
    Block,
    Experts,
    Heads,
    LinearShape,
    Names,
    Norm,
    QueryNorm,
    Residual,
    Views,
)
from studio.domain.decoder.config import Config
from studio.domain.decoder.decoder import Decoder, Kinds

# A head's width where a config leaves it out and the family has one of its own,
# whatever the model's (transformers models/<family>/configuration_<family>.py).
_USUAL_HEAD = {"qwen3": 128, "gemma": 256, "gemma2": 256}
# A linear layer of attention.
_attends = partial(LinearShape, attends=True)


def _heads(config: Config, *, rotary: float = 1.0, **habits: bool) -> Heads:
    hidden = config.whole("hidden_size", "n_embd")
    queries = config.whole("num_attention_heads", "n_head")
    usual = _USUAL_HEAD.get(config.family, hidden // queries)
    width = config.whole("head_dim", default=usual)
    return Heads(
        queries,
        config.whole("num_key_value_heads", default=queries),
        width,
        int(width * rotary),
        drops=config.share("attention_dropout", default=0.0) > 0,
        **habits,
    )


def _separate(
    config: Config, heads: Heads, biases: str, names: str
) -> tuple[LinearShape, ...]:
    """Queries, keys and values by three layers; `biases` names those with one."""
    hidden = config.whole("hidden_size", "n_embd")
    keys = heads.keys * heads.width
    widths = {"q": heads.queries * heads.width, "k": keys, "v": keys}
    return tuple(
        _attends(f"{each}{names}", hidden, widths[each], each in biases)
        for each in "qkv"
    )


def _gated(config: Config, *, bias: str = "", mlp_bias: bool = False) -> Block:
    """Llama's block, from which most others differ little."""
    hidden, inner = config.whole("hidden_size"), config.whole("intermediate_size")
    heads = _heads(config)
    return Block(
        hidden=hidden,
        heads=heads,
        norm=Norm.RMS,
        residual=Residual.BEFORE,
        entry=_separate(config, heads, bias, "_proj"),
        out=_attends("o_proj", heads.queries * heads.width, hidden, "o" in bias),
        up=(
            LinearShape("gate_proj", hidden, inner, mlp_bias),
            LinearShape("up_proj", hidden, inner, mlp_bias),
        ),
        down=LinearShape("down_proj", inner, hidden, mlp_bias),
    )


def _all(config: Config, block: Block) -> Kinds:
    return ((block, config.whole("num_hidden_layers", "n_layer")),)


def _bias(config: Config) -> str:
    return "qkvo" if config.flag("attention_bias") else ""


def _llama(config: Config) -> Decoder:
    mlp = config.flag("mlp_bias")
    block = _gated(config, bias=_bias(config), mlp_bias=mlp)
    return Decoder(kinds=_all(config, block))


def _mistral(config: Config) -> Decoder:
    block = replace(_gated(config), window=config.window())
    return Decoder(kinds=_all(config, block))


def _qwen2(config: Config) -> Decoder:
    return Decoder(kinds=_all(config, _gated(config, bias="qkv")))


def _qwen3(config: Config) -> Decoder:
    block = _gated(config, bias=_bias(config))
    return Decoder(kinds=_all(config, replace(block, query_norm=QueryNorm.HEAD)))


def _gemma(config: Config) -> Decoder:
    block = replace(_gated(config, bias=_bias(config)), norm=Norm.RMS_LATE)
    return Decoder(kinds=_all(config, block), tied=True, scales_inside=True)


def _gemma2(config: Config) -> Decoder:
    block = _gemma(config).kinds[0][0]
    caps = config.values.get("attn_logit_softcapping", 50.0) is not None
    heads = replace(block.heads, caps=caps)
    block = replace(block, residual=Residual.AROUND, heads=heads)
    kinds = _windowed(config, block, every=2)
    # transformers refuses to run it by torch's fused attention, for the caps.
    return Decoder(
        kinds=kinds,
        tied=True,
        scales_inside=True,
        fused_attention=False,
        head_steps=_capped(config, 30.0),
    )


def _gemma3(config: Config) -> Decoder:
    usual = {
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
    }
    # Published configs leave out what equals the family's own defaults.
    config = Config(usual | dict(config.values))
    block = replace(
        _gemma(config).kinds[0][0],
        residual=Residual.AROUND,
        query_norm=QueryNorm.HEAD_TURNED,
    )
    return Decoder(
        kinds=_windowed(config, block, every=6),
        tied=True,
        scales_inside=True,
        head_steps=_capped(config, None),
    )


def _capped(config: Config, usual: float | None) -> int:
    """Logits are divided, bent by a hyperbolic tangent, and multiplied."""
    cap = config.values.get("final_logit_softcapping", usual)
    return 0 if cap is None else 3


def _windowed(config: Config, block: Block, every: int) -> Kinds:
    """Every so manieth block sees all tokens, the others a window."""
    layers = config.whole("num_hidden_layers")
    listed = config.values.get("layer_types")
    whole = layers // every
    if isinstance(listed, list):
        whole = listed.count("full_attention")
    local = replace(block, window=config.window(4096))
    return tuple(each for each in ((local, layers - whole), (block, whole)) if each[1])


def _phi3(config: Config) -> Decoder:
    hidden, inner = config.whole("hidden_size"), config.whole("intermediate_size")
    heads = _heads(config, rotary=config.share("partial_rotary_factor", default=1.0))
    heads = replace(heads, joins=True, joins_each=True)
    width = (heads.queries + 2 * heads.keys) * heads.width
    block = replace(
        _gated(config),
        heads=heads,
        entry=(_attends("qkv_proj", hidden, width),),
        up=(LinearShape("gate_up_proj", hidden, 2 * inner),),
        window=config.window(),
        slices=True,
        views=Views.LATE,
    )
    return Decoder(kinds=_all(config, block))


def _smollm3(config: Config) -> Decoder:
    mlp = config.flag("mlp_bias")
    block = _gated(config, bias=_bias(config), mlp_bias=mlp)
    layers = config.whole("num_hidden_layers")
    listed = config.values.get("no_rope_layers")
    rotated = layers - layers // config.whole("no_rope_layer_interval", default=4)
    if isinstance(listed, list):
        rotated = sum(bool(each) for each in listed)
    plain = replace(block, heads=replace(block.heads, rotary=0))
    kinds = ((plain, layers - rotated), (block, rotated))
    return Decoder(kinds=tuple(k for k in kinds if k[1]), tied=True)


def _granite(config: Config) -> Decoder:
    mlp = config.flag("mlp_bias")
    block = _gated(config, bias=_bias(config), mlp_bias=mlp)
    block = replace(block, scales_residual=True)
    return Decoder(kinds=_all(config, block), scales_embedding=True, head_steps=1)


def _olmo2(config: Config) -> Decoder:
    block = _gated(config, bias=_bias(config))
    block = replace(
        block,
        heads=replace(block.heads, wide_turns=True),
        norm=Norm.RMS_NAMED,
        residual=Residual.BEHIND,
        query_norm=QueryNorm.WHOLE,
        views=Views.LATE,
    )
    return Decoder(kinds=_all(config, block))


def _plain(
    config: Config, names: tuple[str, str, str, str], *, bias: bool = True
) -> Block:
    """GPT's block: one fused entry, a feed-forward block without a gate."""
    hidden = config.whole("hidden_size", "n_embd")
    inner = config.whole("intermediate_size", "n_inner", default=4 * hidden)
    heads = _heads(config, rotary=0.0)
    entry, out, up, down = names
    width = (heads.queries + 2 * heads.keys) * heads.width
    return Block(
        hidden=hidden,
        heads=heads,
        norm=Norm.LAYER,
        norm_bias=True,
        residual=Residual.BEFORE,
        entry=(_attends(entry, hidden, width, bias),),
        out=_attends(out, heads.queries * heads.width, hidden, bias),
        up=(LinearShape(up, hidden, inner, bias),),
        down=LinearShape(down, inner, hidden, bias),
        gated=False,
        names=Names.HALVES,
        views=Views.LATE,
    )


def _gpt2(config: Config) -> Decoder:
    block = _plain(config, ("c_attn", "c_proj", "c_fc", "c_proj"))
    drops = config.share("attn_pdrop", default=0.1) > 0
    block = replace(
        block,
        heads=replace(block.heads, drops=drops, half_softmax=True),
        drops_residual=config.share("resid_pdrop", default=0.1) > 0,
    )
    return Decoder(
        kinds=_all(config, block),
        positions=config.whole("n_positions", default=1024),
        drops_embedding=config.share("embd_pdrop", default=0.1) > 0,
        tied=True,
    )


def _gpt_bigcode(config: Config) -> Decoder:
    single = config.flag("multi_query", default=True)
    values = dict(config.values) | ({"num_key_value_heads": 1} if single else {})
    decoder = _gpt2(Config(values))
    block = decoder.kinds[0][0]
    heads = replace(block.heads, half_softmax=False)
    views = Views.QUERY if single else Views.WHOLE
    kinds = _all(config, replace(block, heads=heads, views=views))
    # A causal mask for the longest row, one byte a pair.
    return replace(decoder, kinds=kinds, tables=decoder.positions**2)


def _gpt_neox(config: Config) -> Decoder:
    names = ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")
    block = _plain(config, names)
    share = config.share("rotary_pct", "partial_rotary_factor", default=0.25)
    rotary = int(block.heads.width * share)
    parallel = config.flag("use_parallel_residual", default=True)
    drops = config.share("hidden_dropout", default=0.0) > 0
    block = replace(
        block,
        heads=replace(block.heads, rotary=rotary, joins=True),
        names=Names.NOTHING,
        views=Views.WHOLE,
        residual=Residual.PARALLEL if parallel else Residual.BEFORE,
        drops_residual=drops,
    )
    return Decoder(kinds=_all(config, block), drops_embedding=drops)


def _starcoder2(config: Config) -> Decoder:
    bias = config.flag("use_bias", default=True)
    block = _plain(config, ("", "o_proj", "c_fc", "c_proj"), bias=bias)
    heads = _heads(config)
    block = replace(
        block,
        heads=heads,
        entry=_separate(config, heads, "qkv" if bias else "", "_proj"),
        names=Names.NOTHING,
        views=Views.EACH,
        drops_residual=config.share("residual_dropout", default=0.0) > 0,
        window=config.window(),
    )
    drops = config.share("embedding_dropout", default=0.0) > 0
    return Decoder(kinds=_all(config, block), tied=True, drops_embedding=drops)


def _stablelm(config: Config) -> Decoder:
    bias = "qkv" if config.flag("use_qkv_bias") else ""
    share = config.share("partial_rotary_factor", default=0.25)
    heads = replace(_heads(config, rotary=share), joins=True, names_parts=True)
    parallel = config.flag("use_parallel_residual")
    block = replace(
        _gated(config, bias=bias),
        heads=heads,
        norm=Norm.LAYER,
        norm_bias=True,
        residual=Residual.SHARED if parallel else Residual.BEFORE,
        names=Names.ALL,
        views=Views.LATE,
    )
    return Decoder(kinds=_all(config, block))


def _mixed(block: Block, experts: Experts) -> Block:
    return replace(block, up=(), down=None, experts=experts)


def _mixtral(config: Config) -> Decoder:
    experts = Experts(
        config.whole("num_local_experts"),
        config.whole("num_experts_per_tok"),
        config.whole("intermediate_size"),
        wide_shares=True,
    )
    block = replace(_mixed(_gated(config), experts), window=config.window())
    return Decoder(kinds=_all(config, block))


def _qwen3_moe(config: Config) -> Decoder:
    """Blocks without experts stand where the config puts them."""
    layers = config.whole("num_hidden_layers")
    dense = replace(_qwen3(config).kinds[0][0])
    experts = Experts(
        config.whole("num_experts", "num_local_experts"),
        config.whole("num_experts_per_tok"),
        config.whole("moe_intermediate_size"),
        wide_shares=False,
        router_last=True,
    )
    step = config.whole("decoder_sparse_step", default=1)
    listed = config.values.get("mlp_only_layers")
    plain = {n for n in listed if type(n) is int} if isinstance(listed, list) else set()
    without = sum(0 <= n < layers and (n + 1) % step == 0 for n in plain)
    sparse = layers // step - without
    kinds = ((dense, layers - sparse), (_mixed(dense, experts), sparse))
    return Decoder(kinds=tuple(kind for kind in kinds if kind[1]))


def _olmoe(config: Config) -> Decoder:
    experts = Experts(
        config.whole("num_experts", "num_local_experts"),
        config.whole("num_experts_per_tok"),
        config.whole("intermediate_size"),
        wide_shares=False,
    )
    block = replace(
        _gated(config, bias=_bias(config)),
        query_norm=QueryNorm.WHOLE,
        views=Views.LATE,
    )
    return Decoder(kinds=_all(config, _mixed(block, experts)))


FAMILIES: Mapping[str, Callable[[Config], Decoder]] = {
    "llama": _llama,
    "mistral": _mistral,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "phi3": _phi3,
    "smollm3": _smollm3,
    "granite": _granite,
    "olmo2": _olmo2,
    "gpt2": _gpt2,
    "gpt_bigcode": _gpt_bigcode,
    "gpt_neox": _gpt_neox,
    "starcoder2": _starcoder2,
    "stablelm": _stablelm,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "olmoe": _olmoe,
}
