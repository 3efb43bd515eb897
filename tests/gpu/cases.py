"""The recipes that the dry run is compared with a card by."""

from tests.gpu.truth import case

BF16 = {"model__precision": "bf16"}
PLAIN = {"train__checkpointing": False}
LONG = {"train__sequence_length": 4096}
PACKED = {"train__packing": True}
OFFLOADED = {"train__offload": True}
EAGER = {"model__attention": "eager"}
FULL = {**BF16, "compat__full_training": True}

# By model, so that each set of weights is made once.
CASES = (
    case("Llama-3.2-1B"),
    case("Llama-3.2-1B", **PLAIN),
    case("Llama-3.2-1B", **BF16, **EAGER),
    case("Llama-3.2-1B", **FULL),
    case("Llama-3.2-1B", **FULL, train__optimizer="adamw_8bit"),
    case("Llama-3.2-1B", **LONG, train__micro_batch=2),
    case("Llama-3.2-1B", **LONG, **PACKED),
    case("Llama-3.2-1B", **LONG, **OFFLOADED, train__micro_batch=4),
    case("Qwen2.5-1.5B"),
    case("Qwen2.5-1.5B", **PACKED, **EAGER),
    case("Qwen2.5-1.5B", **BF16, **PLAIN),
    case("Qwen2.5-1.5B", **EAGER, train__sequence_length=2048),
    case("Qwen2.5-1.5B", **FULL, train__optimizer="paged_adamw_8bit"),
    case("SmolLM2-1.7B", train__micro_batch=4),
    case("SmolLM2-1.7B", **PACKED, **PLAIN, train__micro_batch=4),
    case("SmolLM2-1.7B", **BF16, lora__adapter_dtype="fp32"),
    case("SmolLM2-1.7B", **PLAIN, lora__dropout=0.05),
    case("SmolLM2-1.7B", **FULL, train__optimizer="adamw_foreach"),
    case("Gemma-2-2B", **EAGER),
    case("Gemma-2-2B", **BF16, **EAGER),
    case("Gemma-2-2B", **EAGER, **PLAIN),
    case("Qwen2.5-7B"),
    case("Qwen2.5-7B", **LONG, train__optimizer="paged_adamw_32bit", lora__rank=64),
    case("Qwen2.5-7B", **BF16),
    case("Qwen2.5-7B", **LONG, **PACKED),
    case("Qwen2.5-7B", model__precision="int8", train__optimizer="adamw_8bit"),
    case("Llama-3.1-8B"),
    case("Llama-3.1-8B", **LONG, model__double_quant=False),
    case("Llama-3.1-8B", **BF16, **LONG),
    case("Llama-3.1-8B", **LONG, **OFFLOADED),
    case("Llama-3.1-8B", **PLAIN, train__sequence_length=2048),
    case("Llama-3.1-8B", train__optimizer="paged_adamw_8bit", lora__rank=128),
    case("Phi-4-14B"),
    case("Phi-4-14B", **LONG, train__optimizer="adamw_8bit"),
    case("Phi-4-14B", **BF16),
)
