"""Real shapes of published models, as their config.json tells them; no weights."""

_LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
_QWEN = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}


def _shape(hidden, inner, layers, heads, keys, vocabulary, **more):
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keys,
        "vocab_size": vocabulary,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        **more,
    }


SHAPES = {
    "Llama-3.2-1B": _LLAMA
    | _shape(2048, 8192, 16, 32, 8, 128256, head_dim=64, tie_word_embeddings=True),
    "Qwen2.5-1.5B": _QWEN
    | _shape(1536, 8960, 28, 12, 2, 151936, tie_word_embeddings=True),
    "SmolLM2-1.7B": _LLAMA
    | _shape(2048, 8192, 24, 32, 32, 49152, tie_word_embeddings=True),
    "Gemma-2-2B": {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"]}
    | _shape(
        2304,
        9216,
        26,
        8,
        4,
        256000,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=4096,
        hidden_activation="gelu_pytorch_tanh",
        tie_word_embeddings=True,
    ),
    "Qwen2.5-7B": _QWEN | _shape(3584, 18944, 28, 28, 4, 152064),
    "Llama-3.1-8B": _LLAMA | _shape(4096, 14336, 32, 32, 8, 128256),
    "Phi-4-14B": {"model_type": "phi3", "architectures": ["Phi3ForCausalLM"]}
    | _shape(5120, 17920, 40, 40, 10, 100352),
}
