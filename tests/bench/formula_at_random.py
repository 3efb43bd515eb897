"""Compare the formula with the dry run where nobody chose the cases.

    python -m tests.bench.formula_at_random [--cells 200] [--seed 1]

Each cell is a published architecture, some of whose numbers were changed by chance, and
a recipe whose options chance chose, on one of four kinds of cards. What either refuses
is counted and drawn anew. The grid (formula_truth.py) shows what was looked at while
the formula was written; this shows what wasn't.
"""

import argparse
import logging
import random
import statistics
import warnings
from collections import Counter

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.expert_findings import expert_refusal
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import Recipe
from tests.bench.formula_grid import ARCHITECTURES, config_of
from tests.bench.formula_truth import LEVELS, errors_of

CARDS = ((7, 5), (8, 0), (8, 9), (9, 0))
TOLD = (0.02, 0.06)  # cells beyond are printed

# Of a config: how often it is changed, and to what.
NUMBERS = {
    "attention_dropout": (0.3, (0.0, 0.1)),
    "hidden_dropout": (0.3, (0.0, 0.1)),
    "embedding_dropout": (0.3, (0.0, 0.1)),
    "residual_dropout": (0.3, (0.0, 0.1)),
    "resid_pdrop": (0.3, (0.0, 0.1)),
    "embd_pdrop": (0.3, (0.0, 0.1)),
    "attn_pdrop": (0.3, (0.0, 0.1)),
    "vocab_size": (0.3, (777, 32_001, 50_257, 100_003, 151_936)),
    "tie_word_embeddings": (0.3, (True, False)),
    "intermediate_size": (0.4, (1000, 2816, 5120, 10_240, 14_336, 15_552)),
    "n_inner": (0.4, (1000, 2816, 5120, 10_240, 14_336, 15_552)),
    "head_dim": (0.3, (64, 80, 96, 128, 256)),
    "hidden_act": (0.3, ("relu", "gelu", "gelu_new", "quick_gelu", "silu")),
}
OPTIONS = {
    "train.sequence_length": (1, (64, 100, 257, 512, 1000, 1024, 2048, 3000, 4096)),
    "train.micro_batch": (0.6, (2, 3, 5, 8)),
    "train.accumulation": (0.4, (1, 2, 4, 8)),
    "train.checkpointing": (0.35, (False,)),
    "train.offload": (0.15, (True,)),
    "train.packing": (0.2, (True,)),
    "train.neftune": (0.1, (5.0,)),
    "train.method": (0.1, ("dpo", "kto")),
    "train.optimizer": (
        0.4,
        (
            *("adamw_8bit", "paged_adamw_8bit", "adafactor", "lion_8bit"),
            *("adamw_fused", "adamw_foreach", "lion"),
        ),
    ),
    "lora.rank": (0.5, (1, 4, 7, 8, 33, 64, 128, 256)),
    "lora.targets": (0.3, (["attention-only"], ["mlp-only"], ["all-linear"])),
    "lora.dropout": (0.2, (0.05,)),
    "lora.adapter_dtype": (1, ("bf16", "fp32")),
    "lora.train_norms": (0.1, (True,)),
    "lora.train_embeddings": (0.1, (True,)),
    "model.precision": (0.4, ("nf4", "fp4", "int8", "bf16", "bf16")),
    "model.double_quant": (0.2, (False,)),
    "model.attention": (0.2, ("eager",)),
}


def changed(chance, places):
    """By key, what chance changes."""
    return {
        key: chance.choice(values)
        for key, (share, values) in places.items()
        if chance.random() < share
    }


def some_config(chance):
    """A published architecture's name, and its config with other numbers."""
    name = chance.choice(list(ARCHITECTURES))
    config = config_of(name, chance.choice((1, 2, 3, 5)))
    text = dict(config.get("text_config") or config)
    text |= {k: v for k, v in changed(chance, NUMBERS).items() if k in text}
    heads = text.get("num_attention_heads")
    if "num_key_value_heads" in text and chance.random() < 0.3:
        divisors = [each for each in range(1, heads + 1) if heads % each == 0]
        text["num_key_value_heads"] = chance.choice(divisors)
    return name, config | {"text_config": text} if "text_config" in config else text


def some_recipe(chance, card):
    """The options that chance chose, and their recipe."""
    options = changed(chance, OPTIONS)
    if card < (8, 0):
        options |= {"model.compute_dtype": "fp16", "lora.adapter_dtype": "fp32"}
        if options.get("model.precision") == "bf16":
            options["model.precision"] = "fp16"
    return options, Recipe().with_values(options)


def refuse(config, recipe):
    """Have what nobody would train refused, before it is rehearsed.

    Raises:
        StudioError: The model or the recipe is refused.
    """
    model = ModelArchitecture.from_config(config)
    refused = outside_formula(recipe) or expert_refusal(recipe, model)
    if refused is not None or list(recipe.contradictions()):
        raise StudioError(refused or next(iter(recipe.contradictions())))


def main():
    """Compare as many cells as are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # libraries remark on odd configs
    chance, rows, refusals = random.Random(asked.seed), [], Counter()
    while len(rows) < asked.cells:
        (name, config), card = some_config(chance), chance.choice(CARDS)
        options, recipe = some_recipe(chance, card)
        try:
            refuse(config, recipe)
            row = errors_of(config, recipe, card)
        except StudioError as refused:
            refusals[refused.finding.code] += 1
            continue
        rows.append(row)
        if any(abs(one) > most for one, most in zip(row, TOLD, strict=True)):
            parts = config.get("text_config") or config
            usual = config_of(name, 2).get("text_config") or config_of(name, 2)
            own = {k: v for k, v in parts.items() if usual.get(k) != v}
            print(*(f"{each:+.3f}" for each in row), name, card, options, own)
    print(f"seed {asked.seed}: {len(rows)} cells; refused {dict(refusals)}")
    for place, level in enumerate(LEVELS):
        sizes = sorted(abs(row[place]) for row in rows)
        print(
            f"{level.name.lower()}: mean {statistics.mean(sizes):.2%}, 95 % within "
            f"{sizes[round(0.95 * (len(sizes) - 1))]:.2%}, worst {sizes[-1]:.2%}"
        )


if __name__ == "__main__":
    main()
