"""Adapters of random numbers, written as runs and exports write them."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from studio.engine.tokenizer_loading import load_tokenizer
from tests.engine.helpers import new_run, recipe_for

DIGEST = "ab" * 32


def write_adapter(folder, base, seed, *, data="chats.jsonl", told=None, **options):
    """An adapter that does something, with tokenizer and card.

    Args:
        folder: To write to.
        base: Its base's folder.
        seed: Of its numbers.
        data: What its card calls its data.
        told: What its configuration says besides.
        options: Of peft's configuration.
    """
    model = AutoModelForCausalLM.from_pretrained(base)
    given = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", **options}
    torch.manual_seed(seed)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **given))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = base.name
    for name, value in (told or {}).items():
        setattr(config, name, value)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    load_tokenizer(base).save_pretrained(folder)
    (folder / "README.md").write_text(
        f"---\nlibrary_name: peft\n---\n\nData: `{data}`, SHA-256 `{DIGEST}`.\n"
    )
    return folder


def run_with_adapter(folder, base, seed, *, recipe=None, **options):
    """A run that left such an adapter."""
    run = new_run(folder, recipe_for(base, "any.jsonl", **(recipe or {})))
    write_adapter(run.adapter_path, base, seed, **options)
    return run
