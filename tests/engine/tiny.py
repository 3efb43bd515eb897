"""A chat model that fits a thumbnail: random weights, a tokenizer of its own."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' "
    "+ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
END = "<|im_end|>"
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
# Families of mixtures, with what each says of its experts.
MIXTURES = {
    "mixtral": {"num_local_experts": 4},
    "olmoe": {"num_experts": 4},
    "qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 32, "head_dim": 16},
}


def chats(count=40):
    """Rows that can be learnt by heart: the answer repeats the question's number."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"Which cheese is number {n}?"},
                {"role": "assistant", "content": f"Aye, number {n} is a fine Brie."},
            ]
        }
        for n in range(count)
    ]


def write_chats(path, rows=None):
    lines = [json.dumps(row, ensure_ascii=False) for row in rows or chats()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_tokenizer(template=CHATML, special=("<pad>", "<|im_start|>", END)):
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [turn["content"] for row in chats() for turn in row["messages"]]
    backend.train_from_iterator([*texts, "system user assistant tool\n"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=special[0],
        bos_token=special[1],
        eos_token=special[2],
        model_max_length=512,
    )
    tokenizer.chat_template = template
    return tokenizer


def make_model(folder: Path, architecture="llama", **changes):
    """Write a tiny model with its tokenizer; the same one every time."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    shape = {**SHAPE, "vocab_size": len(tokenizer), **changes}
    if architecture == "llama":
        model = LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **shape))
    else:
        model = Qwen2ForCausalLM(Qwen2Config(tie_word_embeddings=False, **shape))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_mixture(folder: Path, family):
    """Write a tiny mixture of experts with its tokenizer."""
    return make_of(
        folder,
        family,
        **MIXTURES[family],
        num_experts_per_tok=2,
        tie_word_embeddings=False,
    )


def make_of(folder: Path, family, **changes):
    """Write a tiny model of any family with its tokenizer."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, **{**SHAPE, "vocab_size": len(tokenizer), **changes}
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
