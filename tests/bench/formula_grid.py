"""The grid on which the formula is held against the dry run: architectures, recipes.

Shapes are those of published config.json files, save "odd", which has none that
anybody would publish. `layers` are as published; a comparison may take fewer.
"""

from studio.domain.recipe import Recipe

ARCHITECTURES = {
    "llama-3.1-8b": {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
        "max_position_embeddings": 131072,
    },
    "qwen2.5-7b": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "intermediate_size": 18944,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
        "max_position_embeddings": 32768,
    },
    "qwen3-8b": {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 12288,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
        "max_position_embeddings": 40960,
    },
    "mistral-7b-v0.1": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
        "sliding_window": 4096,
        "max_position_embeddings": 32768,
    },
    "gemma-2-9b": {
        "model_type": "gemma2",
        "hidden_size": 3584,
        "num_hidden_layers": 42,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 256,
        "intermediate_size": 14336,
        "vocab_size": 256000,
        "sliding_window": 4096,
        "max_position_embeddings": 8192,
    },
    "gemma-3-4b": {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "num_hidden_layers": 34,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "intermediate_size": 10240,
        "vocab_size": 262208,
        "sliding_window": 1024,
        "max_position_embeddings": 131072,
    },
    "phi-4": {
        "model_type": "phi3",
        "hidden_size": 5120,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 10,
        "intermediate_size": 17920,
        "vocab_size": 100352,
        "tie_word_embeddings": False,
        "max_position_embeddings": 16384,
        "pad_token_id": None,
    },
    "phi-4-mini": {
        "model_type": "phi3",
        "hidden_size": 3072,
        "num_hidden_layers": 32,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
        "vocab_size": 200064,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "partial_rotary_factor": 0.75,
        "sliding_window": 262144,
        "pad_token_id": None,
    },
    "smollm2-1.7b": {
        "model_type": "llama",
        "hidden_size": 2048,
        "num_hidden_layers": 24,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "intermediate_size": 8192,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
        "max_position_embeddings": 8192,
    },
    "smollm3-3b": {
        "model_type": "smollm3",
        "hidden_size": 2048,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "intermediate_size": 11008,
        "vocab_size": 128256,
        "tie_word_embeddings": True,
        "max_position_embeddings": 65536,
        "pad_token_id": 0,
    },
    "olmo2-7b": {
        "model_type": "olmo2",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "intermediate_size": 11008,
        "vocab_size": 100352,
        "tie_word_embeddings": False,
        "max_position_embeddings": 4096,
    },
    "granite-3.1-8b": {
        "model_type": "granite",
        "hidden_size": 4096,
        "num_hidden_layers": 40,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 12800,
        "vocab_size": 49155,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "logits_scaling": 16.0,
        "attention_multiplier": 0.0078125,
    },
    "gpt2-xl": {
        "model_type": "gpt2",
        "n_embd": 1600,
        "n_layer": 48,
        "n_head": 25,
        "vocab_size": 50257,
        "n_positions": 4096,
    },
    "pythia-6.9b": {
        "model_type": "gpt_neox",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 16384,
        "vocab_size": 50432,
        "tie_word_embeddings": False,
        "rotary_pct": 0.25,
        "max_position_embeddings": 2048,
    },
    "mixtral-8x7b": {
        "model_type": "mixtral",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "max_position_embeddings": 32768,
    },
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
        "norm_topk_prob": True,
        "max_position_embeddings": 40960,
    },
    "odd": {
        "model_type": "llama",
        "hidden_size": 1080,
        "num_hidden_layers": 11,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 88,
        "intermediate_size": 2984,
        "vocab_size": 50021,
        "tie_word_embeddings": False,
        "attention_bias": True,
        "mlp_bias": True,
        "max_position_embeddings": 4096,
    },
    "starcoder2-3b": {
        "model_type": "starcoder2",
        "hidden_size": 3072,
        "num_hidden_layers": 30,
        "num_attention_heads": 24,
        "num_key_value_heads": 2,
        "intermediate_size": 12288,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
        "sliding_window": 4096,
        "max_position_embeddings": 16384,
    },
    "starcoder1-1b": {
        "model_type": "gpt_bigcode",
        "n_embd": 2048,
        "n_layer": 24,
        "n_head": 16,
        "n_inner": 8192,
        "vocab_size": 49152,
        "n_positions": 8192,
        "multi_query": True,
    },
    "stablelm-3b": {
        "model_type": "stablelm",
        "hidden_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "intermediate_size": 6912,
        "vocab_size": 50304,
        "tie_word_embeddings": False,
        "partial_rotary_factor": 0.25,
        "max_position_embeddings": 4096,
    },
    "olmoe-7b": {
        "model_type": "olmoe",
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "intermediate_size": 1024,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "vocab_size": 50304,
        "tie_word_embeddings": False,
        "max_position_embeddings": 4096,
    },
    "gemma-1-2b": {
        "model_type": "gemma",
        "hidden_size": 2048,
        "num_hidden_layers": 18,
        "num_attention_heads": 8,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "intermediate_size": 16384,
        "vocab_size": 256000,
        "max_position_embeddings": 8192,
    },
}

# Names of the layer that makes queries and values, where it isn't two.
_FUSED = {
    "gpt2": ("c_attn",),
    "gpt_bigcode": ("c_attn",),
    "gpt_neox": ("query_key_value",),
    "phi3": ("qkv_proj",),
}
# Compute capability, and what differs from the recipe of a new project.
RECIPES = {
    "default-2k": ((8, 9), {"train.sequence_length": 2048}),
    "offloaded": ((8, 9), {"train.sequence_length": 2048, "train.offload": True}),
    "padded": ((8, 9), {"train.sequence_length": 512, "train.micro_batch": 4}),
    "packed": ((8, 9), {"train.sequence_length": 2048, "train.packing": True}),
    "packed-rows": (
        (8, 0),
        {
            "train.sequence_length": 512,
            "train.micro_batch": 4,
            "train.packing": True,
            "train.checkpointing": False,
        },
    ),
    "packed-eager": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "train.packing": True,
            "model.attention": "eager",
        },
    ),
    "packed-t4": (
        (7, 5),
        {
            "model.compute_dtype": "fp16",
            "lora.adapter_dtype": "fp32",
            "train.sequence_length": 1024,
            "train.packing": True,
        },
    ),
    "no-ckpt": ((8, 0), {"train.sequence_length": 512, "train.checkpointing": False}),
    "eager-nodq": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "model.attention": "eager",
            "model.double_quant": False,
        },
    ),
    "fp32-adapter": (
        (8, 9),
        {"train.sequence_length": 1024, "lora.adapter_dtype": "fp32"},
    ),
    "norms": ((8, 9), {"train.sequence_length": 1024, "lora.train_norms": True}),
    "embeddings": (
        (8, 9),
        {"train.sequence_length": 2048, "lora.train_embeddings": True},
    ),
    "beside-8bit": (
        (9, 0),
        {
            "model.precision": "bf16",
            "train.sequence_length": 512,
            "train.checkpointing": False,
            "train.optimizer": "adamw_8bit",
            "lora.train_norms": True,
            "lora.train_embeddings": True,
        },
    ),
    "beside-t4": (
        (7, 5),
        {
            "model.compute_dtype": "fp16",
            "lora.adapter_dtype": "fp32",
            "train.sequence_length": 1024,
            "lora.train_norms": True,
            "lora.train_embeddings": True,
        },
    ),
    "beside-mixed": (
        (8, 9),
        {
            "model.precision": "fp32",
            "train.sequence_length": 1024,
            "train.accumulation": 1,
            "lora.train_norms": True,
            "lora.train_embeddings": True,
        },
    ),
    "dropout": (
        (8, 9),
        {"train.sequence_length": 1024, "train.micro_batch": 2, "lora.dropout": 0.05},
    ),
    "noise": (
        (8, 9),
        {"train.sequence_length": 1024, "train.micro_batch": 2, "train.neftune": 5.0},
    ),
    "pairs": ((8, 9), {"train.sequence_length": 1024, "train.method": "dpo"}),
    "pairs-no-ckpt": (
        (9, 0),
        {
            "train.sequence_length": 512,
            "train.method": "dpo",
            "train.micro_batch": 2,
            "train.checkpointing": False,
        },
    ),
    "odds": (
        (8, 6),
        {
            "train.sequence_length": 1024,
            "train.method": "orpo",
            "train.micro_batch": 2,
            "lora.dropout": 0.05,
        },
    ),
    "rated": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "train.method": "kto",
            "train.micro_batch": 4,
        },
    ),
    "attn-only": (
        (8, 9),
        {"train.sequence_length": 1024, "lora.targets": "some targets"},
    ),
    "attention": (
        (8, 9),
        {"train.sequence_length": 1024, "lora.targets": ("attention-only",)},
    ),
    "mlp": ((8, 9), {"train.sequence_length": 1024, "lora.targets": ("mlp-only",)}),
    "bf16": ((9, 0), {"model.precision": "bf16", "train.sequence_length": 1024}),
    "bf16-no-ckpt": (
        (8, 9),
        {
            "model.precision": "bf16",
            "train.sequence_length": 512,
            "train.micro_batch": 2,
            "train.checkpointing": False,
        },
    ),
    "int8": ((8, 9), {"model.precision": "int8", "train.sequence_length": 1024}),
    "t4": (
        (7, 5),
        {
            "model.compute_dtype": "fp16",
            "lora.adapter_dtype": "fp32",
            "train.sequence_length": 1024,
        },
    ),
    "t4-eager": (
        (7, 5),
        {
            "model.compute_dtype": "fp16",
            "lora.adapter_dtype": "fp32",
            "train.sequence_length": 512,
            "train.micro_batch": 2,
            "model.attention": "eager",
        },
    ),
    "8bit-r64": (
        (8, 9),
        {
            "lora.rank": 64,
            "train.optimizer": "adamw_8bit",
            "train.sequence_length": 1024,
        },
    ),
    "paged-r128": (
        (8, 6),
        {
            "lora.rank": 128,
            "train.optimizer": "paged_adamw_8bit",
            "train.sequence_length": 512,
            "train.micro_batch": 2,
        },
    ),
    "lion-r256": (
        (8, 9),
        {
            "lora.rank": 256,
            "train.optimizer": "lion",
            "train.sequence_length": 256,
            "lora.adapter_dtype": "fp32",
        },
    ),
    "lion-8bit-r64": (
        (8, 9),
        {
            "lora.rank": 64,
            "train.optimizer": "lion_8bit",
            "train.sequence_length": 512,
        },
    ),
    "paged-lion-r128": (
        (8, 6),
        {
            "lora.rank": 128,
            "train.optimizer": "paged_lion_8bit",
            "train.sequence_length": 512,
        },
    ),
    "adafactor-r256": (
        (8, 9),
        {
            "lora.rank": 256,
            "train.optimizer": "adafactor",
            "train.sequence_length": 256,
        },
    ),
    "adafactor-beside": (
        (8, 9),
        {
            "lora.rank": 256,
            "lora.plus_ratio": 4.0,
            "lora.train_norms": True,
            "lora.train_embeddings": True,
            "train.optimizer": "adafactor",
            "train.sequence_length": 256,
        },
    ),
    "foreach-beside": (
        (8, 9),
        {
            "lora.rank": 256,
            "lora.plus_ratio": 16.0,
            "lora.train_norms": True,
            "lora.train_embeddings": True,
            "train.optimizer": "adamw_foreach",
            "train.sequence_length": 256,
        },
    ),
    "adafactor-all": (
        (9, 0),
        {
            "model.precision": "bf16",
            "train.sequence_length": 512,
            "train.weights": "all",
            "train.optimizer": "adafactor",
        },
    ),
    "adafactor-all-mixed": (
        (8, 9),
        {
            "model.precision": "fp32",
            "train.sequence_length": 512,
            "train.weights": "all",
            "train.accumulation": 1,
            "train.optimizer": "adafactor",
        },
    ),
    "foreach-plus": (
        (8, 9),
        {
            "lora.rank": 256,
            "lora.plus_ratio": 16.0,
            "train.optimizer": "adamw_foreach",
            "train.sequence_length": 256,
            "lora.adapter_dtype": "fp32",
        },
    ),
    "foreach-r256": (
        (8, 9),
        {
            "lora.rank": 256,
            "train.optimizer": "adamw_foreach",
            "train.sequence_length": 256,
            "lora.adapter_dtype": "fp32",
        },
    ),
    "fp32": (
        (8, 9),
        {
            "model.precision": "fp32",
            "model.compute_dtype": "fp32",
            "lora.adapter_dtype": "fp32",
            "train.sequence_length": 512,
        },
    ),
    "h100-4k": (
        (9, 0),
        {"train.sequence_length": 4096, "train.micro_batch": 1, "lora.rank": 8},
    ),
    "kbit-plain": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "lora.adapter_dtype": "fp32",
            "compat.upcast_unquantized": True,
            "compat.full_logits": True,
        },
    ),
    "trainer4": (
        (8, 9),
        {
            "train.sequence_length": 512,
            "train.micro_batch": 2,
            "lora.adapter_dtype": "fp32",
            "compat.full_logits": True,
            "compat.autocast": True,
            "compat.shifted_logits_copy": True,
        },
    ),
    "trl-0": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "lora.adapter_dtype": "fp32",
            "compat.full_logits": True,
            "compat.autocast": True,
            "compat.upcast_norms": True,
        },
    ),
    "early-logits": (
        (8, 0),
        {
            "train.sequence_length": 512,
            "train.micro_batch": 2,
            "compat.full_logits": True,
            "compat.early_logits_upcast": True,
        },
    ),
    "acc1-no-ckpt": (
        (8, 9),
        {
            "train.sequence_length": 1024,
            "train.accumulation": 1,
            "train.checkpointing": False,
            "lora.dropout": 0.1,
            "lora.rank": 8,
            "train.optimizer": "adamw_foreach",
        },
    ),
    "full": (
        (9, 0),
        {
            "model.precision": "bf16",
            "train.sequence_length": 1024,
            "compat.full_training": True,
        },
    ),
    "full-acc1": (
        (9, 0),
        {
            "model.precision": "bf16",
            "train.sequence_length": 512,
            "compat.full_training": True,
            "train.accumulation": 1,
            "train.optimizer": "adamw_8bit",
        },
    ),
    "all-weights": (
        (9, 0),
        {
            "model.precision": "bf16",
            "train.sequence_length": 1024,
            "train.micro_batch": 2,
            "train.weights": "all",
        },
    ),
    "all-weights-mixed": (
        (8, 9),
        {
            "model.precision": "fp32",
            "train.sequence_length": 512,
            "train.weights": "all",
            "train.packing": True,
        },
    ),
}


def config_of(name, layers=None):
    """An architecture's config, with as many layers as asked."""
    config = dict(ARCHITECTURES[name])
    key = "n_layer" if "n_layer" in config else "num_hidden_layers"
    return config | ({key: layers} if layers else {})


def options_of(name, recipe):
    """A recipe's options for an architecture."""
    config = ARCHITECTURES[name]
    options = dict(RECIPES[recipe][1])
    if options.get("lora.targets") == "some targets":
        usual = ("q_proj", "v_proj")
        options["lora.targets"] = _FUSED.get(config["model_type"], usual)
    if "num_experts_per_tok" in config and "lora.dropout" in options:
        # Adapters of experts can't drop their inputs.
        options["lora.targets"] = ("q_proj", "k_proj", "v_proj", "o_proj")
    if config["model_type"] == "gemma2":  # transformers runs it no other way
        options["model.attention"] = "eager"
    return options


def recipe_of(name, recipe_name):
    """A recipe of the grid for an architecture."""
    recipe = Recipe()
    for key, value in options_of(name, recipe_name).items():
        recipe = recipe.with_value(key, value)
    return recipe
